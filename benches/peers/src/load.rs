//! The load, the same for every store, and what is measured of it.

use crate::Error;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) const RECORD_BYTES: usize = 128;
pub(crate) type Record = [u8; RECORD_BYTES];

/// Not measured: caches, files and buffers come into being.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// Devices of each writer, which write in turn.
pub(crate) const DEVICES_OF_WRITER: u64 = 1024;
/// Records that are read back when all is written, at most.
const SAMPLES: usize = 256;
const POOL_BYTES: usize = 1 << 20;
const START_MS: u64 = 1_735_689_600_000;

/// What is asked of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) commit_records: usize,
    pub(crate) in_flight: usize,
    pub(crate) seconds: u64,
    pub(crate) records_max: u64,
}

/// A record that was acknowledged, and where in the order of all of them it was given out.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) position: u64,
    pub(crate) record: Record,
}

/// What one run of one store came to.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Written {
    /// Acknowledged as durable while it was measured.
    pub(crate) records: u64,
    pub(crate) writes_per_second: f64,
    /// Of records alone.
    pub(crate) megabytes_per_second: f64,
    /// From handing over a commit until it is known to be durable.
    pub(crate) durable_p50_ms: f64,
    pub(crate) durable_p99_ms: f64,
    /// What the file system gave for them, once closed, for each record that was acknowledged; without it, nothing is kept.
    pub(crate) disk_bytes_per_record: Option<f64>,
    /// At its peak, mapped files included.
    pub(crate) rss_bytes: u64,
}

/// Hands out commits until time or records are used up, and counts what becomes durable.
pub(crate) struct Meter {
    pub(crate) load: Load,
    pool: Vec<u8>,
    next_position: AtomicU64,
    counted: Mutex<Counted>,
}

struct Counted {
    begun: Instant,
    ended: Instant,
    records: u64,
    latencies: Histogram<u64>,
    /// Position, writer, and number with that writer of each commit's last record.
    last: Vec<(u64, u64, u64)>,
}

impl Meter {
    pub(crate) fn new(load: Load) -> Self {
        let now = Instant::now();
        let counted =
            Counted { begun: now, ended: now, records: 0, latencies: latencies(), last: Vec::new() };
        Self {
            load,
            pool: SplitMix64(1).flat_map(u64::to_le_bytes).take(POOL_BYTES + RECORD_BYTES).collect(),
            next_position: AtomicU64::new(0),
            counted: Mutex::new(counted),
        }
    }

    /// Runs as many writers as commits are to be in flight, each on a thread of its own.
    pub(crate) fn on_threads(
        &self,
        write: impl Fn(&mut Writer<'_>) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let write = &write;
            let writers: Vec<_> = (0..self.load.in_flight as u64)
                .map(|id| {
                    scope.spawn(move || {
                        let mut writer = self.writer(id, begun);
                        let written = write(&mut writer);
                        writer.hand_in();
                        written
                    })
                })
                .collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().unwrap_or_else(|_| Err("a writer panicked".into())))
        })
    }

    /// The one writer of a store that takes one at a time.
    pub(crate) fn alone(&self) -> Writer<'_> {
        self.writer(0, Instant::now())
    }

    fn writer(&self, id: u64, begun: Instant) -> Writer<'_> {
        Writer {
            meter: self,
            id,
            begun,
            ends: begun + WARM_UP + Duration::from_secs(self.load.seconds),
            next: 0,
            commit: Vec::with_capacity(self.load.commit_records),
            ended: begun,
            records: 0,
            latencies: latencies(),
            last: Vec::new(),
        }
    }

    /// A writer's n-th record: laid out as Arterial's, with other random bytes where that has its salt.
    fn record(&self, writer: u64, n: u64) -> Record {
        let (device, seq) = (n % DEVICES_OF_WRITER, n / DEVICES_OF_WRITER);
        let cut = ((n * 31 + writer).wrapping_mul(64) % POOL_BYTES as u64) as usize;
        let mut record = [0; RECORD_BYTES];
        record.copy_from_slice(&self.pool[cut..cut + RECORD_BYTES]);
        record[32..40].copy_from_slice(&device.to_le_bytes());
        record[40..48].copy_from_slice(&writer.to_le_bytes());
        record[48..56].copy_from_slice(&seq.to_le_bytes());
        record[56..64].copy_from_slice(&(START_MS + seq).to_le_bytes());
        record[64..72].copy_from_slice(&[1, 0, 0, 0, 56, 0, 0, 0]);
        record
    }

    /// Some of the records that were acknowledged, spread over all of them.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let mut last = self.counted().last.clone();
        last.sort_unstable();
        let apart = last.len().div_ceil(SAMPLES).max(1);
        let newest_first = last.iter().rev().step_by(apart);
        newest_first
            .map(|&(position, writer, n)| Sample { position, record: self.record(writer, n) })
            .collect()
    }

    /// What it came to.
    pub(crate) fn written(&self, disk_bytes: Option<u64>, rss_bytes: u64) -> Result<Written, Error> {
        let counted = self.counted();
        let seconds = counted.ended.saturating_duration_since(counted.begun + WARM_UP).as_secs_f64();
        if counted.records == 0 || seconds <= 0.0 {
            return Err("all records were written before anything was measured: give more --records".into());
        }
        let per_second = counted.records as f64 / seconds;
        let acknowledged = counted.last.len() * self.load.commit_records;
        let millis = |quantile| counted.latencies.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Written {
            records: counted.records,
            writes_per_second: per_second,
            megabytes_per_second: per_second * RECORD_BYTES as f64 / 1e6,
            durable_p50_ms: millis(0.5),
            durable_p99_ms: millis(0.99),
            disk_bytes_per_record: disk_bytes.map(|bytes| bytes as f64 / acknowledged as f64),
            rss_bytes,
        })
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One stream of commits.
pub(crate) struct Writer<'a> {
    meter: &'a Meter,
    pub(crate) id: u64,
    begun: Instant,
    ends: Instant,
    next: u64,
    commit: Vec<Record>,
    ended: Instant,
    records: u64,
    latencies: Histogram<u64>,
    last: Vec<(u64, u64, u64)>,
}

/// Records to make durable together. It counts once [`Writer::durable`] has it back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    /// Of its first record; the others' follow.
    pub(crate) position: u64,
    begun: Instant,
    last: u64,
}

impl Writer<'_> {
    /// The next commit, whose records are [`Writer::records`]; nothing if it is over.
    pub(crate) fn next(&mut self) -> Option<Commit> {
        let records = self.meter.load.commit_records as u64;
        let position = self.meter.next_position.fetch_add(records, Ordering::Relaxed);
        if Instant::now() >= self.ends || position + records > self.meter.load.records_max {
            return None;
        }
        let numbers = self.next..self.next + records;
        self.next += records;
        self.commit.clear();
        self.commit.extend(numbers.map(|n| self.meter.record(self.id, n)));
        Some(Commit { position, begun: Instant::now(), last: self.next - 1 })
    }

    /// The records of the commit that was handed out last.
    pub(crate) fn records(&self) -> &[Record] {
        &self.commit
    }

    /// Takes a commit for durable.
    pub(crate) fn durable(&mut self, commit: Commit) {
        let (now, records) = (Instant::now(), self.meter.load.commit_records as u64);
        self.last.push((commit.position + records - 1, self.id, commit.last));
        if now >= self.begun + WARM_UP && now <= self.ends {
            self.ended = now;
            self.records += records;
            let micros = now.duration_since(commit.begun).as_micros().try_into().unwrap_or(u64::MAX);
            self.latencies.saturating_record_n(micros, records);
        }
    }

    /// Adds what it counted to the others'.
    pub(crate) fn hand_in(self) {
        let mut counted = self.meter.counted();
        counted.begun = self.begun;
        counted.ended = counted.ended.max(self.ended);
        counted.records += self.records;
        counted.latencies.add(&self.latencies).expect("all have the same range");
        counted.last.extend(self.last);
    }
}

/// Latencies from 1 µs to a minute, to three digits.
fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the range is one")
}

/// A plain pseudorandom sequence: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl Iterator for SplitMix64 {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    }
}

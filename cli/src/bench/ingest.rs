//! `arterial bench ingest`: how many writes a second become durable, and how soon.

use super::{
    commit::Committer,
    disk::CountedStorage,
    machine::{bare_writes, hashes_per_second, resident_bytes},
    report::{IngestReport, Limits, Reopened, latencies},
    workload::Submitter,
};
use crate::{
    args::{BenchAuth, IngestArgs},
    error::CliError,
    interrupt::Interrupt,
};
use arterial::{
    Domain,
    protocol::{FieldElement, ShardCount, limits::RECORD_HEAD_BYTES},
    shards::{Lane, Shards, ShardsConfig, Tickets},
    storage::Storage,
};
use hdrhistogram::Histogram;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Calls whose answers one submitter waits for at once.
const CALLS_IN_FLIGHT: usize = 6;
/// Writes of a call at most.
const CALL_WRITES: usize = 2048;
/// How far apart the calls of an open loop are.
const TICK: Duration = Duration::from_micros(500);
/// Ed25519 signatures that are made beforehand for each second, if no rate is given.
const SIGNED_PER_SECOND: u64 = 200_000;
/// Not measured: caches, segments and the writers' buffers come into being.
const WARM_UP: Duration = Duration::from_secs(1);

/// What the threads of a run share.
pub(crate) struct Running {
    pub(crate) shards: Shards,
    pub(crate) stop: AtomicBool,
    measuring: AtomicBool,
    durable: AtomicU64,
    refused: AtomicU64,
    /// Whether every submitter has ended.
    submitted: AtomicBool,
    interrupt: Interrupt,
}

impl Running {
    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.interrupt.is_raised()
    }

    pub(crate) fn submitting(&self) -> bool {
        !self.submitted.load(Ordering::Acquire)
    }
}

/// Measures; the report.
pub(crate) fn measure(args: &IngestArgs, interrupt: &Interrupt) -> Result<IngestReport, CliError> {
    let dir = tempfile::tempdir_in(&args.dir).map_err(|source| CliError::Io {
        action: "make a directory in",
        path: args.dir.clone(),
        source,
    })?;
    let storage = CountedStorage::default();
    let counts = Arc::clone(&storage.counts);
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let domain = Domain(FieldElement::from(1u64));
    let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let config = ShardsConfig::new(dir.path().to_owned(), domain, count);
    let shards = Shards::open(&storage, &config).map_err(arterial::EngineError::from)?;

    let mut submitters = submitters(args);
    for submitter in &submitters {
        for outcome in shards.enrol(&submitter.enrolments()) {
            outcome.map_err(|source| CliError::Enrol { label: "of the bench".into(), source })?;
        }
    }
    let mut committer = Committer::open(args, &storage, dir.path(), domain, count)?;
    let workload_bytes = submitters.iter().map(Submitter::bytes).sum::<usize>() as u64;
    let running = Running {
        shards,
        stop: AtomicBool::new(false),
        measuring: AtomicBool::new(false),
        durable: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        submitted: AtomicBool::new(false),
        interrupt: interrupt.clone(),
    };
    let mut peak_bytes = 0;
    let measured = thread::scope(|scope| -> Result<Measured, CliError> {
        let committing = scope.spawn(|| committer.run(&running));
        let threads: Vec<_> = submitters
            .iter_mut()
            .map(|submitter| scope.spawn(|| submit(submitter, args, &running)))
            .collect();
        let before = begin(&running, &counts);
        let until = before.at + Duration::from_secs(args.seconds);
        while Instant::now() < until
            && running.goes_on()
            && threads.iter().any(|thread| !thread.is_finished())
        {
            peak_bytes = peak_bytes.max(resident_bytes());
            thread::sleep(Duration::from_millis(20));
        }
        let after = Snapshot::take(&running, &counts);
        running.stop.store(true, Ordering::Relaxed);
        let mut latencies = latencies();
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        running.submitted.store(true, Ordering::Release);
        for ended in ended {
            latencies.add(ended.expect("a submitter ends")).expect("all have the same range");
        }
        committing.join().expect("a committer ends")?;
        Ok(Measured { before, after, latencies })
    })?;
    let records = running.durable.load(Ordering::Relaxed);
    drop(running);
    let begun = Instant::now();
    drop(Shards::open(&storage, &config).map_err(arterial::EngineError::from)?);
    let reopened = Reopened { records, seconds: begun.elapsed().as_secs_f64() };
    let limits = limits(args, &measured, dir.path())?;
    let memory = (peak_bytes, workload_bytes);
    Ok(IngestReport::new(args, &measured, memory, committer.committed(), reopened, limits))
}

/// What was counted between two moments.
pub(crate) struct Measured {
    pub(crate) before: Snapshot,
    pub(crate) after: Snapshot,
    /// Microseconds from when a write was due until it was known to be durable.
    pub(crate) latencies: Histogram<u64>,
}

#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) durable: u64,
    pub(crate) refused: u64,
    pub(crate) syncs: u64,
    pub(crate) bytes: u64,
    pub(crate) allocations: u64,
}

impl Snapshot {
    fn take(running: &Running, counts: &super::disk::DiskCounts) -> Self {
        Self {
            at: Instant::now(),
            durable: running.durable.load(Ordering::Relaxed),
            refused: running.refused.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            allocations: super::allocations(),
        }
    }
}

fn begin(running: &Running, counts: &super::disk::DiskCounts) -> Snapshot {
    let warm = Instant::now() + WARM_UP;
    while Instant::now() < warm && running.goes_on() {
        thread::sleep(Duration::from_millis(10));
    }
    running.measuring.store(true, Ordering::Relaxed);
    Snapshot::take(running, counts)
}

fn submitters(args: &IngestArgs) -> Vec<Submitter> {
    let payload = args.record_bytes - RECORD_HEAD_BYTES;
    let devices = (args.devices / args.writers).max(1);
    let rate = args.rate.unwrap_or(SIGNED_PER_SECOND);
    let signed = (rate * (args.seconds + WARM_UP.as_secs() + 1)).div_ceil(args.writers as u64);
    thread::scope(|scope| {
        let make = |n: usize| {
            scope.spawn(move || {
                let mut submitter = Submitter::new(n as u64, args.auth, devices, payload);
                submitter.sign(usize::try_from(signed).unwrap_or(usize::MAX));
                submitter
            })
        };
        let threads: Vec<_> = (0..args.writers).map(make).collect();
        threads.into_iter().map(|thread| thread.join().expect("signing ends")).collect()
    })
}

/// Submits until the run ends; the latencies.
fn submit(submitter: &mut Submitter, args: &IngestArgs, running: &Running) -> Histogram<u64> {
    match args.rate {
        None => {
            let call_writes = if args.auth == BenchAuth::Bundle { args.bundle } else { CALL_WRITES };
            submit_closed(submitter, call_writes, running)
        }
        Some(rate) => submit_open(submitter, rate / args.writers as u64, running),
    }
}

/// As fast as the answers come: a write is due when it is submitted.
fn submit_closed(submitter: &mut Submitter, call_writes: usize, running: &Running) -> Histogram<u64> {
    let mut latencies = latencies();
    let mut in_flight: VecDeque<(Instant, Tickets)> = VecDeque::new();
    while running.goes_on() && submitter.left() > 0 {
        if in_flight.len() == CALLS_IN_FLIGHT
            && let Some((due, tickets)) = in_flight.pop_front()
        {
            answered(due, &tickets, running, &mut latencies);
        }
        let due = Instant::now();
        in_flight.push_back((due, submitter.submit(&running.shards, Lane::Routine, call_writes)));
    }
    for (due, tickets) in in_flight {
        answered(due, &tickets, running, &mut latencies);
    }
    latencies
}

/// At a rate, whatever the answers do: latencies are from when a write was due, so that a stall is not left out.
fn submit_open(submitter: &mut Submitter, rate: u64, running: &Running) -> Histogram<u64> {
    let (sender, receiver) = mpsc::channel::<(Instant, Tickets)>();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let mut latencies = latencies();
            for (due, tickets) in receiver {
                answered(due, &tickets, running, &mut latencies);
            }
            latencies
        });
        let (begun, mut submitted) = (Instant::now(), 0u64);
        while running.goes_on() && submitter.left() > 0 {
            let due = Instant::now();
            let elapsed = (due - begun).as_micros().try_into().unwrap_or(u64::MAX);
            let writes = (elapsed.saturating_mul(rate) / 1_000_000).saturating_sub(submitted);
            // The oldest of these writes were due a tick ago, or longer if the loop was held up.
            let oldest = begun + Duration::from_secs_f64(seconds(submitted, rate));
            if let Ok(writes) = usize::try_from(writes)
                && writes > 0
            {
                for (due, part) in parts(oldest, writes) {
                    let tickets = submitter.submit(&running.shards, Lane::Routine, part);
                    let _ = sender.send((due, tickets));
                }
            }
            submitted += writes;
            thread::sleep(TICK);
        }
        drop(sender);
        waiter.join().expect("a waiter ends")
    })
}

#[expect(clippy::cast_precision_loss, reason = "a time")]
fn seconds(writes: u64, rate: u64) -> f64 {
    writes as f64 / rate.max(1) as f64
}

/// Calls of a size that the engine takes well; all writes of a call count as due when its first was.
fn parts(oldest: Instant, writes: usize) -> impl Iterator<Item = (Instant, usize)> {
    (0..writes).step_by(CALL_WRITES).map(move |at| (oldest, CALL_WRITES.min(writes - at)))
}

fn answered(due: Instant, tickets: &Tickets, running: &Running, latencies: &mut Histogram<u64>) {
    let (mut durable, mut refused) = (0, 0);
    for answer in tickets.answers() {
        match answer {
            Ok(_) => durable += 1,
            Err(_) => refused += 1,
        }
    }
    running.durable.fetch_add(durable, Ordering::Relaxed);
    running.refused.fetch_add(refused, Ordering::Relaxed);
    if running.measuring.load(Ordering::Relaxed) {
        let micros = due.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        latencies.saturating_record_n(micros, durable + refused);
    }
}

/// The machine's own limits, on what was just measured.
fn limits(args: &IngestArgs, measured: &Measured, dir: &std::path::Path) -> Result<Limits, CliError> {
    let (before, after) = (&measured.before, &measured.after);
    let commit_bytes = (after.bytes - before.bytes) / (after.syncs - before.syncs).max(1);
    let commit_bytes = usize::try_from(commit_bytes).unwrap_or(usize::MAX);
    let bare = bare_writes(dir, commit_bytes, args.shards.min(4) as usize)
        .map_err(|source| CliError::Io { action: "measure the disk in", path: dir.to_owned(), source })?;
    Ok(Limits {
        commit_bytes,
        bare_bytes_per_second: bare,
        hashes_per_second: hashes_per_second(args.record_bytes),
    })
}

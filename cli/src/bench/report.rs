//! What a bench found out, for people and for machines.

use super::{
    bare::BareCommits,
    findings::{Findings, side_by_side},
    ingest::Run,
    latency::{LaneLatency, Percentile, latency_chart, percentiles},
    load::{Driven, Latencies},
    scaled::{Scaled, chart},
};
use crate::{
    args::{IngestArgs, WorkloadName},
    lines::Lines,
    output::{counted, grouped},
    page::{Chart, Section, Tile},
    watch::{Point, memory, throughput},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt;

/// Latencies from 1 µs to a minute, to three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the range is one")
}

/// Milliseconds within which so many were done.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Quantiles {
    #[expect(clippy::cast_precision_loss, reason = "times")]
    pub(crate) fn of(micros: &Histogram<u64>) -> Self {
        let quantile = |q| micros.value_at_quantile(q) as f64 / 1000.0;
        let max = micros.max() as f64 / 1000.0;
        Self { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), max }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, p999, max } = self;
        write!(f, "p50 {p50:.2}   p99 {p99:.2}   p99.9 {p999:.2}   max {max:.2}")
    }
}

/// What the machine does at best, in the same commits and with the same bytes.
pub(crate) struct Limits {
    /// Bytes of a commit, on average.
    pub(crate) commit_bytes: usize,
    pub(crate) bare: BareCommits,
    /// As many commits a second as there were, if a rate was given.
    pub(crate) bare_paced: Option<BareCommits>,
    pub(crate) hashes_per_second: f64,
    /// In ed25519-zebra's own batches, of the engine's size, if devices sign.
    pub(crate) zebra_verifications_per_second: Option<f64>,
}

/// Opening what was written.
#[derive(Serialize, Debug)]
pub(crate) struct Reopened {
    /// Records in the logs.
    pub(crate) records: u64,
    pub(crate) seconds: f64,
}

/// What `arterial bench ingest` prints.
#[derive(Serialize, Debug)]
pub(crate) struct IngestReport {
    workload: &'static str,
    seed: u64,
    auth: String,
    /// On average.
    record_bytes: f64,
    shards: u32,
    writers: usize,
    devices: usize,
    seconds: f64,
    rate: Option<u64>,
    writes: u64,
    refused: u64,
    writes_per_second: f64,
    /// Of records; frames and tags come to it.
    megabytes_per_second: f64,
    log_megabytes_per_second: f64,
    durable_p50_ms: f64,
    durable_p99_ms: f64,
    durable_p999_ms: f64,
    durable_max_ms: f64,
    fsyncs: u64,
    allocations_per_write: f64,
    /// At its peak, mapped files and the workload included.
    rss_bytes: u64,
    workload_bytes: u64,
    /// Records that came into blocks meanwhile, with `--commit` into the accounts' trees too.
    committed: u64,
    /// Writes a second with every thread on so many of the cores, if that was asked for.
    by_cores: Vec<Scaled>,
    reopened: Reopened,
    commit_bytes: usize,
    bare_bytes_per_second: f64,
    ratio_to_bare_writes: f64,
    /// Bare commits of the same size, as many a second, by as many threads, up to four.
    bare_commit_ms: Option<Quantiles>,
    ratio_to_bare_p99: Option<f64>,
    hashes_per_second: f64,
    ratio_to_hashing: f64,
    zebra_verifications_per_second: Option<f64>,
    ratio_to_zebra: Option<f64>,
    /// Of each lane, where the workload uses several.
    lanes: Vec<LaneLatency>,
    percentiles: Vec<Percentile>,
    over_time: Vec<Point>,
}

impl IngestReport {
    #[expect(clippy::cast_precision_loss, reason = "rates and times")]
    pub(crate) fn new(args: &IngestArgs, run: Run, limits: &Limits, by_cores: Vec<Scaled>) -> Self {
        let Driven { before, after, latencies } = &run.driven;
        let latencies = Latencies::sum(latencies);
        let merged = latencies.all();
        let durable_ms = Quantiles::of(&merged);
        let seconds = (after.at - before.at).as_secs_f64();
        let writes = after.durable - before.durable;
        let rate = run.writes_per_second();
        let records_rate = (after.record_bytes - before.record_bytes) as f64 / seconds;
        let log_rate = (after.bytes - before.bytes) as f64 / seconds;
        let bare_commit_ms = limits.bare_paced.as_ref().map(|paced| Quantiles::of(&paced.latencies));
        Self {
            workload: args.workload.map_or("uniform", WorkloadName::name),
            seed: args.seed,
            auth: format!("{:?}", args.auth).to_lowercase(),
            record_bytes: records_rate / rate,
            shards: args.shards,
            writers: args.writers,
            devices: args.devices,
            seconds,
            rate: args.rate,
            writes,
            refused: after.refused - before.refused,
            writes_per_second: rate,
            megabytes_per_second: records_rate / 1e6,
            log_megabytes_per_second: log_rate / 1e6,
            durable_p50_ms: durable_ms.p50,
            durable_p99_ms: durable_ms.p99,
            durable_p999_ms: durable_ms.p999,
            durable_max_ms: durable_ms.max,
            fsyncs: after.syncs - before.syncs,
            allocations_per_write: (after.allocations - before.allocations) as f64 / writes.max(1) as f64,
            rss_bytes: run.samples.peak_bytes(),
            workload_bytes: run.workload_bytes,
            committed: run.committed,
            by_cores,
            commit_bytes: limits.commit_bytes,
            bare_bytes_per_second: limits.bare.bytes_per_second,
            ratio_to_bare_writes: log_rate / limits.bare.bytes_per_second,
            ratio_to_bare_p99: bare_commit_ms.map(|bare| durable_ms.p99 / bare.p99),
            bare_commit_ms,
            hashes_per_second: limits.hashes_per_second,
            ratio_to_hashing: rate / limits.hashes_per_second,
            zebra_verifications_per_second: limits.zebra_verifications_per_second,
            ratio_to_zebra: limits.zebra_verifications_per_second.map(|limit| rate / limit),
            lanes: LaneLatency::of(&latencies),
            percentiles: percentiles(&merged),
            over_time: run.samples.points(),
            reopened: run.reopened,
        }
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        let mut line = |name: &str, value: String| lines.push(name, value);
        line("authentication", self.auth.clone());
        line(
            "records",
            format!(
                "{}, {:.0} bytes each, {}, {}",
                self.workload,
                self.record_bytes,
                counted(self.shards.into(), "shard"),
                counted(self.writers as u64, "writer")
            ),
        );
        line("durable writes", format!("{} in {:.1} s", grouped(self.writes), self.seconds));
        line("writes per second", rounded(self.writes_per_second));
        line(
            "megabytes per second",
            format!("{:.0}, {:.0} of log", self.megabytes_per_second, self.log_megabytes_per_second),
        );
        let (p50, p99) = (self.durable_p50_ms, self.durable_p99_ms);
        let (p999, max) = (self.durable_p999_ms, self.durable_max_ms);
        line("due to durable, ms", Quantiles { p50, p99, p999, max }.to_string());
        if self.lanes.len() > 1 {
            for lane in &self.lanes {
                line(&format!("  {}", lane.lane), format!("{}   of {}", lane.ms, grouped(lane.writes)));
            }
        }
        if let (Some(bare), Some(ratio)) = (self.bare_commit_ms, self.ratio_to_bare_p99) {
            line("bare commits as often, ms", format!("{bare}; p99 {ratio:.1} times as long"));
        }
        line("refused", grouped(self.refused));
        line(
            "fdatasync",
            format!("{}, every {} bytes", grouped(self.fsyncs), grouped(self.commit_bytes as u64)),
        );
        line("allocations per write", format!("{:.4}", self.allocations_per_write));
        line(
            "resident memory",
            format!("{} MiB, {} of them the workload's", self.rss_bytes >> 20, self.workload_bytes >> 20),
        );
        line("into blocks", grouped(self.committed));
        line(
            "opened again",
            format!("{} in {:.2} s", counted(self.reopened.records, "record"), self.reopened.seconds),
        );
        line(
            "bare pwrite+fdatasync",
            format!(
                "{:.0} MB/s in commits of the same size: {:.0}% of it reached",
                self.bare_bytes_per_second / 1e6,
                100.0 * self.ratio_to_bare_writes
            ),
        );
        line(
            "BLAKE3 one by one",
            format!(
                "{} per second on all cores: {:.0}% of it",
                rounded(self.hashes_per_second),
                100.0 * self.ratio_to_hashing
            ),
        );
        if let (Some(limit), Some(ratio)) = (self.zebra_verifications_per_second, self.ratio_to_zebra) {
            line(
                "ed25519-zebra in batches",
                format!("{} per second on all cores: {:.0}% of it", rounded(limit), 100.0 * ratio),
            );
        }
        for Scaled { count, per_second } in &self.by_cores {
            line(&format!("on {}", counted(*count as u64, "core")), rounded(*per_second));
        }
        lines
    }
}

impl IngestReport {
    /// What the machine could do at best, in writes a second.
    fn limits(&self) -> Chart {
        let mut figures = vec![
            ("measured", self.writes_per_second),
            ("bare pwrite and fdatasync", self.writes_per_second / self.ratio_to_bare_writes),
            ("BLAKE3 one by one, on all cores", self.hashes_per_second),
        ];
        figures.extend(
            self.zebra_verifications_per_second
                .map(|limit| ("ed25519-zebra in batches, on all cores", limit)),
        );
        let note = "Writes a second, beside what this machine does with nothing of ours above it: the same bytes in \
                    commits of the same size, and hashes of as many bytes.";
        side_by_side("Beside the machine's limits", note, "a second", &figures)
    }

    pub(crate) const fn writes_per_second(&self) -> f64 {
        self.writes_per_second
    }
}

impl Findings for IngestReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("writes_per_second", self.writes_per_second),
            ("durable_p50_ms", self.durable_p50_ms),
            ("durable_p99_ms", self.durable_p99_ms),
        ]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(rounded(self.writes_per_second), "durable writes a second"),
            Tile::new(format!("{:.2} ms", self.durable_p50_ms), "until a write is durable (median)"),
            Tile::new(format!("{:.2} ms", self.durable_p99_ms), "until 99 of 100 are"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        let (over_time, latency) = (throughput(&self.over_time), latency_chart(&self.percentiles));
        let mut charts = vec![over_time, latency, self.limits(), memory(&self.over_time)];
        if !self.by_cores.is_empty() {
            charts.push(chart(
                "By cores",
                "Durable writes a second, with every thread, the submitters' too, on so many of the cores.",
                ("cores", "writes a second"),
                "durable writes a second",
                &self.by_cores,
            ));
        }
        vec![Section::new("Durable writes", self.lines(), charts)]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and not that large"
)]
pub(crate) fn rounded(rate: f64) -> String {
    grouped(rate.round() as u64)
}

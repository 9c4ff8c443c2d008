//! What a bench found out, for people and for machines.

use super::ingest::Measured;
use crate::{args::IngestArgs, output::grouped};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt::Write as _;

/// Latencies from 1 µs to a minute, to three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the range is one")
}

/// What the machine does at best, in the same commits and with the same bytes.
#[derive(Serialize, Debug)]
pub(crate) struct Limits {
    /// Bytes of a commit, on average.
    pub(crate) commit_bytes: usize,
    pub(crate) bare_bytes_per_second: f64,
    pub(crate) hashes_per_second: f64,
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
    auth: String,
    record_bytes: usize,
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
    reopened: Reopened,
    limits: Limits,
    ratio_to_bare_writes: f64,
    ratio_to_hashing: f64,
}

impl IngestReport {
    #[expect(clippy::cast_precision_loss, reason = "rates and times")]
    pub(crate) fn new(
        args: &IngestArgs,
        measured: &Measured,
        (rss_bytes, workload_bytes): (u64, u64),
        committed: u64,
        reopened: Reopened,
        limits: Limits,
    ) -> Self {
        let Measured { before, after, latencies } = measured;
        let seconds = (after.at - before.at).as_secs_f64();
        let writes = after.durable - before.durable;
        let rate = writes as f64 / seconds;
        let log_rate = (after.bytes - before.bytes) as f64 / seconds;
        let quantile = |q| latencies.value_at_quantile(q) as f64 / 1000.0;
        Self {
            auth: format!("{:?}", args.auth).to_lowercase(),
            record_bytes: args.record_bytes,
            shards: args.shards,
            writers: args.writers,
            devices: args.devices,
            seconds,
            rate: args.rate,
            writes,
            refused: after.refused - before.refused,
            writes_per_second: rate,
            megabytes_per_second: rate * args.record_bytes as f64 / 1e6,
            log_megabytes_per_second: log_rate / 1e6,
            durable_p50_ms: quantile(0.5),
            durable_p99_ms: quantile(0.99),
            durable_p999_ms: quantile(0.999),
            durable_max_ms: latencies.max() as f64 / 1000.0,
            fsyncs: after.syncs - before.syncs,
            allocations_per_write: (after.allocations - before.allocations) as f64 / writes.max(1) as f64,
            rss_bytes,
            workload_bytes,
            committed,
            reopened,
            ratio_to_bare_writes: log_rate / limits.bare_bytes_per_second,
            ratio_to_hashing: rate / limits.hashes_per_second,
            limits,
        }
    }

    /// The report as lines for people.
    pub(crate) fn table(&self) -> String {
        let mut lines = String::new();
        let mut line = |name: &str, value: String| _ = writeln!(lines, "{name:26} {value}");
        line("authentication", self.auth.clone());
        line(
            "records",
            format!("{} bytes, {} shards, {} writers", self.record_bytes, self.shards, self.writers),
        );
        line("durable writes", format!("{} in {:.1} s", grouped(self.writes), self.seconds));
        line("writes per second", rounded(self.writes_per_second));
        line(
            "megabytes per second",
            format!("{:.0}, {:.0} of log", self.megabytes_per_second, self.log_megabytes_per_second),
        );
        line(
            "due to durable, ms",
            format!(
                "p50 {:.2}   p99 {:.2}   p99.9 {:.2}   max {:.2}",
                self.durable_p50_ms, self.durable_p99_ms, self.durable_p999_ms, self.durable_max_ms
            ),
        );
        line("refused", grouped(self.refused));
        line(
            "fdatasync",
            format!("{}, every {} bytes", grouped(self.fsyncs), grouped(self.limits.commit_bytes as u64)),
        );
        line("allocations per write", format!("{:.4}", self.allocations_per_write));
        line(
            "resident memory",
            format!("{} MiB, {} of them the workload's", self.rss_bytes >> 20, self.workload_bytes >> 20),
        );
        line("into blocks", grouped(self.committed));
        line(
            "opened again",
            format!("{} records in {:.2} s", grouped(self.reopened.records), self.reopened.seconds),
        );
        line(
            "bare pwrite+fdatasync",
            format!(
                "{:.0} MB/s in commits of the same size: {:.0}% of it reached",
                self.limits.bare_bytes_per_second / 1e6,
                100.0 * self.ratio_to_bare_writes
            ),
        );
        line(
            "BLAKE3 one by one",
            format!(
                "{} per second on all cores: {:.0}% of it",
                rounded(self.limits.hashes_per_second),
                100.0 * self.ratio_to_hashing
            ),
        );
        lines
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and not that large"
)]
fn rounded(rate: f64) -> String {
    grouped(rate.round() as u64)
}

//! What the whole path took, stage by stage.

use super::super::{
    findings::Findings,
    latency::{LaneLatency, Percentile, latency_chart, percentiles},
    load::{Answered, Driven, Latencies},
    report::{Quantiles, rounded},
};
use crate::{
    args::PipelineArgs,
    lines::Lines,
    output::{counted, grouped},
    page::{Section, Tile},
    watch::{BlockTimes, Point, Seen, StageTime, charts, stages},
};
use serde::Serialize;
use std::{sync::atomic::Ordering, time::Instant};

/// What came of a run.
pub(crate) struct Ran<'a> {
    pub(crate) driven: Driven<(Instant, u64)>,
    pub(crate) answered: &'a Answered,
    pub(crate) seen: Seen,
    /// Seconds until the last write was durable, and until the last block was final.
    pub(crate) durable_at: f64,
    pub(crate) final_at: f64,
    pub(crate) gas: Vec<u64>,
    pub(crate) receipts_verified: usize,
}

/// What `arterial bench pipeline` prints.
#[derive(Serialize)]
pub(crate) struct PipelineReport {
    workload: &'static str,
    seed: u64,
    auth: String,
    rate: u64,
    devices: usize,
    shards: u32,
    /// With those of the warm-up.
    writes: u64,
    refused: u64,
    /// After the warm-up.
    writes_per_second: f64,
    /// Bytes of a canonical record, on average.
    record_bytes: f64,
    durable_ms: Quantiles,
    lanes: Vec<LaneLatency>,
    blocks: usize,
    records_per_block: f64,
    /// From the last durable write to the last final block.
    settle_seconds: f64,
    /// From the first write to the last final block.
    final_records_per_second: f64,
    /// Seconds, of the median block; looked at every 10 ms.
    stages: Vec<StageTime>,
    gas_per_block: Option<f64>,
    gas_per_record: Option<f64>,
    unsealed_max: usize,
    rss_bytes: u64,
    receipts_verified: usize,
    percentiles: Vec<Percentile>,
    over_time: Vec<Point>,
    block_times: Vec<BlockTimes>,
    #[serde(skip)]
    seen: Seen,
}

impl PipelineReport {
    #[expect(clippy::cast_precision_loss, reason = "rates and averages")]
    pub(crate) fn new(args: &PipelineArgs, ran: Ran<'_>) -> Self {
        let ((begun, before), (ended, after)) = (ran.driven.before, ran.driven.after);
        let writes = ran.answered.durable.load(Ordering::Relaxed);
        let refused = ran.answered.refused.load(Ordering::Relaxed);
        let bytes = ran.answered.bytes.load(Ordering::Relaxed);
        let blocks: Vec<BlockTimes> =
            ran.seen.blocks.iter().filter(|block| block.records > 0).copied().collect();
        let records: u64 = blocks.iter().map(|block| block.records).sum();
        let gas: u64 = ran.gas.iter().sum();
        let counted: u64 = blocks.iter().filter(|block| block.number > 1).map(|block| block.records).sum();
        let over = |count: u64| (count > 0).then(|| gas as f64 / count as f64);
        let latencies = Latencies::sum(&ran.driven.latencies);
        let all = latencies.all();
        Self {
            workload: args.workload.name(),
            seed: args.seed,
            auth: format!("{:?}", args.auth).to_lowercase(),
            rate: args.rate,
            devices: args.devices,
            shards: args.shards,
            writes,
            refused,
            writes_per_second: (after - before) as f64 / (ended - begun).as_secs_f64(),
            record_bytes: bytes as f64 / (writes + refused).max(1) as f64,
            durable_ms: Quantiles::of(&all),
            lanes: LaneLatency::of(&latencies),
            blocks: blocks.len(),
            records_per_block: records as f64 / blocks.len().max(1) as f64,
            settle_seconds: ran.final_at - ran.durable_at,
            final_records_per_second: records as f64 / ran.final_at,
            stages: stages(&ran.seen),
            gas_per_block: over(ran.gas.len() as u64),
            gas_per_record: over(counted),
            unsealed_max: ran.seen.unsealed_max,
            rss_bytes: ran.seen.samples.peak_bytes(),
            receipts_verified: ran.receipts_verified,
            percentiles: percentiles(&all),
            over_time: ran.seen.samples.points(),
            block_times: blocks,
            seen: ran.seen,
        }
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.push(
            "workload",
            format!(
                "{}, seed {}, of {} devices, authenticated by {}",
                self.workload,
                self.seed,
                grouped(self.devices as u64),
                self.auth
            ),
        );
        lines.push(
            "writes",
            format!(
                "{} durable, {} refused, {:.0} bytes each",
                grouped(self.writes),
                grouped(self.refused),
                self.record_bytes
            ),
        );
        lines.push(
            "writes per second",
            format!("{} of {} that were due", rounded(self.writes_per_second), grouped(self.rate)),
        );
        lines.push("due to durable, ms", self.durable_ms.to_string());
        if self.lanes.len() > 1 {
            for lane in &self.lanes {
                lines.push(format!("  {}", lane.lane), format!("{}   of {}", lane.ms, grouped(lane.writes)));
            }
        }
        lines.push(
            "blocks",
            format!(
                "{} of {:.0} records on average, in {}",
                self.blocks,
                self.records_per_block,
                counted(self.shards.into(), "shard")
            ),
        );
        lines.push(
            "final records per second",
            format!(
                "{}, from the first write to the last final block",
                rounded(self.final_records_per_second)
            ),
        );
        lines.push("last durable to all final", format!("{:.2} s", self.settle_seconds));
        for StageTime { stage, seconds } in &self.stages {
            lines.push(format!("  {stage}"), format!("{seconds:.2} s of the median block"));
        }
        if let (Some(block), Some(record)) = (self.gas_per_block, self.gas_per_record) {
            lines.push("gas", format!("{block:.0} a block, {record:.2} a record"));
        }
        lines.push("waited for a block", format!("{} at most", counted(self.unsealed_max as u64, "record")));
        lines.push(
            "resident memory",
            format!("{} MiB at its peak, the workload and the prover included", self.rss_bytes >> 20),
        );
        lines.push(
            "receipts",
            format!("{} verified against the roots that the chain answers", self.receipts_verified),
        );
        lines
    }
}

impl Findings for PipelineReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("final_records_per_second", self.final_records_per_second),
            ("writes_per_second", self.writes_per_second),
            ("durable_p50_ms", self.durable_ms.p50),
            ("durable_p99_ms", self.durable_ms.p99),
            ("settle_seconds", self.settle_seconds),
        ]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(rounded(self.final_records_per_second), "records a second, proven and final"),
            Tile::new(format!("{:.1} ms", self.durable_ms.p50), "until a write is durable (median)"),
            Tile::new(format!("{:.1} s", self.settle_seconds), "from the last write to all final"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        let mut charts = charts(&self.seen);
        charts.push(latency_chart(&self.percentiles));
        vec![Section::new("The whole path", self.lines(), charts)]
    }
}

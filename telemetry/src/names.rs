//! Every metric and label.

use crate::metric::{Kind, Label, Metric};

/// Lanes, the most urgent first.
pub const LANES: [&str; 3] = ["alarm", "routine", "bulk"];
/// Why a write is refused.
pub const REASONS: [&str; 11] = [
    "busy",
    "closed",
    "invalid",
    "unknown_device",
    "keys_destroyed",
    "unauthentic",
    "regressed",
    "equivocation",
    "disk_full",
    "poisoned",
    "io",
];
/// Steps of making a block, in their order.
pub const BLOCK_STEPS: [&str; 5] = ["seal", "apply", "prove_batches", "prove_block", "store"];
/// What a block comes to, in this order.
pub const STAGES: [&str; 4] = ["sealed", "proven", "posted", "final"];
/// Where a block can wait: for its proof, for the base chain, for finality.
pub const WAITING_STAGES: [&str; 3] = ["sealed", "proven", "posted"];
/// What makes blocks, and what settles them.
pub const PARTS: [&str; 2] = ["blocks", "settle"];
/// What a transaction is to the one before it for the same block.
pub const TRANSACTION_KINDS: [&str; 3] = ["first", "replacement", "repeat"];

const LANE: Label = Label { name: "lane", values: &LANES };
const REASON: Label = Label { name: "reason", values: &REASONS };
const STEP: Label = Label { name: "step", values: &BLOCK_STEPS };
const STAGE: Label = Label { name: "stage", values: &STAGES };
const WAITING_STAGE: Label = Label { name: "stage", values: &WAITING_STAGES };
const PART: Label = Label { name: "part", values: &PARTS };
const TRANSACTION_KIND: Label = Label { name: "kind", values: &TRANSACTION_KINDS };
const SHARD: Label = Label { name: "shard", values: &[] };

const LATENCIES: Kind = Kind::Histogram(&[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
]);
const STEPS: Kind = Kind::Histogram(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 150.0, 600.0,
]);
const WRITES: Kind = Kind::Histogram(&[1.0, 4.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0]);
const BYTES: Kind =
    Kind::Histogram(&[1024.0, 4096.0, 16_384.0, 65_536.0, 131_072.0, 262_144.0, 524_288.0, 1_048_576.0]);
const RECORDS: Kind =
    Kind::Histogram(&[1.0, 16.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0]);

/// Writes that became durable, repeats not counted.
pub const WRITES_DURABLE: Metric = Metric {
    name: "arterial_writes_durable_total",
    kind: Kind::Counter,
    labels: &[LANE],
    help: "Writes that became durable, repeats not counted",
};
/// Repeats of accepted writes, answered with the first one's position.
pub const WRITES_REPEATED: Metric = Metric {
    name: "arterial_writes_repeated_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Repeats of accepted writes, answered with the first one's position",
};
/// Writes that were not accepted.
pub const WRITES_REFUSED: Metric = Metric {
    name: "arterial_writes_refused_total",
    kind: Kind::Counter,
    labels: &[REASON],
    help: "Writes that were not accepted",
};
/// From the submitting of a group's first write to the group's answer, once a group.
pub const DURABLE_LATENCY_SECONDS: Metric = Metric {
    name: "arterial_durable_latency_seconds",
    kind: LATENCIES,
    labels: &[LANE],
    help: "From the submitting of a group's first write to the group's answer, once a group",
};
/// Writes that were committed together.
pub const GROUP_WRITES: Metric = Metric {
    name: "arterial_group_writes",
    kind: WRITES,
    labels: &[],
    help: "Writes that were committed together",
};
/// The fdatasync behind an append to a log.
pub const LOG_SYNC_SECONDS: Metric = Metric {
    name: "arterial_log_sync_seconds",
    kind: LATENCIES,
    labels: &[],
    help: "The fdatasync behind an append to a log",
};
/// Bytes appended to a log before a sync.
pub const LOG_APPEND_BYTES: Metric = Metric {
    name: "arterial_log_append_bytes",
    kind: BYTES,
    labels: &[],
    help: "Bytes appended to a log before a sync",
};
/// Writes that wait for a shard's writer.
pub const QUEUED_WRITES: Metric = Metric {
    name: "arterial_queued_writes",
    kind: Kind::Gauge,
    labels: &[SHARD, LANE],
    help: "Writes that wait for a shard's writer",
};
/// Durable records that wait for a block.
pub const UNSEALED_RECORDS: Metric = Metric {
    name: "arterial_unsealed_records",
    kind: Kind::Gauge,
    labels: &[SHARD],
    help: "Durable records that wait for a block",
};
/// Shards that take a lane's writes no faster than blocks are made.
pub const SHARDS_HELD_BACK: Metric = Metric {
    name: "arterial_shards_held_back",
    kind: Kind::Gauge,
    labels: &[LANE],
    help: "Shards that take a lane's writes no faster than blocks are made",
};
/// 1 if the shard takes no more writes because its log failed, else 0.
pub const SHARD_POISONED: Metric = Metric {
    name: "arterial_shard_poisoned",
    kind: Kind::Gauge,
    labels: &[SHARD],
    help: "1 if the shard takes no more writes because its log failed, else 0",
};
/// Enrolled devices.
pub const DEVICES: Metric =
    Metric { name: "arterial_devices", kind: Kind::Gauge, labels: &[], help: "Enrolled devices" };
/// A step of making one block.
pub const BLOCK_STEP_SECONDS: Metric = Metric {
    name: "arterial_block_step_seconds",
    kind: STEPS,
    labels: &[STEP],
    help: "A step of making one block",
};
/// Records of a proven block.
pub const BLOCK_RECORDS: Metric =
    Metric { name: "arterial_block_records", kind: RECORDS, labels: &[], help: "Records of a proven block" };
/// Blocks proven since the engine was opened.
pub const BLOCKS_PROVEN: Metric = Metric {
    name: "arterial_blocks_proven_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Blocks proven since the engine was opened",
};
/// Records in them.
pub const RECORDS_PROVEN: Metric = Metric {
    name: "arterial_records_proven_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Records in them",
};
/// The newest block that has come to a stage.
pub const BLOCK_NUMBER: Metric = Metric {
    name: "arterial_block_number",
    kind: Kind::Gauge,
    labels: &[STAGE],
    help: "The newest block that has come to a stage",
};
/// Blocks that have come to a stage and no further.
pub const STAGE_BLOCKS: Metric = Metric {
    name: "arterial_stage_blocks",
    kind: Kind::Gauge,
    labels: &[WAITING_STAGE],
    help: "Blocks that have come to a stage and no further",
};
/// How long the oldest of them has been there, 0 if there is none; from the engine's opening at most.
pub const STAGE_AGE_SECONDS: Metric = Metric {
    name: "arterial_stage_age_seconds",
    kind: Kind::Gauge,
    labels: &[WAITING_STAGE],
    help: "How long the oldest of them has been there, 0 if there is none; from the engine's opening at most",
};
/// Turns of a part of the engine that failed and are tried again.
pub const FAULTS: Metric = Metric {
    name: "arterial_faults_total",
    kind: Kind::Counter,
    labels: &[PART],
    help: "Turns of a part of the engine that failed and are tried again",
};
/// 1 if no more blocks are made until an operator acts, else 0.
pub const HALTED: Metric = Metric {
    name: "arterial_halted",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 if no more blocks are made until an operator acts, else 0",
};
/// Blocks that came on the base chain while the engine was open.
pub const BLOCKS_POSTED: Metric = Metric {
    name: "arterial_blocks_posted_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Blocks that came on the base chain while the engine was open",
};
/// Gas that those took which the chain could tell of.
pub const GAS: Metric = Metric {
    name: "arterial_gas_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Gas that those took which the chain could tell of",
};
/// Those blocks.
pub const GAS_BLOCKS: Metric =
    Metric { name: "arterial_gas_blocks_total", kind: Kind::Counter, labels: &[], help: "Those blocks" };
/// Reorganisations that took blocks off the base chain.
pub const REORGS: Metric = Metric {
    name: "arterial_reorgs_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Reorganisations that took blocks off the base chain",
};
/// Blocks that they took away.
pub const BLOCKS_REGRESSED: Metric = Metric {
    name: "arterial_blocks_regressed_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Blocks that they took away",
};
/// Transactions sent to a chain over JSON-RPC.
pub const TRANSACTIONS: Metric = Metric {
    name: "arterial_transactions_total",
    kind: Kind::Counter,
    labels: &[TRANSACTION_KIND],
    help: "Transactions sent to a chain over JSON-RPC",
};
/// Those of them that were included and reverted.
pub const TRANSACTIONS_REVERTED: Metric = Metric {
    name: "arterial_transactions_reverted_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Those of them that were included and reverted",
};
/// The most that the newest transaction pays for a gas; 0 before one was sent.
pub const FEE_MAX_WEI: Metric = Metric {
    name: "arterial_fee_max_wei",
    kind: Kind::Gauge,
    labels: &[],
    help: "The most that the newest transaction pays for a gas; 0 before one was sent",
};
/// Memory of the process, where the system tells.
pub const RESIDENT_MEMORY_BYTES: Metric = Metric {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "Memory of the process, where the system tells",
};

/// Every metric, in the order of the table.
pub const ALL: [Metric; 30] = [
    WRITES_DURABLE,
    WRITES_REPEATED,
    WRITES_REFUSED,
    DURABLE_LATENCY_SECONDS,
    GROUP_WRITES,
    LOG_SYNC_SECONDS,
    LOG_APPEND_BYTES,
    QUEUED_WRITES,
    UNSEALED_RECORDS,
    SHARDS_HELD_BACK,
    SHARD_POISONED,
    DEVICES,
    BLOCK_STEP_SECONDS,
    BLOCK_RECORDS,
    BLOCKS_PROVEN,
    RECORDS_PROVEN,
    BLOCK_NUMBER,
    STAGE_BLOCKS,
    STAGE_AGE_SECONDS,
    FAULTS,
    HALTED,
    BLOCKS_POSTED,
    GAS,
    GAS_BLOCKS,
    REORGS,
    BLOCKS_REGRESSED,
    TRANSACTIONS,
    TRANSACTIONS_REVERTED,
    FEE_MAX_WEI,
    RESIDENT_MEMORY_BYTES,
];

/// Tells the recorder that is installed what every metric says. An engine does it when it is opened.
pub fn describe() {
    ALL.iter().for_each(Metric::describe);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that people read is the one that is served.
    #[test]
    fn the_documentation_has_every_metric_and_no_other() {
        let row = |metric: &Metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{} ", labels.join(", ")) };
            format!("//! | `{}` | {kind} | {labels}| {} |", metric.name, metric.help)
        };
        let rows = include_str!("lib.rs").lines();
        let metrics: Vec<_> =
            rows.filter(|row| row.contains("| `arterial_") || row.contains("| `process_")).collect();
        assert_eq!(metrics, ALL.iter().map(row).collect::<Vec<_>>());
        for label in ALL.iter().flat_map(|metric| metric.labels) {
            for value in label.values {
                let named = |line: &str| {
                    line.starts_with(&format!("//! | `{}` |", label.name))
                        && line.contains(&format!("`{value}`"))
                };
                assert!(include_str!("lib.rs").lines().any(named), "{}={value}", label.name);
            }
        }
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        for metric in ALL {
            let name = metric.name;
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            assert_eq!(ALL.iter().filter(|other| other.name == name).count(), 1, "{name}");
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(buckets.is_sorted_by(|a, b| a < b), "{name}");
            }
        }
    }
}

//! What Arterial reports of itself, through the [`metrics`] crate: whoever installs a recorder before an engine is
//! opened gets it, and without one it costs a branch. `arterial run --metrics` serves it to Prometheus.
//!
//! This is the only place that names a metric. Names are Prometheus' way: base units, counters end in `_total`.
//!
//! | metric | kind | labels | what it says |
//! |---|---|---|---|
//! | `arterial_writes_durable_total` | counter | `lane` | Writes that became durable, repeats not counted |
//! | `arterial_writes_repeated_total` | counter | | Repeats of accepted writes, answered with the first one's position |
//! | `arterial_writes_refused_total` | counter | `reason` | Writes that were not accepted |
//! | `arterial_durable_latency_seconds` | histogram | `lane` | From the submitting of a group's first write to the group's answer, once a group |
//! | `arterial_group_writes` | histogram | | Writes that were committed together |
//! | `arterial_log_sync_seconds` | histogram | | The fdatasync behind an append to a log |
//! | `arterial_log_append_bytes` | histogram | | Bytes appended to a log before a sync |
//! | `arterial_queued_writes` | gauge | `shard`, `lane` | Writes that wait for a shard's writer |
//! | `arterial_unsealed_records` | gauge | `shard` | Durable records that wait for a block |
//! | `arterial_shards_held_back` | gauge | `lane` | Shards that take a lane's writes no faster than blocks are made |
//! | `arterial_shard_poisoned` | gauge | `shard` | 1 if the shard takes no more writes because its log failed, else 0 |
//! | `arterial_devices` | gauge | | Enrolled devices |
//! | `arterial_block_step_seconds` | histogram | `step` | A step of making one block |
//! | `arterial_block_records` | histogram | | Records of a proven block |
//! | `arterial_blocks_proven_total` | counter | | Blocks proven since the engine was opened |
//! | `arterial_records_proven_total` | counter | | Records in them |
//! | `arterial_block_number` | gauge | `stage` | The newest block that has come to a stage |
//! | `arterial_stage_blocks` | gauge | `stage` | Blocks that have come to a stage and no further |
//! | `arterial_stage_age_seconds` | gauge | `stage` | How long the oldest of them has been there, 0 if there is none; from the engine's opening at most |
//! | `arterial_faults_total` | counter | `part` | Turns of a part of the engine that failed and are tried again |
//! | `arterial_halted` | gauge | | 1 if no more blocks are made until an operator acts, else 0 |
//! | `arterial_blocks_posted_total` | counter | | Blocks that came on the base chain while the engine was open |
//! | `arterial_gas_total` | counter | | Gas that those took which the chain could tell of |
//! | `arterial_gas_blocks_total` | counter | | Those blocks |
//! | `arterial_reorgs_total` | counter | | Reorganisations that took blocks off the base chain |
//! | `arterial_blocks_regressed_total` | counter | | Blocks that they took away |
//! | `arterial_transactions_total` | counter | `kind` | Transactions sent to a chain over JSON-RPC |
//! | `arterial_transactions_reverted_total` | counter | | Those of them that were included and reverted |
//! | `arterial_fee_max_wei` | gauge | | The most that the newest transaction pays for a gas; 0 before one was sent |
//! | `process_resident_memory_bytes` | gauge | | Memory of the process, where the system tells |
//!
//! | label | values |
//! |---|---|
//! | `lane` | `alarm`, `routine`, `bulk` |
//! | `reason` | `busy`, `closed`, `invalid`, `unknown_device`, `keys_destroyed`, `unauthentic`, `regressed`, `equivocation`, `disk_full`, `poisoned`, `io` |
//! | `step` | `seal`, `apply`, `prove_batches`, `prove_block`, `store` |
//! | `stage` | `sealed`, `proven`, `posted`, `final`; where it is about blocks that wait, all but the last |
//! | `part` | `blocks`, `settle` |
//! | `kind` | `first`, `replacement` (a higher fee, or another nonce), `repeat` (the same bytes again) |
//! | `shard` | a shard's number |
//!
//! The label `shard` has up to 4,096 values and stands at gauges only, five series a shard; nothing else grows with a
//! deployment. Counters and histograms are moved by groups and blocks, never by single writes that are accepted; gauges
//! are looked at twice a second.

mod memory;
mod metric;
mod names;

pub use memory::{peak_resident_bytes, resident_bytes};
pub use metric::{Kind, Label, Metric};
pub use metrics::{Counter, Gauge, Histogram};
pub use names::{
    ALL, BLOCK_NUMBER, BLOCK_RECORDS, BLOCK_STEP_SECONDS, BLOCK_STEPS, BLOCKS_POSTED, BLOCKS_PROVEN,
    BLOCKS_REGRESSED, DEVICES, DURABLE_LATENCY_SECONDS, FAULTS, FEE_MAX_WEI, GAS, GAS_BLOCKS, GROUP_WRITES,
    HALTED, LANES, LOG_APPEND_BYTES, LOG_SYNC_SECONDS, PARTS, QUEUED_WRITES, REASONS, RECORDS_PROVEN, REORGS,
    RESIDENT_MEMORY_BYTES, SHARD_POISONED, SHARDS_HELD_BACK, STAGE_AGE_SECONDS, STAGE_BLOCKS, STAGES,
    TRANSACTION_KINDS, TRANSACTIONS, TRANSACTIONS_REVERTED, UNSEALED_RECORDS, WAITING_STAGES, WRITES_DURABLE,
    WRITES_REFUSED, WRITES_REPEATED, describe,
};

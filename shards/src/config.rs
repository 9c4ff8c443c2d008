//! How the write side is set up.

use crate::{
    error::ShardError,
    limits::{
        CHECKPOINT_LOG_BYTES_DEFAULT, LANE_WRITES_DEFAULT, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX,
        SEGMENT_BYTES_MIN, backlog_records_max,
    },
    lookup::Lookups,
    shard::{Paths, Setup},
};
use arterial_protocol::{Domain, ShardCount, ShardId};
use arterial_storage::{Clock, SystemClock};
use std::{path::PathBuf, sync::Arc};

/// How the write side is set up.
#[derive(Clone, Debug)]
pub struct ShardsConfig {
    /// The deployment's directory.
    pub dir: PathBuf,
    /// The deployment.
    pub domain: Domain,
    /// How many shards it has.
    pub shards: ShardCount,
    /// Bytes of a log segment; fixed once a log exists.
    pub segment_bytes: u64,
    /// Writes that wait in one lane of a shard at most.
    pub lane_writes_max: usize,
    /// Bytes of log after which a seal leaves a checkpoint: about what a restart has to replay.
    pub checkpoint_log_bytes: u64,
    /// Tells when a full disk is tried again.
    pub clock: Arc<dyn Clock>,
}

impl ShardsConfig {
    /// The default sizes, and the system's clock.
    #[must_use]
    pub fn new(dir: PathBuf, domain: Domain, shards: ShardCount) -> Self {
        Self {
            dir,
            domain,
            shards,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            lane_writes_max: LANE_WRITES_DEFAULT,
            checkpoint_log_bytes: CHECKPOINT_LOG_BYTES_DEFAULT,
            clock: Arc::new(SystemClock),
        }
    }

    pub(crate) fn paths(&self, shard: ShardId) -> Paths {
        let dir = self.dir.join("shards").join(format!("{:04}", shard.0));
        Paths {
            log: dir.join("log"),
            batches: dir.join("batches"),
            checkpoint: dir.join("checkpoint"),
            keys: self.dir.join("keys").join(format!("{:04}.keys", shard.0)),
        }
    }

    pub(crate) fn setup(&self, id: ShardId, lookups: Lookups) -> Setup {
        Setup {
            domain: self.domain,
            id,
            segment_bytes: self.segment_bytes,
            lane_writes_max: self.lane_writes_max,
            backlog_records_max: backlog_records_max(self.shards.get()),
            checkpoint_log_bytes: self.checkpoint_log_bytes,
            clock: Arc::clone(&self.clock),
            has_threads: matches!(lookups, Lookups::Beside(_)),
            lookups,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ShardError> {
        let range = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if !range.contains(&self.segment_bytes) || !self.segment_bytes.is_multiple_of(4096) {
            return Err(ShardError::Config {
                what: "segment_bytes",
                expected: format!("{SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX} in steps of 4096"),
                got: self.segment_bytes.to_string(),
            });
        }
        if self.lane_writes_max == 0 {
            let (expected, got) = ("at least 1".into(), "0".into());
            return Err(ShardError::Config { what: "lane_writes_max", expected, got });
        }
        Ok(())
    }
}

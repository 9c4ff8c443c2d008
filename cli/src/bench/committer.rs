//! What goes on behind the log: records are sealed into batches, and batches move the accounts.

use super::{load::Running, trees::Trees};
use crate::error::CliError;
use arterial::{
    BlockNumber, EngineError,
    shards::{SealedBatch, Shards},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Records that make a block.
pub(crate) const BLOCK_RECORDS: usize = 1 << 18;
/// How long anything waits for one: a shard alone can come to the limit of its backlog before all together fill a block.
const BLOCK_INTERVAL: Duration = Duration::from_millis(200);

/// Seals what is durable; moves the accounts, too, if that was asked for.
pub(crate) struct Committer<'a> {
    shards: &'a Shards,
    trees: Option<Trees>,
    newest: BlockNumber,
    committed: u64,
}

impl<'a> Committer<'a> {
    /// Without trees only batches are made.
    pub(crate) const fn new(shards: &'a Shards, trees: Option<Trees>) -> Self {
        Self { shards, trees, newest: BlockNumber::GENESIS, committed: 0 }
    }

    /// Makes blocks until nobody submits any more: a backlog at its limit stops the writers, and the submitters with them.
    pub(crate) fn run(&mut self, running: &Running<'_>) -> Result<(), CliError> {
        let mut made = Instant::now();
        while running.submitting() {
            let waited = made.elapsed() >= BLOCK_INTERVAL && self.shards.has_unsealed();
            if self.shards.unsealed_records() < BLOCK_RECORDS && !waited {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            made = Instant::now();
            self.newest = self.newest.next();
            let sealed = self.shards.seal(self.newest).map_err(EngineError::from)?;
            self.apply(&sealed)?;
        }
        Ok(())
    }

    fn apply(&mut self, sealed: &[SealedBatch]) -> Result<(), CliError> {
        let records: usize = sealed.iter().map(|sealed| sealed.batch.record_count()).sum();
        if let Some(trees) = &mut self.trees {
            trees.apply(sealed.iter().map(|sealed| &*sealed.batch))?;
        }
        self.committed += records as u64;
        Ok(())
    }

    /// Records that came into blocks.
    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }
}

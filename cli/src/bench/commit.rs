//! What goes on behind the log: records are sealed into batches, and batches move the accounts.

use super::ingest::Running;
use crate::{args::IngestArgs, error::CliError};
use arterial::{
    BlockNumber, Domain, EngineError,
    protocol::ShardCount,
    rollup::accounts::{AccountsFile, AccountsTree, TreeRoot},
    shards::SealedBatch,
    storage::Storage,
};
use rayon::prelude::*;
use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Records that make a block.
const BLOCK_RECORDS: usize = 1 << 18;
/// How long anything waits for one: a shard alone can come to the limit of its backlog before all together fill a block.
const BLOCK_INTERVAL: Duration = Duration::from_millis(200);

/// Seals what is durable; moves the accounts, too, if that was asked for.
pub(crate) struct Committer {
    /// A shard's tree and its file each; none if only batches are made.
    accounts: Vec<(AccountsTree, AccountsFile)>,
    committed: u64,
}

impl Committer {
    pub(crate) fn open(
        args: &IngestArgs,
        storage: &Arc<dyn Storage>,
        dir: &Path,
        domain: Domain,
        shards: ShardCount,
    ) -> Result<Self, CliError> {
        let open = |shard: arterial::protocol::ShardId| -> Result<_, EngineError> {
            let path = dir.join(format!("{:04}.nodes", shard.0));
            let file = AccountsFile::open(&**storage, &path, shard, domain)?;
            Ok((AccountsTree::open(&file, TreeRoot::genesis())?, file))
        };
        let accounts =
            if args.commit { shards.iter().map(open).collect::<Result<_, _>>()? } else { Vec::new() };
        Ok(Self { accounts, committed: 0 })
    }

    /// Makes blocks until nobody submits any more: a backlog at its limit stops the writers, and the submitters with them.
    pub(crate) fn run(&mut self, running: &Running) -> Result<(), CliError> {
        let mut number = BlockNumber::GENESIS;
        let mut made = Instant::now();
        while running.submitting() {
            let waited = made.elapsed() >= BLOCK_INTERVAL && running.shards.has_unsealed();
            if running.shards.unsealed_records() < BLOCK_RECORDS && !waited {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            made = Instant::now();
            number = number.next();
            let sealed = running.shards.seal(number).map_err(EngineError::from)?;
            self.apply(&sealed)?;
        }
        Ok(())
    }

    fn apply(&mut self, sealed: &[SealedBatch]) -> Result<(), CliError> {
        let records: usize = sealed.iter().map(|sealed| sealed.batch.record_count()).sum();
        self.accounts
            .par_iter_mut()
            .zip(sealed)
            .try_for_each(|((tree, file), sealed)| tree.apply(&sealed.batch, file).map(drop))
            .map_err(EngineError::from)?;
        self.committed += records as u64;
        Ok(())
    }

    /// Records that came into blocks.
    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }
}

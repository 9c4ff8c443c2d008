//! The accounts of every shard, as a running deployment has them.

use crate::error::CliError;
use arterial::{
    Domain, EngineError,
    protocol::{Batch, ShardCount, ShardId},
    rollup::accounts::{AccountsFile, AccountsTree, TreeRoot},
    shards::yield_to_writers,
    storage::Storage,
};
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use std::path::{Path, PathBuf};

/// A tree and its file for each shard, and the threads that move them.
pub(crate) struct Trees {
    shards: Vec<(AccountsTree, AccountsFile)>,
    pool: ThreadPool,
}

impl Trees {
    /// The trees before the first block, in a directory that is there.
    pub(crate) fn create(
        storage: &dyn Storage,
        dir: &Path,
        domain: Domain,
        shards: ShardCount,
    ) -> Result<Self, CliError> {
        let roots = vec![TreeRoot::genesis(); shards.get() as usize];
        Self::open(storage, dir, domain, &roots)
    }

    /// The trees as they were at these roots.
    pub(crate) fn open(
        storage: &dyn Storage,
        dir: &Path,
        domain: Domain,
        roots: &[TreeRoot],
    ) -> Result<Self, CliError> {
        let open = |(shard, &root): (ShardId, &TreeRoot)| -> Result<_, EngineError> {
            let file = AccountsFile::open(storage, &path(dir, shard), shard, domain)?;
            Ok((AccountsTree::open(&file, root)?, file))
        };
        let shards = (0..).map(ShardId).zip(roots).map(open).collect::<Result<_, _>>()?;
        let pool = ThreadPoolBuilder::new().start_handler(|_| yield_to_writers()).build();
        Ok(Self { shards, pool: pool.expect("a system that runs a bench has threads") })
    }

    /// Moves each shard by its batch, durably.
    pub(crate) fn apply<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), CliError> {
        let batches: Vec<&Batch> = batches.collect();
        let Self { shards, pool } = self;
        let apply = |((tree, file), batch): (&mut (AccountsTree, AccountsFile), &Batch)| {
            tree.apply(batch, file).map(drop)
        };
        pool.install(|| shards.par_iter_mut().zip(batches).try_for_each(apply))
            .map_err(|error| EngineError::from(error).into())
    }

    /// Where each shard stands.
    pub(crate) fn roots(&self) -> Vec<TreeRoot> {
        self.shards.iter().map(|(tree, _)| tree.root()).collect()
    }
}

fn path(dir: &Path, shard: ShardId) -> PathBuf {
    dir.join(format!("{:04}.nodes", shard.0))
}

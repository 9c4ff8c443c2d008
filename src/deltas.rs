//! What each stored block did to the accounts, for a chain that publishes it.

use crate::{builder::accounts_path, error::EngineError, genesis::Deployment};
use arterial_protocol::BlockNumber;
use arterial_rollup::{
    BlockStore, Published,
    accounts::AccountsFile,
    chain::{ChainError, ethereum::Deltas},
    delta::{Delta, ShardDelta},
    proof::VerificationKey,
};
use arterial_shards::{ShardsConfig, published_batch};
use arterial_storage::Storage;
use std::{path::Path, sync::Arc};

/// A deployment's blocks, batches and accounts, read from its files.
pub(crate) struct StoredDeltas {
    storage: Arc<dyn Storage>,
    config: ShardsConfig,
    blocks: BlockStore,
    key: VerificationKey,
    accounts: Vec<AccountsFile>,
}

impl StoredDeltas {
    /// Opens the files of a deployment that is open.
    pub(crate) fn open(
        dir: &Path,
        storage: &Arc<dyn Storage>,
        published: &Published,
    ) -> Result<Self, EngineError> {
        let deployment = Deployment::read(&**storage, dir)?;
        let accounts = deployment
            .shards
            .iter()
            .map(|shard| AccountsFile::open(&**storage, &accounts_path(dir, shard), shard, deployment.domain))
            .collect::<Result<_, _>>()?;
        let (blocks, key) = (published.blocks.clone(), published.key.clone());
        Ok(Self {
            storage: Arc::clone(storage),
            config: deployment.shards_config(dir),
            blocks,
            key,
            accounts,
        })
    }

    fn read(&self, number: BlockNumber) -> Result<Delta, EngineError> {
        let after = self.blocks.read(number, &self.key)?.shards;
        let mut changed = Vec::new();
        for (state, file) in after.iter().zip(&self.accounts) {
            let batch = published_batch(&self.storage, &self.config, state.leaf.shard, number)?;
            changed.extend(ShardDelta::read(state, &batch, file)?);
        }
        let ShardsConfig { domain, shards, .. } = self.config;
        Ok(Delta { domain, shards, number, changed })
    }
}

impl Deltas for StoredDeltas {
    fn delta(&self, number: BlockNumber) -> Result<Delta, ChainError> {
        self.read(number).map_err(|error| {
            ChainError::Misuse(format!("what block {number} did to the accounts can't be read: {error}"))
        })
    }
}

//! Putting receipts together from both sides.

use crate::{error::EngineError, stages::Stages};
use arterial_protocol::{
    Account, BlockNumber, DeviceId, Domain, FieldElement, Receipt, ShardLeaf, Stage, shards_tree,
};
use arterial_rollup::{
    BlockStore, StoredBlock,
    accounts::{AccountsFile, Opening, TreeRoot},
    proof::VerificationKey,
};
use arterial_shards::{Located, SealedBatch, SealedRecord, Shards};
use arterial_storage::Cache;
use std::sync::Arc;

/// Blocks kept at hand.
const BLOCKS_CACHED: usize = 16;

/// Reads a deployment and makes receipts.
pub(crate) struct Receipts {
    pub(crate) domain: Domain,
    pub(crate) shards: Arc<Shards>,
    pub(crate) accounts: Vec<Arc<AccountsFile>>,
    pub(crate) blocks: BlockStore,
    pub(crate) key: VerificationKey,
    pub(crate) loaded: Cache<u64, LoadedBlock>,
}

/// A block and the tree over its shards.
pub(crate) struct LoadedBlock {
    pub(crate) stored: StoredBlock,
    tree: Vec<Vec<FieldElement>>,
}

impl Receipts {
    pub(crate) fn new(
        domain: Domain,
        shards: Arc<Shards>,
        accounts: Vec<Arc<AccountsFile>>,
        blocks: BlockStore,
        key: VerificationKey,
    ) -> Self {
        Self { domain, shards, accounts, blocks, key, loaded: Cache::new(BLOCKS_CACHED) }
    }

    pub(crate) fn block(&self, number: BlockNumber) -> Result<Arc<LoadedBlock>, EngineError> {
        self.loaded.get_or_try_insert(number.0, || {
            let stored = self.blocks.read(number, &self.key)?;
            let leaves: Vec<ShardLeaf> = stored.shards.iter().map(|shard| shard.leaf).collect();
            Ok(LoadedBlock { tree: shards_tree(&leaves), stored })
        })
    }

    pub(crate) fn receipt(
        &self,
        device: DeviceId,
        seq: u64,
        stages: &Stages,
    ) -> Result<Receipt, EngineError> {
        let not_proven = EngineError::NotProven { device, seq };
        let Located::Sealed(found) = self.shards.locate(device, seq)? else { return Err(not_proven) };
        let stage = {
            let progress = stages.progress();
            if found.number > progress.proven {
                return Err(not_proven);
            }
            progress.stage_of(found.number)
        };
        self.assemble(*found, stage)
    }

    fn assemble(&self, found: SealedRecord, stage: Stage) -> Result<Receipt, EngineError> {
        let SealedRecord { record, evidence, credential, shard, slot, number } = found;
        let at = shard.0 as usize;
        let inconsistent = |what: &str| EngineError::Inconsistent {
            what: format!("block {number}, shard {shard}, slot {slot}: {what}"),
        };
        let after = self.block(number)?;
        let state = after.stored.shards.get(at).ok_or_else(|| inconsistent("the block has no such shard"))?;
        let Opening { account, path } = self.accounts[at].open_at(&state.accounts, slot)?;
        let account = account.ok_or_else(|| inconsistent("the accounts have no such account"))?;
        let SealedBatch { batch, data } = self.shards.batch(shard, number)?;
        // A changed batch would give a receipt that verifies nowhere.
        if data != Some(state.leaf.data) {
            return Err(inconsistent("the batch is not the one that the block was made of"));
        }
        let run = batch.find(slot).ok_or_else(|| inconsistent("the batch does not touch the account"))?;
        let link = record.link();
        let place = run
            .links
            .iter()
            .position(|other| *other == link)
            .ok_or_else(|| inconsistent("the batch does not have the record"))?;
        let (before, later) = (&run.links[..place], &run.links[place + 1..]);
        let mut moving = self.account_before(number, at, slot)?.unwrap_or(Account::open(account.identity));
        for link in before {
            moving.extend(slot, link).map_err(|error| inconsistent(&error.to_string()))?;
        }
        Ok(Receipt {
            stage,
            domain: self.domain,
            number,
            record,
            credential,
            evidence,
            slot,
            head_before: moving.head,
            later: later.to_vec(),
            head_after: account.head,
            count: account.count,
            accounts_path: path,
            accounts_root: state.leaf.accounts_root,
            total_records: state.leaf.total_records,
            data: state.leaf.data,
            shards_path: siblings(&after.tree, at),
        })
    }

    /// The account before a block, if it existed.
    fn account_before(
        &self,
        number: BlockNumber,
        at: usize,
        slot: u32,
    ) -> Result<Option<Account>, EngineError> {
        let before = if number.0 == 1 {
            TreeRoot::genesis()
        } else {
            self.block(BlockNumber(number.0 - 1))?.stored.shards[at].accounts
        };
        Ok(self.accounts[at].open_at(&before, slot)?.account)
    }
}

/// The siblings on the way up from a leaf, without the root's level.
fn siblings(tree: &[Vec<FieldElement>], index: usize) -> Vec<FieldElement> {
    let levels = tree.split_last().map_or(&[][..], |(_, levels)| levels);
    levels.iter().enumerate().map(|(level, nodes)| nodes[(index >> level) ^ 1]).collect()
}

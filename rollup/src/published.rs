//! What was published of a block, checked as anybody can who has it.

use crate::{
    batch_proof::{BatchProofError, BatchProofs, BatchProver, ProvenBatches, check_moves},
    block_store::{BlockStore, BlockStoreError, ShardState},
    proof::VerificationKey,
};
use arterial_protocol::{BlockNumber, BlockStatement, Domain, ShardCount, ShardLeaf, StateRoot};
use std::{fmt, sync::Arc};

/// The blocks of a deployment with the proofs of their batches.
#[derive(Clone)]
pub struct Published {
    /// Their domain.
    pub domain: Domain,
    /// Their shards.
    pub shards: ShardCount,
    /// The blocks.
    pub blocks: BlockStore,
    /// The proofs of their batches.
    pub batch_proofs: BatchProofs,
    /// What blocks' proofs are checked with.
    pub key: VerificationKey,
    /// What batches' proofs are checked with.
    pub batch_verifier: Arc<dyn BatchProver>,
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}

/// Why a published block does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedError {
    /// The block or the one before it.
    #[error(transparent)]
    Block(#[from] BlockStoreError),
    /// The proof of its batches.
    #[error(transparent)]
    Batches(#[from] BatchProofError),
    /// The genesis is not proven.
    #[error("block 0 is the genesis, of which nothing is published")]
    Genesis,
    /// The block begins from another state than the one before it ended with.
    #[error("block {number} does not follow the one before it: its old state root is {got}, not {expected}")]
    Order {
        /// The block.
        number: BlockNumber,
        /// The root of the block before it.
        expected: StateRoot,
        /// The old root that it states.
        got: StateRoot,
    },
}

impl PublishedError {
    /// Whether it may be different when it is looked at again: a file could not be read.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Block(BlockStoreError::Io { .. }) | Self::Batches(BatchProofError::Io { .. }))
    }
}

/// A block with a proof that holds, and every shard before it and after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedBlock {
    /// What it proves.
    pub statement: BlockStatement,
    /// The shards' leaves before it.
    pub before: Vec<ShardLeaf>,
    /// The shards' leaves after it.
    pub after: Vec<ShardLeaf>,
}

impl Published {
    /// A block whose proof holds and which follows the one before it. What its accounts did is not looked at.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn block(&self, number: BlockNumber) -> Result<PublishedBlock, PublishedError> {
        let previous = number.0.checked_sub(1).map(BlockNumber).ok_or(PublishedError::Genesis)?;
        let stored = self.blocks.read(number, &self.key)?;
        let before = match previous {
            BlockNumber::GENESIS => ShardState::genesis(self.shards),
            previous => self.blocks.read(previous, &self.key)?.shards,
        };
        let leaves = |states: &[ShardState]| states.iter().map(|state| state.leaf).collect::<Vec<_>>();
        let (statement, before, after) = (*stored.block.statement(), leaves(&before), leaves(&stored.shards));
        let expected = match previous {
            BlockNumber::GENESIS => StateRoot::genesis(self.domain, self.shards),
            previous => StateRoot::compute(self.domain, previous, &before),
        };
        let got = statement.old_state_root;
        if got != expected {
            return Err(PublishedError::Order { number, expected, got });
        }
        Ok(PublishedBlock { statement, before, after })
    }

    /// The proof of a block's batches, by which every account moved by the rules, record by record.
    ///
    /// # Errors
    /// There is none that holds, or it is of other moves than the block's.
    pub fn batches(&self, block: &PublishedBlock) -> Result<ProvenBatches, PublishedError> {
        let proven = self.batch_proofs.read(block.statement.number, &*self.batch_verifier)?;
        check_moves(&block.before, &block.after, proven.statement())?;
        Ok(proven)
    }
}

//! What a prover brings: a block's shard leaves before and after it.

use arterial_protocol::{BlockNumber, BlockStatement, Domain, ShardCount, ShardId, ShardLeaf, StateRoot};

/// A block's leaves before and after, from which its statement follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockWitness {
    /// The deployment.
    pub domain: Domain,
    /// The block's number, so the number of the new state.
    pub number: BlockNumber,
    /// Every shard's leaf before the block, in order.
    pub old: Vec<ShardLeaf>,
    /// Every shard's leaf after the block, in order.
    pub new: Vec<ShardLeaf>,
}

/// The rule of the block statement that a witness breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenRule {
    /// Not one leaf before and one after for each of a deployment's shards.
    #[error("{old} leaves before and {new} after the block are not of the same possible number of shards")]
    Leaves {
        /// Leaves before the block.
        old: usize,
        /// Leaves after it.
        new: usize,
    },
    /// A leaf is not at its shard's place.
    #[error("leaf {position} is of shard {got}")]
    ShardOrder {
        /// The place, which is the shard expected there.
        position: ShardId,
        /// The shard found there.
        got: ShardId,
    },
    /// Genesis has no block before it and no proof.
    #[error("block 0 is genesis, which is not proven")]
    Genesis,
    /// A shard has fewer records after the block than before.
    #[error("shard {shard} had {old} records and has {new} after the block")]
    TotalDecreased {
        /// The shard.
        shard: ShardId,
        /// Its records before the block.
        old: u64,
        /// Its records after it.
        new: u64,
    },
    /// A shard's batch has more records than 32 bits count.
    #[error("shard {shard} has {count} records in the block, which is over 32 bits")]
    CountOverflow {
        /// The shard.
        shard: ShardId,
        /// Its records in the block.
        count: u64,
    },
    /// Accounts moved without a batch that says how.
    #[error("shard {shard} has another accounts root but the same data digest")]
    AccountsWithoutData {
        /// The shard.
        shard: ShardId,
    },
    /// Records were counted without a batch that has them.
    #[error("shard {shard} counts {count} new records but has the same data digest")]
    RecordsWithoutData {
        /// The shard.
        shard: ShardId,
        /// Its records in the block.
        count: u64,
    },
}

impl BlockWitness {
    /// What a proof of this witness says.
    ///
    /// # Errors
    /// The witness breaks a rule, so there is no such proof.
    pub fn statement(&self) -> Result<BlockStatement, BrokenRule> {
        self.check()?;
        let previous = BlockNumber(self.number.0 - 1);
        Ok(BlockStatement {
            old_state_root: StateRoot::compute(self.domain, previous, &self.old),
            new_state_root: StateRoot::compute(self.domain, self.number, &self.new),
            number: self.number,
            record_count: self.counts().map(u64::from).sum(),
        })
    }

    /// Checks every rule that the circuit enforces.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), BrokenRule> {
        self.shards()?;
        if self.number == BlockNumber::GENESIS {
            return Err(BrokenRule::Genesis);
        }
        self.old
            .iter()
            .zip(&self.new)
            .zip(0..)
            .try_for_each(|((old, new), id)| check_shard(ShardId(id), old, new))
    }

    /// How many shards it is of.
    pub(crate) fn shards(&self) -> Result<ShardCount, BrokenRule> {
        u32::try_from(self.old.len())
            .ok()
            .and_then(ShardCount::new)
            .filter(|_| self.new.len() == self.old.len())
            .ok_or(BrokenRule::Leaves { old: self.old.len(), new: self.new.len() })
    }

    /// Every shard's records in the block; meaningful after [`check`](Self::check).
    pub(crate) fn counts(&self) -> impl Iterator<Item = u32> {
        let pairs = self.old.iter().zip(&self.new);
        pairs.map(|(old, new)| u32::try_from(new.total_records.wrapping_sub(old.total_records)).unwrap_or(0))
    }
}

fn check_shard(position: ShardId, old: &ShardLeaf, new: &ShardLeaf) -> Result<(), BrokenRule> {
    if let Some(leaf) = [old, new].into_iter().find(|leaf| leaf.shard != position) {
        return Err(BrokenRule::ShardOrder { position, got: leaf.shard });
    }
    let shard = position;
    let (before, after) = (old.total_records, new.total_records);
    let count =
        after.checked_sub(before).ok_or(BrokenRule::TotalDecreased { shard, old: before, new: after })?;
    if u32::try_from(count).is_err() {
        return Err(BrokenRule::CountOverflow { shard, count });
    }
    if old.data == new.data {
        if old.accounts_root != new.accounts_root {
            return Err(BrokenRule::AccountsWithoutData { shard });
        }
        if count != 0 {
            return Err(BrokenRule::RecordsWithoutData { shard, count });
        }
    }
    Ok(())
}

//! The accounts, from deltas alone.

use super::{AccountDelta, Delta, DeltaError, ShardDelta};
use arterial_protocol::{
    Account, BlockNumber, Digest, Domain, ShardCount, ShardId, ShardLeaf, StateRoot, empty_subtree, leaves,
    limits::ACCOUNTS_DEPTH, poseidon::koala,
};

/// Every account of a deployment after a block.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    domain: Domain,
    number: BlockNumber,
    shards: Vec<Shard>,
}

#[derive(Clone, Debug)]
struct Shard {
    leaf: ShardLeaf,
    accounts: Vec<Account>,
    /// `levels[0]` are the accounts' leaves; each level is a dense run with only unused slots after it.
    levels: Vec<Vec<Digest>>,
}

impl Rebuilt {
    /// Before the first block.
    #[must_use]
    pub fn genesis(domain: Domain, shards: ShardCount) -> Self {
        let shard = |id| Shard {
            leaf: ShardLeaf::genesis(ShardId(id)),
            accounts: Vec::new(),
            levels: vec![Vec::new(); ACCOUNTS_DEPTH + 1],
        };
        Self { domain, number: BlockNumber::GENESIS, shards: (0..shards.get()).map(shard).collect() }
    }

    /// After the next block, if it is that block's.
    ///
    /// # Errors
    /// It is not, or touches accounts as no block can.
    pub fn apply(mut self, delta: &Delta) -> Result<Self, DeltaError> {
        let expected = self.number.next();
        let here = (self.domain, self.shards.len());
        if (delta.domain, delta.shards.get() as usize) != here || delta.number != expected {
            return Err(DeltaError::Unexpected { expected, got: delta.number });
        }
        for changed in &delta.changed {
            let shard = self.shards.get_mut(changed.shard.0 as usize);
            shard.ok_or(DeltaError::Value { what: "a shard's id" })?.apply(changed)?;
        }
        self.number = expected;
        Ok(self)
    }

    /// The newest block that was applied.
    #[must_use]
    pub const fn number(&self) -> BlockNumber {
        self.number
    }

    /// What the base chain must have for that block.
    #[must_use]
    pub fn state_root(&self) -> StateRoot {
        let leaves: Vec<ShardLeaf> = self.shards.iter().map(|shard| shard.leaf).collect();
        StateRoot::compute(self.domain, self.number, &leaves)
    }

    /// A shard's accounts by slot, if there is such a shard.
    #[must_use]
    pub fn accounts(&self, shard: ShardId) -> Option<&[Account]> {
        self.shards.get(shard.0 as usize).map(|shard| &*shard.accounts)
    }

    /// A shard as the state root has it, if there is such a shard.
    #[must_use]
    pub fn leaf(&self, shard: ShardId) -> Option<ShardLeaf> {
        self.shards.get(shard.0 as usize).map(|shard| shard.leaf)
    }
}

impl Shard {
    fn apply(&mut self, changed: &ShardDelta) -> Result<(), DeltaError> {
        for delta in &changed.accounts {
            self.put(delta, changed.shard)?;
        }
        let moved: Vec<Account> =
            changed.accounts.iter().map(|delta| self.accounts[delta.slot as usize]).collect();
        let mut indexes: Vec<usize> = changed.accounts.iter().map(|delta| delta.slot as usize).collect();
        for (&index, leaf) in indexes.iter().zip(leaves(&moved)) {
            put(&mut self.levels[0], index, leaf);
        }
        for level in 0..ACCOUNTS_DEPTH {
            let child =
                |index: usize| self.levels[level].get(index).copied().unwrap_or_else(|| empty_subtree(level));
            indexes.iter_mut().for_each(|index| *index /= 2);
            indexes.dedup();
            let nodes: Vec<Digest> =
                indexes.iter().map(|index| koala::node(child(2 * index), child(2 * index + 1))).collect();
            for (&index, node) in indexes.iter().zip(nodes) {
                put(&mut self.levels[level + 1], index, node);
            }
        }
        let accounts_root =
            self.levels[ACCOUNTS_DEPTH].first().copied().unwrap_or_else(|| empty_subtree(ACCOUNTS_DEPTH));
        let (total_records, data) = (changed.total_records, changed.data);
        self.leaf = ShardLeaf { accounts_root, total_records, data, ..self.leaf };
        Ok(())
    }

    fn put(&mut self, delta: &AccountDelta, shard: ShardId) -> Result<(), DeltaError> {
        let AccountDelta { slot, identity, head, next_seq, count } = *delta;
        let known = self.accounts.get(slot as usize).copied();
        match (identity, known) {
            (Some(identity), None) if slot as usize == self.accounts.len() => {
                self.accounts.push(Account { identity, head, next_seq, count });
            }
            (None, Some(before)) if before.next_seq <= next_seq && before.count <= count => {
                self.accounts[slot as usize] = Account { head, next_seq, count, ..before };
            }
            _ => return Err(DeltaError::Slot { shard, slot }),
        }
        Ok(())
    }
}

/// Slots are taken in order, so an index is at most one behind the last.
fn put(level: &mut Vec<Digest>, index: usize, digest: Digest) {
    match level.get_mut(index) {
        Some(node) => *node = digest,
        None => level.push(digest),
    }
}

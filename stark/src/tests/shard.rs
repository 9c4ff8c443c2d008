//! A plain shard: accounts in a map, a tree of digests, and batches applied record by record.

use super::NUMBER;
use crate::{BatchWitness, OldTree};
use arterial_protocol::{
    Account, AccountRun, Batch, DataDigest, Digest, Link, ShardId, empty_subtree, limits::ACCOUNTS_DEPTH,
    poseidon::koala,
};
use std::collections::{BTreeMap, HashMap};

/// A shard's accounts and their tree.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) accounts: BTreeMap<u32, Account>,
    levels: Vec<HashMap<u32, Digest>>,
}

impl OldTree for Shard {
    fn node(&self, level: usize, index: u32) -> Digest {
        self.levels[level].get(&index).copied().unwrap_or_else(|| empty_subtree(level))
    }
}

impl Shard {
    pub(super) fn new(accounts: BTreeMap<u32, Account>) -> Self {
        let mut shard = Self { accounts, levels: vec![HashMap::new(); ACCOUNTS_DEPTH + 1] };
        let slots: Vec<u32> = shard.accounts.keys().copied().collect();
        shard.rehash(slots);
        shard
    }

    /// Hashes these slots' leaves and everything above them anew.
    fn rehash(&mut self, mut indexes: Vec<u32>) {
        for &slot in &indexes {
            self.levels[0].insert(slot, self.accounts[&slot].leaf());
        }
        for level in 0..ACCOUNTS_DEPTH {
            indexes.iter_mut().for_each(|index| *index /= 2);
            indexes.dedup();
            let pairs: Vec<[Digest; 2]> = indexes
                .iter()
                .map(|&index| [self.node(level, 2 * index), self.node(level, 2 * index + 1)])
                .collect();
            let parents = koala::nodes(&pairs);
            self.levels[level + 1].extend(indexes.iter().copied().zip(parents));
        }
    }

    pub(super) fn root(&self) -> Digest {
        self.node(ACCOUNTS_DEPTH, 0)
    }

    /// The accounts that a batch touches, as they are.
    pub(super) fn before(&self, batch: &Batch) -> Vec<Option<Account>> {
        batch.runs().map(|run| self.accounts.get(&run.slot).copied()).collect()
    }

    /// Applies a batch record by record; it must follow the rules.
    pub(super) fn apply(&mut self, batch: &Batch) {
        for AccountRun { slot, enrolment, links } in batch.runs() {
            if let Some(identity) = enrolment {
                assert!(self.accounts.insert(slot, Account::open(identity)).is_none());
            }
            let account = self.accounts.get_mut(&slot).expect("a touched account is there");
            for link in links {
                account.extend(slot, link).expect("the batch follows the rules");
            }
        }
        self.rehash(batch.runs().map(|run| run.slot).collect());
    }

    pub(super) fn witness<'a>(
        &'a self,
        batch: &'a Batch,
        accounts: &'a [Option<Account>],
    ) -> BatchWitness<'a> {
        BatchWitness { batch, accounts, tree: self, data: DataDigest::of(&batch.encode()) }
    }
}

/// A digest made of a number.
pub(super) fn digest(number: u64) -> Digest {
    let mut bytes = [0x5a; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte ^= number.rotate_left(u32::try_from(7 * at).expect("small")).to_le_bytes()[at % 8];
    }
    Digest::reduce(bytes)
}

/// A record made of a number.
pub(super) fn link(seq: u32, number: u64) -> Link {
    Link {
        digest: digest(number),
        seq,
        observed_at_ms: number & 0xffff_ffff_ffff,
        kind: number.to_le_bytes()[0].into(),
    }
}

/// An account with some past.
pub(super) fn account(slot: u32) -> Account {
    let past = slot % 7 * 3;
    Account {
        identity: digest(u64::from(slot) + 1),
        head: if past == 0 { Digest::ZERO } else { digest(u64::from(slot) << 20) },
        next_seq: past * 2,
        count: past,
    }
}

/// A batch of shard 3 from what it does to each slot.
pub(super) fn batch<'a>(runs: impl IntoIterator<Item = (u32, Option<Digest>, &'a [Link])>) -> Batch {
    batch_of(ShardId(3), runs)
}

/// A shard's batch from what it does to each slot.
pub(super) fn batch_of<'a>(
    shard: ShardId,
    runs: impl IntoIterator<Item = (u32, Option<Digest>, &'a [Link])>,
) -> Batch {
    let mut batch = Batch::new(shard, NUMBER);
    for (slot, enrolment, links) in runs {
        batch.push(AccountRun { slot, enrolment, links }).expect("runs are in order");
    }
    batch
}

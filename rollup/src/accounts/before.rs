//! What a batch meets: its accounts and the tree beside their way up, kept for the proof of the batch.

use super::tree::AccountsTree;
use arterial_protocol::{Account, Batch, Digest, limits::ACCOUNTS_DEPTH};
use arterial_stark::OldTree;

/// The accounts that a batch touches, as they were before it, and every digest of the tree that its proof needs.
///
/// The tree moves on while the batch is proven, so the proof has a copy: 72 bytes a touched node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Before {
    accounts: Vec<Option<Account>>,
    /// Of every level the touched nodes and their siblings, by index; the last has the root alone.
    levels: Vec<Vec<(u32, Digest)>>,
}

impl Before {
    pub(super) fn new(tree: &AccountsTree, batch: &Batch) -> Self {
        let mut indexes: Vec<u32> = batch.runs().map(|run| run.slot).collect();
        let accounts = indexes.iter().map(|&slot| tree.account(slot).copied()).collect();
        let mut levels = Vec::with_capacity(ACCOUNTS_DEPTH + 1);
        for level in 0..ACCOUNTS_DEPTH {
            indexes.iter_mut().for_each(|index| *index /= 2);
            indexes.dedup();
            let children = indexes.iter().flat_map(|parent| [2 * parent, 2 * parent + 1]);
            levels.push(children.map(|index| (index, tree.digest(level, index))).collect());
        }
        levels.push(vec![(0, tree.digest(ACCOUNTS_DEPTH, 0))]);
        Self { accounts, levels }
    }

    /// For each account that the batch touches, in its order, the account before; `None` where it opens one.
    #[must_use]
    pub fn accounts(&self) -> &[Option<Account>] {
        &self.accounts
    }
}

impl OldTree for Before {
    /// # Panics
    /// The node is neither touched by the batch nor beside one that is; a proof asks for no other.
    fn node(&self, level: usize, index: u32) -> Digest {
        let nodes = &self.levels[level];
        let at = nodes.binary_search_by_key(&index, |(index, _)| *index);
        nodes[at.expect("a proof asks for touched nodes and their siblings")].1
    }
}

//! The tree as it stands, in memory, and how a batch moves it.

use super::before::Before;
use super::file::{
    ACCOUNT_BYTES, AccountsError, AccountsFile, NODE_BYTES, Pointer, TreeRoot, encode_account, encode_node,
};
use arterial_protocol::{
    Account, AccountRun, Batch, Digest, Run, extend_runs, leaves, limits::ACCOUNTS_DEPTH, poseidon::koala,
};
use std::thread;

/// Nodes that are read and checked at once.
const NODES_AT_ONCE: usize = 4096;
/// Permutations of lanes between two offers of the processor to others, a tenth of a millisecond or so. Where processors
/// are few, a shard's writer whose sync has ended would else wait for the scheduler's tick, which can take 4 ms.
const PERMUTATIONS_AT_ONCE: usize = 16;
/// Hashes likewise.
const HASHES_AT_ONCE: usize = 256;

/// A shard's accounts after its newest block.
///
/// Slots are taken in order, so each level is a dense run of nodes with only unused slots after it:
/// memory grows with the devices, not with the tree.
#[derive(Debug)]
pub struct AccountsTree {
    accounts: Vec<Account>,
    /// `levels[0]` are the accounts' leaves, `levels[ACCOUNTS_DEPTH]` the root.
    levels: Vec<Vec<Pointer>>,
    root: TreeRoot,
}

/// What changes at one level: rising indexes and their new nodes.
type Changes = Vec<(usize, Pointer)>;

impl AccountsTree {
    /// Reads the newest version back and cuts what a crash left behind it.
    ///
    /// # Errors
    /// The file can't be read or does not hash to the version's root.
    pub fn open(file: &AccountsFile, root: TreeRoot) -> Result<Self, AccountsError> {
        file.cut(root.end)?;
        Self::read(file, root)
    }

    /// Reads a version and changes nothing; every node is checked by the digest above it.
    ///
    /// # Errors
    /// The file can't be read or does not hash to the version's root.
    pub fn read(file: &AccountsFile, root: TreeRoot) -> Result<Self, AccountsError> {
        let mut tree = Self { accounts: Vec::new(), levels: vec![Vec::new(); ACCOUNTS_DEPTH + 1], root };
        if root.at == 0 {
            return Ok(tree);
        }
        tree.levels[ACCOUNTS_DEPTH].push(Pointer { digest: root.digest, at: root.at });
        for level in (0..ACCOUNTS_DEPTH).rev() {
            let mut nodes = Vec::with_capacity(tree.levels[level + 1].len() * 2);
            for parents in tree.levels[level + 1].chunks(NODES_AT_ONCE) {
                let children = file.all_children(parents, level)?;
                nodes.extend(children.into_iter().flatten().filter(|child| child.at != 0));
            }
            tree.levels[level] = nodes;
        }
        tree.accounts.reserve(tree.levels[0].len());
        for leaves in tree.levels[0].chunks(NODES_AT_ONCE) {
            tree.accounts.extend(file.all_accounts(leaves)?);
        }
        Ok(tree)
    }

    /// The newest version.
    #[must_use]
    pub const fn root(&self) -> TreeRoot {
        self.root
    }

    /// The account at a slot.
    #[must_use]
    pub fn account(&self, slot: u32) -> Option<&Account> {
        self.accounts.get(slot as usize)
    }

    /// What a batch meets here, for its proof.
    #[must_use]
    pub fn before(&self, batch: &Batch) -> Before {
        Before::new(self, batch)
    }

    pub(super) fn digest(&self, level: usize, index: u32) -> Digest {
        self.node(level, index as usize).digest
    }

    fn node(&self, level: usize, index: usize) -> Pointer {
        self.levels[level].get(index).copied().unwrap_or_else(|| Pointer::empty(level))
    }

    /// Applies a batch by the rules and appends the new version to the file, durably.
    ///
    /// # Errors
    /// The rule that the batch breaks, or the operating system's refusal; the tree is then unchanged.
    pub fn apply(&mut self, batch: &Batch, file: &AccountsFile) -> Result<TreeRoot, AccountsError> {
        if batch.is_empty() {
            return Ok(self.root);
        }
        let moved = self.moved_accounts(batch)?;
        let mut bytes = Vec::with_capacity(moved.len() * (ACCOUNT_BYTES + 2 * NODE_BYTES));
        let all_changes = self.changes(&moved, &mut bytes);
        file.append(&bytes, self.root.end)?;
        for (level, changes) in all_changes.into_iter().enumerate() {
            put_all(&mut self.levels[level], changes);
        }
        put_all(&mut self.accounts, moved.iter().map(|&(slot, account)| (slot as usize, account)).collect());
        let root = self.node(ACCOUNTS_DEPTH, 0);
        self.root = TreeRoot { digest: root.digest, at: root.at, end: self.root.end + bytes.len() as u64 };
        Ok(self.root)
    }

    /// The accounts that a batch touches, after it.
    fn moved_accounts(&self, batch: &Batch) -> Result<Vec<(u32, Account)>, AccountsError> {
        let number = batch.number.0;
        let mut next_slot = self.accounts.len();
        let mut runs = Vec::with_capacity(batch.account_count());
        for AccountRun { slot, enrolment, links } in batch.runs() {
            let account = match enrolment {
                Some(identity) if slot as usize == next_slot => {
                    next_slot += 1;
                    Account::open(identity)
                }
                Some(_) => {
                    let expected = u32::try_from(next_slot).unwrap_or(u32::MAX);
                    return Err(AccountsError::EnrolmentOutOfTurn { number, expected, got: slot });
                }
                None => *self.account(slot).ok_or(AccountsError::UnknownAccount { number, slot })?,
            };
            runs.push(Run { slot, account, links });
        }
        let mut permutations = 0;
        let extended = extend_runs(&mut runs, || {
            permutations += 1;
            if permutations % PERMUTATIONS_AT_ONCE == 0 {
                thread::yield_now();
            }
        });
        extended.map_err(|(slot, source)| AccountsError::Rule { number, slot, source })?;
        Ok(runs.into_iter().map(|run| (run.slot, run.account)).collect())
    }

    /// The nodes that change at every level, appended to `bytes` as they will stand in the file.
    fn changes(&self, moved: &[(u32, Account)], bytes: &mut Vec<u8>) -> Vec<Changes> {
        let start = self.root.end;
        let accounts: Vec<Account> = moved.iter().map(|&(_, account)| account).collect();
        let mut changes: Changes = Vec::with_capacity(moved.len());
        for (&(slot, account), digest) in moved.iter().zip(in_turns(&accounts, leaves)) {
            changes.push((slot as usize, Pointer { digest, at: start + bytes.len() as u64 }));
            encode_account(&account, bytes);
        }
        let mut all = Vec::with_capacity(ACCOUNTS_DEPTH + 1);
        for level in 0..ACCOUNTS_DEPTH {
            let pairs = self.changed_pairs(level, &changes);
            let digests: Vec<[Digest; 2]> =
                pairs.iter().map(|(_, children)| children.map(|child| child.digest)).collect();
            let mut parents = Vec::with_capacity(pairs.len());
            for ((index, children), digest) in pairs.into_iter().zip(in_turns(&digests, koala::nodes)) {
                parents.push((index, Pointer { digest, at: start + bytes.len() as u64 }));
                encode_node(children, bytes);
            }
            all.push(std::mem::replace(&mut changes, parents));
        }
        all.push(changes);
        all
    }

    /// The children of every node above a change, each as it will be.
    fn changed_pairs(&self, level: usize, changes: &Changes) -> Vec<(usize, [Pointer; 2])> {
        changes
            .chunk_by(|(left, _), (right, _)| left / 2 == right / 2)
            .map(|siblings| {
                let parent = siblings[0].0 / 2;
                let mut children = [self.node(level, 2 * parent), self.node(level, 2 * parent + 1)];
                for &(index, pointer) in siblings {
                    children[index % 2] = pointer;
                }
                (parent, children)
            })
            .collect()
    }
}

/// Hashes all of them, and offers others the processor now and then.
fn in_turns<T>(all: &[T], hash: impl Fn(&[T]) -> Vec<Digest>) -> Vec<Digest> {
    let mut digests = Vec::with_capacity(all.len());
    for some in all.chunks(HASHES_AT_ONCE) {
        digests.extend(hash(some));
        thread::yield_now();
    }
    digests
}

/// Replaces or appends; indexes rise, and none is beyond the end by more than one.
fn put_all<T>(values: &mut Vec<T>, changes: Vec<(usize, T)>) {
    for (index, value) in changes {
        if index == values.len() {
            values.push(value);
        } else {
            values[index] = value;
        }
    }
}

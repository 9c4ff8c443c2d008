//! The nodes on disk.

use arterial_protocol::{
    Account, AccountError, Digest, Domain, ShardId, empty_subtree, leaves,
    limits::{ACCOUNTS_DEPTH, SLOTS_END},
    poseidon::koala,
};
use arterial_storage::{BYTES_AT_ONCE, Blob, Storage};
use std::{
    io,
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"ARTNODES";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
pub(super) const ACCOUNT_BYTES: usize = 72;
pub(super) const NODE_BYTES: usize = 80;
/// What is read at once, beside the last piece.
const READ_BYTES_MAX: u64 = 1 << 20;
/// What lies between two pieces that are read together: less than a system call costs.
const READ_GAP_BYTES: u64 = 4096;

/// Why accounts can't be moved or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The batch is not for this shard's accounts as they stand.
    #[error("the batch of block {number} opens an account at slot {got}: the next free slot is {expected}")]
    EnrolmentOutOfTurn {
        /// The block.
        number: u64,
        /// The next free slot.
        expected: u32,
        /// The batch's.
        got: u32,
    },
    /// The batch has records of an account that does not exist.
    #[error("the batch of block {number} has records of slot {slot}, which is unused")]
    UnknownAccount {
        /// The block.
        number: u64,
        /// The slot.
        slot: u32,
    },
    /// A record breaks a rule of its account.
    #[error("the batch of block {number} breaks a rule at slot {slot}: {source}")]
    Rule {
        /// The block.
        number: u64,
        /// The account.
        slot: u32,
        /// The rule.
        source: AccountError,
    },
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{} is corrupt at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A version of a shard's accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeRoot {
    /// The root's digest.
    pub digest: Digest,
    /// Where its node stands in the file, 0 while the tree is empty.
    pub at: u64,
    /// The file's length with this version in it.
    pub end: u64,
}

impl TreeRoot {
    /// The tree before the first block.
    #[must_use]
    pub fn genesis() -> Self {
        Self { digest: empty_subtree(ACCOUNTS_DEPTH), at: 0, end: HEADER_BYTES as u64 }
    }
}

/// An account at a version, and its way to that version's root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The account, `None` while its slot is unused.
    pub account: Option<Account>,
    /// Siblings from the account up.
    pub path: [Digest; ACCOUNTS_DEPTH],
}

/// The nodes file of one shard.
#[derive(Debug)]
pub struct AccountsFile {
    path: PathBuf,
    blob: Box<dyn Blob>,
}

/// A node's digest and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pointer {
    pub(super) digest: Digest,
    pub(super) at: u64,
}

impl Pointer {
    pub(super) fn empty(level: usize) -> Self {
        Self { digest: empty_subtree(level), at: 0 }
    }
}

fn header(shard: ShardId, domain: Domain) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&shard.0.to_le_bytes());
    bytes[16..48].copy_from_slice(&domain.0.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

impl AccountsFile {
    /// Opens a shard's file, or makes it.
    ///
    /// # Errors
    /// The file can't be opened, or is another shard's or deployment's.
    pub fn open(
        storage: &dyn Storage,
        path: &Path,
        shard: ShardId,
        domain: Domain,
    ) -> Result<Self, AccountsError> {
        let io = |what, source| AccountsError::Io { what, path: path.to_owned(), source };
        let blob = storage.open(path).map_err(|source| io("cannot open accounts file", source))?;
        let expected = header(shard, domain);
        let length = blob.bytes().map_err(|source| io("cannot read accounts file", source))?;
        if length < HEADER_BYTES as u64 {
            // New, or the process ended while it was made.
            let begun = blob.write_at(&expected, 0).and_then(|()| blob.sync());
            begun.map_err(|source| io("cannot begin accounts file", source))?;
        } else {
            let mut found = [0; HEADER_BYTES];
            blob.read_at(&mut found, 0).map_err(|source| io("cannot read accounts file", source))?;
            if found != expected {
                let what = "its header is not that of this shard and deployment";
                return Err(AccountsError::Corrupt { path: path.to_owned(), offset: 0, what });
            }
        }
        Ok(Self { path: path.to_owned(), blob })
    }

    fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> AccountsError {
        move |source| AccountsError::Io { what, path: self.path.clone(), source }
    }

    fn corrupt(&self, offset: u64, what: &'static str) -> AccountsError {
        AccountsError::Corrupt { path: self.path.clone(), offset, what }
    }

    /// Appends what a block adds, durably, in pieces that no log's sync waits long for.
    pub(super) fn append(&self, bytes: &[u8], at: u64) -> Result<(), AccountsError> {
        bytes
            .chunks(BYTES_AT_ONCE)
            .zip((at..).step_by(BYTES_AT_ONCE))
            .try_for_each(|(part, at)| self.blob.write_at(part, at).and_then(|()| self.blob.sync()))
            .map_err(self.io("cannot append to accounts file"))
    }

    /// Cuts what a crash left behind a version.
    pub(super) fn cut(&self, end: u64) -> Result<(), AccountsError> {
        let length = self.blob.bytes().map_err(self.io("cannot read accounts file"))?;
        if length < end {
            return Err(self.corrupt(length, "it ends before the newest block's accounts"));
        }
        self.blob.set_len(end).map_err(self.io("cannot cut accounts file"))
    }

    /// Opens the account at `slot` as of a version.
    ///
    /// # Errors
    /// The file can't be read or does not hash to the version's root.
    pub fn open_at(&self, root: &TreeRoot, slot: u32) -> Result<Opening, AccountsError> {
        assert!(slot < SLOTS_END, "a slot is in the tree");
        let mut path = [Digest::ZERO; ACCOUNTS_DEPTH];
        let mut pointer = Pointer { digest: root.digest, at: root.at };
        for level in (0..ACCOUNTS_DEPTH).rev() {
            let [left, right] = self.children(pointer, level)?;
            let on_right = slot >> level & 1 == 1;
            (pointer, path[level]) = if on_right { (right, left.digest) } else { (left, right.digest) };
        }
        let account = if pointer.at == 0 { None } else { Some(self.account(pointer)?) };
        Ok(Opening { account, path })
    }

    /// The two nodes under one whose children are at `level`.
    fn children(&self, parent: Pointer, level: usize) -> Result<[Pointer; 2], AccountsError> {
        if parent.at == 0 {
            return Ok([Pointer::empty(level); 2]);
        }
        let children = self.all_children(&[parent], level)?;
        Ok(children[0])
    }

    /// The two nodes under each of some that are in use, whose children are at `level`; in lanes, and in few reads.
    pub(super) fn all_children(
        &self,
        parents: &[Pointer],
        level: usize,
    ) -> Result<Vec<[Pointer; 2]>, AccountsError> {
        let nodes = self.read_all::<NODE_BYTES>(parents)?;
        let children: Vec<[Pointer; 2]> = parents
            .iter()
            .zip(&nodes)
            .map(|(parent, bytes)| self.decode_node(bytes, parent.at, level))
            .collect::<Result<_, _>>()?;
        let digests: Vec<[Digest; 2]> =
            children.iter().map(|children| children.map(|child| child.digest)).collect();
        for (parent, digest) in parents.iter().zip(koala::nodes(&digests)) {
            if digest != parent.digest {
                return Err(self.corrupt(parent.at, "a node does not hash to the digest above it"));
            }
        }
        Ok(children)
    }

    fn decode_node(
        &self,
        bytes: &[u8; NODE_BYTES],
        at: u64,
        level: usize,
    ) -> Result<[Pointer; 2], AccountsError> {
        let digest = |at: usize| Digest::from_bytes(core::array::from_fn(|i| bytes[at + i]));
        let place = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
        let (Some(left), Some(right)) = (digest(0), digest(32)) else {
            return Err(self.corrupt(at, "a node's digest is not canonical"));
        };
        let children = [Pointer { digest: left, at: place(64) }, Pointer { digest: right, at: place(72) }];
        // Where a child stands is under no digest; a wrong place shows when the child is read, but for "unused".
        if children.iter().any(|child| (child.at == 0) != (child.digest == empty_subtree(level))) {
            return Err(self.corrupt(at, "a node points to nowhere"));
        }
        Ok(children)
    }

    fn account(&self, pointer: Pointer) -> Result<Account, AccountsError> {
        self.all_accounts(&[pointer]).map(|accounts| accounts[0])
    }

    /// The accounts of leaves that are in use; in lanes, and in few reads.
    pub(super) fn all_accounts(&self, pointers: &[Pointer]) -> Result<Vec<Account>, AccountsError> {
        let entries = self.read_all::<ACCOUNT_BYTES>(pointers)?;
        let accounts: Vec<Account> = pointers
            .iter()
            .zip(&entries)
            .map(|(pointer, bytes)| self.decode_account(bytes, pointer.at))
            .collect::<Result<_, _>>()?;
        for (pointer, leaf) in pointers.iter().zip(leaves(&accounts)) {
            if leaf != pointer.digest {
                return Err(self.corrupt(pointer.at, "an account does not hash to the digest above it"));
            }
        }
        Ok(accounts)
    }

    fn decode_account(&self, bytes: &[u8; ACCOUNT_BYTES], at: u64) -> Result<Account, AccountsError> {
        let digest = |at: usize| Digest::from_bytes(core::array::from_fn(|i| bytes[at + i]));
        let number = |at: usize| u32::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
        match (digest(0), digest(32)) {
            (Some(identity), Some(head)) => {
                Ok(Account { identity, head, next_seq: number(64), count: number(68) })
            }
            _ => Err(self.corrupt(at, "an account's digest is not canonical")),
        }
    }

    /// What stands at each of some places. Places near each other are read at once: a block leaves what it moved side
    /// by side.
    fn read_all<const BYTES: usize>(&self, pointers: &[Pointer]) -> Result<Vec<[u8; BYTES]>, AccountsError> {
        let mut order: Vec<usize> = (0..pointers.len()).collect();
        order.sort_unstable_by_key(|&index| pointers[index].at);
        let mut all = vec![[0; BYTES]; pointers.len()];
        let mut read = Vec::new();
        let mut rest = &order[..];
        while let Some(&first) = rest.first() {
            let start = pointers[first].at;
            let near = rest.windows(2).take_while(|pair| {
                let [before, at] = [pair[0], pair[1]].map(|index| pointers[index].at);
                at - before <= READ_GAP_BYTES && at - start <= READ_BYTES_MAX
            });
            let (together, others) = rest.split_at(near.count() + 1);
            let offset = |index: usize| usize::try_from(pointers[index].at - start).unwrap_or(usize::MAX);
            let length = offset(together[together.len() - 1]) + BYTES;
            read.resize(length, 0);
            self.blob.read_at(&mut read, start).map_err(self.io("cannot read accounts file"))?;
            for &index in together {
                all[index].copy_from_slice(&read[offset(index)..][..BYTES]);
            }
            rest = others;
        }
        Ok(all)
    }
}

pub(super) fn encode_account(account: &Account, out: &mut Vec<u8>) {
    out.extend_from_slice(&account.identity.to_bytes());
    out.extend_from_slice(&account.head.to_bytes());
    out.extend_from_slice(&account.next_seq.to_le_bytes());
    out.extend_from_slice(&account.count.to_le_bytes());
}

pub(super) fn encode_node([left, right]: [Pointer; 2], out: &mut Vec<u8>) {
    for child in [left, right] {
        out.extend_from_slice(&child.digest.to_bytes());
    }
    for child in [left, right] {
        out.extend_from_slice(&child.at.to_le_bytes());
    }
}

//! Checking a receipt with a state root and nothing else.

use super::Receipt;
use crate::{
    account::{Account, AccountError, Link},
    device::DeviceId,
    limits::{RUN_RECORDS_MAX, SEQ_END},
    poseidon::koala,
    state::{BlockNumber, ShardLeaf, StateRoot, climb, shards_node},
    write::AuthorshipError,
};
use core::fmt;

/// The steps of verification, in the order they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Step {
    /// The bytes are a canonical receipt and record.
    Encoding,
    /// The device's key signed the record, or there is nothing that others could check.
    Authorship,
    /// The record and those after it lead from the device's head before to its head after.
    Chain,
    /// The account with that head is in its slot of the shard's accounts.
    Account,
    /// The shard with those accounts is in the state that the trusted root commits to.
    State,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [Self::Encoding, Self::Authorship, Self::Chain, Self::Account, Self::State];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Encoding => "encoding",
            Self::Authorship => "authorship",
            Self::Chain => "chain",
            Self::Account => "account",
            Self::State => "state",
        })
    }
}

/// Who says that the device wrote the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authorship {
    /// The device's Ed25519 key signed it: nobody else could have.
    Signed,
    /// The device's Ed25519 key, which is a gateway's, signed it as one of a bundle.
    SignedInBundle {
        /// Writes of the bundle.
        writes: u16,
    },
    /// The sequencer checked a MAC at ingest; there is no third-party proof of it.
    SequencerOnly,
    /// The embedding node authenticated the device by other means than this record's; there is no proof of it.
    HostOnly,
}

impl Authorship {
    /// Whether anybody can check it, by a signature.
    #[must_use]
    pub const fn is_third_party(self) -> bool {
        matches!(self, Self::Signed | Self::SignedInBundle { .. })
    }
}

/// What a receipt proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The device.
    pub device: DeviceId,
    /// Its number for the record.
    pub seq: u64,
    /// Its clock.
    pub observed_at_ms: u64,
    /// What the payload is.
    pub kind: u16,
    /// Who vouches for the device's hand in it.
    pub authorship: Authorship,
    /// The block that the record is in.
    pub number: BlockNumber,
    /// The record's place in the device's history, from 0.
    pub position: u32,
    /// Whether the device's history up to that block has every `seq` from 0 on.
    pub history_is_gapless: bool,
}

/// The step that failed, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The credential and the evidence don't fit the record.
    #[error("authorship: {0}")]
    Authorship(#[from] AuthorshipError),
    /// A record breaks the rules of the chain.
    #[error("chain: {0}")]
    Rule(#[from] AccountError),
    /// More records in one block than the rules allow.
    #[error("chain: {got} records of one device in one block: at most {RUN_RECORDS_MAX} are allowed")]
    RunTooLong {
        /// Records.
        got: usize,
    },
    /// The records don't lead to the head that the account has.
    #[error("chain: the record does not lead to the device's head after the block")]
    HeadMismatch,
    /// The account's number of records is impossible.
    #[error("account: a count of {got} records is impossible: expected {low} to {high}")]
    Count {
        /// By the receipt.
        got: u32,
        /// Those in the block.
        low: u32,
        /// One for each `seq`.
        high: u32,
    },
    /// The account is not in the tree.
    #[error("account: the path from the account does not lead to the shard's accounts root")]
    AccountMismatch,
    /// The number of levels above the shards is impossible.
    #[error("state: a tree over the shards of {got} levels is not possible")]
    ShardsDepth {
        /// Levels by the receipt.
        got: usize,
    },
    /// The state root is another.
    #[error("state: the receipt leads to state root {got}, the trusted root of the block is {expected}")]
    StateRootMismatch {
        /// The trusted root.
        expected: StateRoot,
        /// Where the receipt leads.
        got: StateRoot,
    },
}

impl VerifyError {
    /// The step that failed.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Authorship(_) => Step::Authorship,
            Self::Rule(_) | Self::RunTooLong { .. } | Self::HeadMismatch => Step::Chain,
            Self::Count { .. } | Self::AccountMismatch => Step::Account,
            Self::ShardsDepth { .. } | Self::StateRootMismatch { .. } => Step::State,
        }
    }
}

impl Receipt {
    /// Checks the receipt against the state root of its block.
    ///
    /// The root must come from a source the caller trusts: the settlement contract on the base chain, at the
    /// receipt's block number. Needs no disk, no network and no key.
    ///
    /// # Errors
    /// The first step that fails, and why.
    pub fn verify(&self, trusted: &StateRoot) -> Result<Verified, VerifyError> {
        let write = self.record.write();
        let authorship = self.evidence.check(&self.credential, &write)?;
        let account = self.check_chain()?;
        self.check_account(&account)?;
        self.check_state(trusted)?;
        Ok(Verified {
            device: write.device,
            seq: write.seq,
            observed_at_ms: write.observed_at_ms,
            kind: write.kind,
            authorship,
            number: self.number,
            position: self.count - 1 - self.later_count(),
            history_is_gapless: account.count == account.next_seq,
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "check_chain bounds a run before this is used")]
    const fn later_count(&self) -> u32 {
        self.later.len() as u32
    }

    /// The device's account after the block, if the record and the later ones lead to it.
    fn check_chain(&self) -> Result<Account, VerifyError> {
        if self.later.len() >= RUN_RECORDS_MAX {
            return Err(VerifyError::RunTooLong { got: self.later.len() + 1 });
        }
        let link = self.record.link();
        let identity = self.credential.identity(self.record.write().device);
        let mut account = Account { identity, head: self.head_before, next_seq: 0, count: 0 };
        for link in core::iter::once(&link).chain(&self.later) {
            account.extend(self.slot, link)?;
        }
        if account.head != self.head_after {
            return Err(VerifyError::HeadMismatch);
        }
        Ok(Account { count: self.count, ..account })
    }

    fn check_account(&self, account: &Account) -> Result<(), VerifyError> {
        // The account's leaf commits to the count; that it is possible at all is checked so that
        // `position` can't underflow even against a root that commits to nonsense.
        let first_seq = self.record.link().seq;
        let low = self.later_count() + 1;
        // Every record before this one had a lower seq of its own.
        let high = low.saturating_add(first_seq).min(account.next_seq);
        if !(low..=high).contains(&self.count) {
            return Err(VerifyError::Count { got: self.count, low, high });
        }
        if climb(account.leaf(), self.slot, &self.accounts_path, koala::node) != self.accounts_root {
            return Err(VerifyError::AccountMismatch);
        }
        Ok(())
    }

    fn check_state(&self, trusted: &StateRoot) -> Result<(), VerifyError> {
        let shards = self.shards().ok_or(VerifyError::ShardsDepth { got: self.shards_path.len() })?;
        // Not a field of the receipt: a device's shard is a function of its identifier.
        let shard = self.record.write().device.shard(shards);
        let leaf = ShardLeaf {
            shard,
            accounts_root: self.accounts_root,
            total_records: self.total_records,
            data: self.data,
        };
        let tree = climb(leaf.hash(), shard.0, &self.shards_path, shards_node);
        let got = StateRoot::from_tree(self.domain, self.number, tree);
        if got == *trusted { Ok(()) } else { Err(VerifyError::StateRootMismatch { expected: *trusted, got }) }
    }
}

impl crate::record::Record {
    /// What the record adds to its device's head.
    #[must_use]
    pub fn link(&self) -> Link {
        let write = self.write();
        const { assert!(SEQ_END <= u32::MAX as u64) };
        #[expect(clippy::cast_possible_truncation, reason = "a record's seq is below SEQ_END, which fits")]
        let seq = write.seq as u32;
        Link { digest: self.digest(), seq, observed_at_ms: write.observed_at_ms, kind: write.kind }
    }
}

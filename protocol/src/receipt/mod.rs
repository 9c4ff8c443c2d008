//! Everything needed to check one record against a settled state root.

mod encoding;
mod evidence;
mod json;
mod verify;

#[cfg(test)]
mod tests;

pub use encoding::ReceiptDecodeError;
pub use evidence::Evidence;
pub use verify::{Authorship, Step, Verified, VerifyError};

use crate::{
    account::Link,
    device::{Credential, ShardCount},
    digest::Digest,
    field::FieldElement,
    limits::ACCOUNTS_DEPTH,
    record::Record,
    state::{BlockNumber, DataDigest, Domain},
};
use alloc::vec::Vec;
use core::fmt;

/// How far a record's block had come when its receipt was made.
///
/// This is the issuer's word. What it rests on is checked with [`Receipt::verify`] against a state root that
/// the verifier has from the base chain: a root that stands in a final block makes the record final.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// In a block.
    Sealed,
    /// The block has a proof.
    Proven,
    /// The block is on the base chain.
    Posted,
    /// The block is on the base chain, finalised.
    Final,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sealed => "sealed",
            Self::Proven => "proven",
            Self::Posted => "posted",
            Self::Final => "final",
        })
    }
}

/// A record and its way to a state root.
///
/// ```text
/// record ─ digest ─┐
/// head before ─────┴─ C24 ─ later links ─ head after ─ account ─ path ─ accounts root ─ shard leaf ─ path ─ state root
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// How far the block had come; the issuer's word.
    pub stage: Stage,
    /// Which deployment.
    pub domain: Domain,
    /// The block.
    pub number: BlockNumber,
    /// The record itself, salt included: whoever holds the receipt can read it.
    pub record: Record,
    /// What the device is enrolled with.
    pub credential: Credential,
    /// What shows that the device wrote the record; of the credential's kind.
    pub evidence: Evidence,
    /// The device's slot in its shard.
    pub slot: u32,
    /// The device's head before this record.
    pub head_before: Digest,
    /// The device's later records in the same block.
    pub later: Vec<Link>,
    /// The device's head after the block.
    pub head_after: Digest,
    /// The device's records up to and including the block.
    pub count: u32,
    /// Siblings from the account up.
    pub accounts_path: [Digest; ACCOUNTS_DEPTH],
    /// Where they lead to.
    pub accounts_root: Digest,
    /// Records of the shard up to and including the block.
    pub total_records: u64,
    /// The shard's last non-empty batch: the one that the record is in.
    pub data: DataDigest,
    /// Siblings from the shard's leaf up; as many as the tree over the shards has levels.
    pub shards_path: Vec<FieldElement>,
}

impl Receipt {
    /// How many shards the deployment has, by the length of the path.
    pub(crate) fn shards(&self) -> Option<ShardCount> {
        ShardCount::new(1u32.checked_shl(u32::try_from(self.shards_path.len()).ok()?)?)
    }
}

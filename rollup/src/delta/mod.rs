//! What a block did to the accounts, as it is published beside the block on a base chain that has room for it.
//!
//! ```text
//!  0 "ARTDELTA" │ 8 version u16 │ 10 zero u16 │ 12 shards u32 │ 16 block u64 │ 24 domain, big-endian [32]
//! 56 changed shards, each with a higher id than the one before:
//!    shard │ total records after │ digest of its batch [32] │ accounts
//!    accounts × { slots skipped × 2 + 1 if new │ identity [31], if new │ head [31] │ next_seq │ next_seq − count }
//! ```
//! Numbers without a width are LEB128 in its shortest form. A digest is its eight 31-bit limbs, closely packed; they are as
//! good as random, so nothing shorter is to be had: some 35 bytes an account, 31 more for a new one. Slots skipped count
//! from the slot after the account before.
//!
//! Nothing in it is to be believed: whoever has all of them, from the first block on, comes to the state root of each
//! ([`Rebuilt`]), and the base chain has those.

mod decode;
mod encode;
mod rebuilt;
#[cfg(test)]
mod tests;

pub use rebuilt::Rebuilt;

use crate::{
    accounts::{AccountsError, AccountsFile},
    block_store::ShardState,
};
use arterial_protocol::{AccountRun, Batch, BlockNumber, DataDigest, Digest, Domain, ShardCount, ShardId};

const MAGIC: [u8; 8] = *b"ARTDELTA";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 56;
const DIGEST_BYTES: usize = 31;

/// What a block did to the accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delta {
    /// The deployment.
    pub domain: Domain,
    /// How many shards it has.
    pub shards: ShardCount,
    /// The block.
    pub number: BlockNumber,
    /// The shards that have a batch in it, by id.
    pub changed: Vec<ShardDelta>,
}

/// What a batch did to a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardDelta {
    /// The shard.
    pub shard: ShardId,
    /// Records of all its blocks.
    pub total_records: u64,
    /// Of the batch's bytes.
    pub data: DataDigest,
    /// The accounts that it touched, as they are after it, by slot.
    pub accounts: Vec<AccountDelta>,
}

/// An account after a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountDelta {
    /// Its slot.
    pub slot: u32,
    /// Its identity, if the block opened it.
    pub identity: Option<Digest>,
    /// The chain over all its records.
    pub head: Digest,
    /// The lowest `seq` the next record may have.
    pub next_seq: u32,
    /// Records so far, at most `next_seq`.
    pub count: u32,
}

impl ShardDelta {
    /// What a batch did, from the accounts as they are after it; `None` where the batch is empty.
    ///
    /// # Errors
    /// The file can't be read, or does not have what the batch touches.
    pub fn read(
        after: &ShardState,
        batch: &Batch,
        file: &AccountsFile,
    ) -> Result<Option<Self>, AccountsError> {
        if batch.is_empty() {
            return Ok(None);
        }
        let account = |run: AccountRun<'_>| {
            let account = file.open_at(&after.accounts, run.slot)?.account;
            let account =
                account.ok_or(AccountsError::UnknownAccount { number: batch.number.0, slot: run.slot })?;
            let (head, next_seq, count) = (account.head, account.next_seq, account.count);
            Ok(AccountDelta { slot: run.slot, identity: run.enrolment, head, next_seq, count })
        };
        let accounts = batch.runs().map(account).collect::<Result<_, AccountsError>>()?;
        let ShardState { leaf, .. } = after;
        Ok(Some(Self { shard: leaf.shard, total_records: leaf.total_records, data: leaf.data, accounts }))
    }
}

/// Why bytes are no delta, or one that does not follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// The bytes end early, or go on.
    #[error("the delta's {got} bytes are not as long as what they hold")]
    Length {
        /// Bytes given.
        got: usize,
    },
    /// Another format.
    #[error("these are not the bytes of a delta of version {VERSION}")]
    Format,
    /// A number is out of range, out of order, or not in its one encoding.
    #[error("{what} of the delta is out of range, out of order or not canonical")]
    Value {
        /// Which.
        what: &'static str,
    },
    /// It is of another deployment, or of another block than the next.
    #[error("the delta is of block {got} of its deployment: expected block {expected} of this one")]
    Unexpected {
        /// The next block.
        expected: BlockNumber,
        /// Its own.
        got: BlockNumber,
    },
    /// It opens an account out of turn, or touches one that does not exist.
    #[error("the delta touches slot {slot} of shard {shard} as no block can")]
    Slot {
        /// The shard.
        shard: ShardId,
        /// The slot.
        slot: u32,
    },
}

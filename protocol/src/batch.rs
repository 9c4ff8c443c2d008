//! What one shard puts into one block, in the bytes that an auditor checks.
//!
//! ```text
//!  0 version u16 │ 2 zero u16 │ 4 shard u32 │ 8 block u64 │ 16 accounts u32 │ 20 records u32
//! then for each touched account, in order of slot:
//!    slot u32 │ run u16 │ enrolled u8 (0 or 1) │ zero u8 │ identity[32] if enrolled
//!    run × link[44]
//! ```
//! Little-endian. Nothing in it tells about a patient: payloads, salts and signatures stay in the logs.

use crate::{
    account::Link,
    device::ShardId,
    digest::Digest,
    limits::{BATCH_ACCOUNTS_MAX, BATCH_RECORDS_MAX, RUN_RECORDS_MAX, SLOTS_END},
    link::WireLink,
    state::{BlockNumber, DataDigest},
};
use alloc::vec::Vec;
use core::ops::Range;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const VERSION: u16 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    version: U16,
    zero: U16,
    shard: U32,
    number: U64,
    accounts: U32,
    records: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireAccount {
    slot: U32,
    run: U16,
    enrolled: u8,
    zero: u8,
}

/// One shard's part of one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The shard.
    pub shard: ShardId,
    /// The block it is sealed into.
    pub number: BlockNumber,
    accounts: Vec<Touched>,
    links: Vec<Link>,
}

/// An account that a batch touches.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Touched {
    slot: u32,
    enrolment: Option<Digest>,
    links: Range<usize>,
}

/// What a batch does to one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountRun<'a> {
    /// The account's slot.
    pub slot: u32,
    /// The identity of the account that the batch opens there, if it is new.
    pub enrolment: Option<Digest>,
    /// Its records, in order of `seq`.
    pub links: &'a [Link],
}

/// The rule that a batch breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end early, or go on.
    #[error("the batch is {got} bytes long, which is not what its head says")]
    Length {
        /// Bytes given.
        got: usize,
    },
    /// Another format.
    #[error("batch format version {got} is not known: expected {VERSION}")]
    Version {
        /// What stands there.
        got: u16,
    },
    /// A reserved byte is set, or a flag has an unknown value.
    #[error("a reserved byte of the batch is not zero")]
    Reserved,
    /// Slots must rise and be below the tree's size.
    #[error("slot {got} is out of order or out of range")]
    Slot {
        /// The slot.
        got: u32,
    },
    /// An account without an enrolment or a record has no place in a batch.
    #[error("the account at slot {slot} is listed but not touched")]
    Untouched {
        /// The slot.
        slot: u32,
    },
    /// Too many records of one account.
    #[error("the account at slot {slot} has {got} records in the batch: at most {RUN_RECORDS_MAX} fit")]
    RunTooLong {
        /// The slot.
        slot: u32,
        /// Records.
        got: usize,
    },
    /// A link's field is out of range or its `seq` doesn't rise.
    #[error("a record of slot {slot} is out of range or out of order")]
    Link {
        /// The slot.
        slot: u32,
    },
    /// Too much for one batch.
    #[error(
        "the batch says it has {accounts} accounts and {records} records: over the limit, or not what follows"
    )]
    Count {
        /// Accounts by the head.
        accounts: usize,
        /// Records by the head.
        records: usize,
    },
}

impl Batch {
    /// A batch with nothing in it yet.
    #[must_use]
    pub const fn new(shard: ShardId, number: BlockNumber) -> Self {
        Self { shard, number, accounts: Vec::new(), links: Vec::new() }
    }

    /// Adds one account; slots must rise from call to call.
    ///
    /// # Errors
    /// The rule that it breaks; the batch is then unchanged.
    pub fn push(&mut self, run: AccountRun<'_>) -> Result<(), BatchError> {
        let AccountRun { slot, enrolment, links } = run;
        if slot >= SLOTS_END || self.accounts.last().is_some_and(|last| last.slot >= slot) {
            return Err(BatchError::Slot { got: slot });
        }
        if enrolment.is_none() && links.is_empty() {
            return Err(BatchError::Untouched { slot });
        }
        if links.len() > RUN_RECORDS_MAX {
            return Err(BatchError::RunTooLong { slot, got: links.len() });
        }
        if links.windows(2).any(|pair| pair[0].seq >= pair[1].seq) {
            return Err(BatchError::Link { slot });
        }
        let (accounts, records) = (self.accounts.len() + 1, self.links.len() + links.len());
        if accounts > BATCH_ACCOUNTS_MAX || records > BATCH_RECORDS_MAX {
            return Err(BatchError::Count { accounts, records });
        }
        let start = self.links.len();
        self.links.extend_from_slice(links);
        self.accounts.push(Touched { slot, enrolment, links: start..self.links.len() });
        Ok(())
    }

    /// Whether it touches nothing; such a batch leaves its shard's leaf as it is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Records in it.
    #[must_use]
    pub const fn record_count(&self) -> usize {
        self.links.len()
    }

    /// Accounts it touches.
    #[must_use]
    pub const fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// What it does to each account, in order of slot.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = AccountRun<'_>> {
        self.accounts.iter().map(|touched| self.run(touched))
    }

    /// What it does to the account at `slot`.
    #[must_use]
    pub fn find(&self, slot: u32) -> Option<AccountRun<'_>> {
        let at = self.accounts.binary_search_by_key(&slot, |touched| touched.slot).ok()?;
        self.accounts.get(at).map(|touched| self.run(touched))
    }

    fn run(&self, touched: &Touched) -> AccountRun<'_> {
        AccountRun {
            slot: touched.slot,
            enrolment: touched.enrolment,
            links: &self.links[touched.links.clone()],
        }
    }

    /// The canonical bytes.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "`push` keeps every count within its limit")]
    pub fn encode(&self) -> Vec<u8> {
        let enrolments = self.accounts.iter().filter(|touched| touched.enrolment.is_some()).count();
        let mut bytes = Vec::with_capacity(
            size_of::<WireHead>()
                + self.accounts.len() * size_of::<WireAccount>()
                + enrolments * 32
                + self.links.len() * size_of::<WireLink>(),
        );
        let head = WireHead {
            version: VERSION.into(),
            zero: 0.into(),
            shard: self.shard.0.into(),
            number: self.number.0.into(),
            accounts: (self.accounts.len() as u32).into(),
            records: (self.links.len() as u32).into(),
        };
        bytes.extend_from_slice(head.as_bytes());
        for run in self.runs() {
            let account = WireAccount {
                slot: run.slot.into(),
                run: (run.links.len() as u16).into(),
                enrolled: u8::from(run.enrolment.is_some()),
                zero: 0,
            };
            bytes.extend_from_slice(account.as_bytes());
            if let Some(identity) = run.enrolment {
                bytes.extend_from_slice(&identity.to_bytes());
            }
            for link in run.links {
                bytes.extend_from_slice(WireLink::from(link).as_bytes());
            }
        }
        bytes
    }

    /// Decodes canonical bytes.
    ///
    /// # Errors
    /// The first rule that they break. What decodes encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let short = BatchError::Length { got: bytes.len() };
        let (head, mut rest) = WireHead::read_from_prefix(bytes).map_err(|_| short)?;
        if head.version != VERSION {
            return Err(BatchError::Version { got: head.version.get() });
        }
        if head.zero != 0 {
            return Err(BatchError::Reserved);
        }
        let mut batch = Self::new(ShardId(head.shard.get()), BlockNumber(head.number.get()));
        let mut links = Vec::new();
        for _ in 0..head.accounts.get() {
            let (account, tail) = WireAccount::read_from_prefix(rest).map_err(|_| short)?;
            if account.zero != 0 || account.enrolled > 1 {
                return Err(BatchError::Reserved);
            }
            let slot = account.slot.get();
            let (enrolment, tail) = if account.enrolled == 1 {
                let (identity, tail) = tail.split_first_chunk::<32>().ok_or(short)?;
                (Some(Digest::from_bytes(*identity).ok_or(BatchError::Link { slot })?), tail)
            } else {
                (None, tail)
            };
            let (wire, tail) = <[WireLink]>::ref_from_prefix_with_elems(tail, usize::from(account.run.get()))
                .map_err(|_| short)?;
            links.clear();
            for link in wire {
                links.push(link.decode().ok_or(BatchError::Link { slot })?);
            }
            batch.push(AccountRun { slot, enrolment, links: &links })?;
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(short);
        }
        if batch.links.len() != head.records.get() as usize {
            return Err(BatchError::Count {
                accounts: batch.accounts.len(),
                records: head.records.get() as usize,
            });
        }
        Ok(batch)
    }
}

impl DataDigest {
    /// The digest of a batch's bytes.
    #[must_use]
    pub fn of(batch_bytes: &[u8]) -> Self {
        Self(*blake3::hash(batch_bytes).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Batch {
        let link = |seq| Link { digest: Digest::reduce([3; 32]), seq, observed_at_ms: 1 << 40, kind: 2 };
        let mut batch = Batch::new(ShardId(2), BlockNumber(9));
        batch.push(AccountRun { slot: 1, enrolment: Some(Digest::reduce([5; 32])), links: &[] }).unwrap();
        batch.push(AccountRun { slot: 4, enrolment: None, links: &[link(1), link(2)] }).unwrap();
        batch
    }

    #[test]
    fn bytes_are_pinned() {
        // A change of this hash is a change of the format: give it a new version.
        let hash = blake3::hash(&sample().encode());
        assert_eq!(
            hash.to_hex().as_str(),
            "d7c957410fbd6e6188b7a6fd30041a4f635b54186d0061183cb24b670b2670f0"
        );
    }

    #[test]
    fn each_rule_is_enforced_alone() {
        let good = sample().encode();
        assert_eq!(Batch::decode(&good), Ok(sample()));
        let broken = |at: usize, value: u8| {
            let mut bytes = good.clone();
            assert_ne!(bytes[at], value);
            bytes[at] = value;
            Batch::decode(&bytes).unwrap_err()
        };
        let second = 24 + 8 + 32;
        assert_eq!(broken(0, 2), BatchError::Version { got: 2 });
        assert_eq!(broken(2, 1), BatchError::Reserved);
        assert_eq!(broken(16, 1), BatchError::Length { got: good.len() });
        assert_eq!(broken(20, 3), BatchError::Count { accounts: 2, records: 3 });
        assert_eq!(broken(24 + 6, 2), BatchError::Reserved);
        assert_eq!(broken(24 + 7, 1), BatchError::Reserved);
        assert_eq!(broken(24 + 8 + 3, 0xff), BatchError::Link { slot: 1 });
        assert_eq!(broken(second, 1), BatchError::Slot { got: 1 });
        assert_eq!(broken(second + 2, 0x10), BatchError::Slot { got: 4 | SLOTS_END });
        assert_eq!(broken(second + 8 + 3, 0xff), BatchError::Link { slot: 4 });
        assert_eq!(broken(second + 8 + 35, 0x40), BatchError::Link { slot: 4 });
        assert_eq!(broken(second + 8 + 32, 2), BatchError::Link { slot: 4 });
        assert_eq!(Batch::decode(&good[..good.len() - 1]), Err(BatchError::Length { got: good.len() - 1 }));
        assert_eq!(
            Batch::decode(&[&good[..], &[0]].concat()),
            Err(BatchError::Length { got: good.len() + 1 })
        );
        let run = vec![sample().links[0]; RUN_RECORDS_MAX + 1];
        let mut batch = sample();
        assert_eq!(
            batch.push(AccountRun { slot: 9, enrolment: None, links: &[] }),
            Err(BatchError::Untouched { slot: 9 })
        );
        assert_eq!(
            batch.push(AccountRun { slot: 9, enrolment: None, links: &run }),
            Err(BatchError::RunTooLong { slot: 9, got: run.len() })
        );
        assert_eq!(batch, sample());
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)) {
            let mut bytes = sample().encode();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(batch) = Batch::decode(&bytes) {
                prop_assert_eq!(batch.encode(), bytes);
            }
        }
    }
}

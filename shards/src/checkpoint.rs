//! What a restart needs to begin behind a block instead of at the log's first byte.
//!
//! ```text
//! checkpoint:
//!  0 "ARTCHECK" │ 8 version u16 │ 10 zero u16 │ 12 shard u32 │ 16 deployment domain[32]
//! 48 block u64 │ 56 log position behind its cut u64 │ 64 accounts u32 │ 68 records over their caps u32
//! 72 accounts × { newest block that touches it u64 │ next seq u32 │ zero u32 }           in order of the slots
//!    records  × { slot u32 │ zero u32 │ log position u64 }
//!    CRC-32C u32 of everything before │ zero u32
//! ```
//! Little-endian. It is written after the block's seal is durable, and is never more than a shortcut: without it, or
//! with a damaged one, the log is replayed from its beginning.

use crate::{
    accounts::{AccountState, Accounts},
    error::{IoContext, ShardError},
    log::{LogPosition, SegmentId},
};
use arterial_protocol::BlockNumber;
use arterial_storage::{Storage, append_checksum, checked_content};
use std::path::Path;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTCHECK";
const VERSION: u16 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    shard: U32,
    domain: [u8; 32],
    number: U64,
    position: U64,
    accounts: U32,
    over: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireAccount {
    block: U64,
    next_seq: U32,
    zero: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireOver {
    slot: U32,
    zero: U32,
    position: U64,
}

/// A shard as it was when a block was cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Checkpoint {
    /// The block.
    pub(crate) number: BlockNumber,
    /// Where the log goes on.
    pub(crate) position: LogPosition,
    pub(crate) accounts: Vec<AccountState>,
    /// Slot and place of the records that were over their accounts' caps.
    pub(crate) over: Vec<(u32, LogPosition)>,
}

impl Checkpoint {
    /// The state right before a block is cut, whose cut ends at `position`.
    pub(crate) fn of(accounts: &Accounts, number: BlockNumber, position: LogPosition) -> Self {
        let over = accounts.over().map(|(slot, (_, position))| (slot, *position)).collect();
        Self { number, position, accounts: accounts.states(), over }
    }

    /// Bytes of its file.
    pub(crate) const fn bytes(&self) -> u64 {
        let (accounts, over) = (self.accounts.len(), self.over.len());
        (size_of::<WireHead>() + accounts * size_of::<WireAccount>() + over * size_of::<WireOver>() + 8)
            as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "slots and backlog are bounded")]
    fn encode(&self, id: &SegmentId) -> Vec<u8> {
        let head = WireHead {
            magic: MAGIC,
            version: VERSION.into(),
            zero: 0.into(),
            shard: id.shard.0.into(),
            domain: id.domain.0.to_be_bytes(),
            number: self.number.0.into(),
            position: self.position.0.into(),
            accounts: (self.accounts.len() as u32).into(),
            over: (self.over.len() as u32).into(),
        };
        let mut bytes = head.as_bytes().to_vec();
        for &AccountState { next_seq, block } in &self.accounts {
            let account = WireAccount { block: block.into(), next_seq: next_seq.into(), zero: 0.into() };
            bytes.extend_from_slice(account.as_bytes());
        }
        for &(slot, position) in &self.over {
            let over = WireOver { slot: slot.into(), zero: 0.into(), position: position.0.into() };
            bytes.extend_from_slice(over.as_bytes());
        }
        append_checksum(&mut bytes);
        bytes
    }

    fn decode(bytes: &[u8], id: &SegmentId) -> Result<Self, &'static str> {
        let content = checked_content(bytes)?;
        let laid_out = "it is not laid out as a checkpoint";
        let (head, rest) = WireHead::ref_from_prefix(content).map_err(|_| laid_out)?;
        if head.magic != MAGIC || head.version != VERSION {
            return Err(laid_out);
        }
        if head.shard != id.shard.0 || head.domain != id.domain.0.to_be_bytes() {
            return Err("it is of another shard or deployment");
        }
        let (accounts, rest) =
            <[WireAccount]>::ref_from_prefix_with_elems(rest, head.accounts.get() as usize)
                .map_err(|_| laid_out)?;
        let over =
            <[WireOver]>::ref_from_bytes_with_elems(rest, head.over.get() as usize).map_err(|_| laid_out)?;
        let state = |account: &WireAccount| AccountState {
            next_seq: account.next_seq.get(),
            block: account.block.get(),
        };
        Ok(Self {
            number: BlockNumber(head.number.get()),
            position: LogPosition(head.position.get()),
            accounts: accounts.iter().map(state).collect(),
            over: over.iter().map(|over| (over.slot.get(), LogPosition(over.position.get()))).collect(),
        })
    }

    /// Replaces the shard's checkpoint.
    pub(crate) fn write(&self, storage: &dyn Storage, path: &Path, id: &SegmentId) -> Result<(), ShardError> {
        storage.replace(path, &self.encode(id)).context("cannot write checkpoint", path)
    }

    /// The shard's checkpoint; `None` if it has none yet.
    pub(crate) fn read(
        storage: &dyn Storage,
        path: &Path,
        id: &SegmentId,
    ) -> Result<Option<Self>, ShardError> {
        let bytes = match storage.read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.context("cannot read checkpoint", path)?,
        };
        let corrupt =
            |what: &str| ShardError::Corrupt { path: path.to_owned(), offset: 0, what: what.into() };
        Self::decode(&bytes, id).map(Some).map_err(corrupt)
    }
}

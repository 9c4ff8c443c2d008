//! Sealed batches on disk, and finding a record in them.
//!
//! ```text
//! batches/0000000000000007.batch    the batch's canonical bytes, as `Batch::encode` makes them
//! batches/0000000000000007.index    where its records stand in the log:
//!
//!  0 "ARTINDEX" │ 8 version u16 │ 10 zero u16 │ 12 shard u32 │ 16 block u64 │ 24 accounts u32 │ 28 records u32
//! 32 accounts × { slot u32 │ first record u32 │ block before this one that touched the account u64, or 0 }
//!    records × { log position u64 │ seq u32 │ zero u32 }
//!    CRC-32C u32 of everything before │ zero u32
//! ```
//! Both are written before the seal is logged and can be made again from the log.

use crate::{
    error::{IoContext, ShardError},
    limits::OPEN_FILES_MAX,
    log::LogPosition,
    sealing::Sealing,
};
use arterial_protocol::{Batch, BlockNumber, DataDigest, ShardId};
use arterial_storage::{Cache, Map, Storage, append_checksum, checked_content};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTINDEX";
const VERSION: u16 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    shard: U32,
    number: U64,
    accounts: U32,
    records: U32,
}

/// An account that a batch touches, in its index.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IndexAccount {
    slot: U32,
    first: U32,
    previous_block: U64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IndexRecord {
    position: U64,
    seq: U32,
    zero: U32,
}

/// The sealed batches of one shard.
#[derive(Debug)]
pub(crate) struct SealedBatches {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    shard: ShardId,
    indexes: Cache<u64, Map>,
    batches: Cache<u64, Batch>,
}

impl SealedBatches {
    pub(crate) fn open(storage: Arc<dyn Storage>, dir: PathBuf, shard: ShardId) -> Result<Self, ShardError> {
        storage.create_dir(&dir).context("cannot make directory", &dir)?;
        Ok(Self::new(storage, dir, shard))
    }

    /// Those in a directory as it is.
    pub(crate) fn new(storage: Arc<dyn Storage>, dir: PathBuf, shard: ShardId) -> Self {
        let (indexes, batches) = (Cache::new(OPEN_FILES_MAX), Cache::new(4));
        Self { storage, dir, shard, indexes, batches }
    }

    /// Where a batch's bytes are, or with `"index"` its index.
    pub(crate) fn path(&self, number: u64, extension: &str) -> PathBuf {
        self.dir.join(format!("{number:016x}.{extension}"))
    }

    /// Writes a batch and its index, durably. The batch is not sealed by that: the log has the last word.
    pub(crate) fn write(&self, sealing: &Sealing) -> Result<DataDigest, ShardError> {
        let [(batch, bytes), (index, index_bytes)] = self.files(sealing);
        self.storage.replace(&batch, &bytes).context("cannot write batch", &batch)?;
        self.storage.replace(&index, &index_bytes).context("cannot write index", &index)?;
        Ok(DataDigest::of(&bytes))
    }

    /// A batch's files, and what is in them.
    pub(crate) fn files(&self, sealing: &Sealing) -> [(PathBuf, Vec<u8>); 2] {
        let number = sealing.batch.number.0;
        [
            (self.path(number, "batch"), sealing.batch.encode()),
            (self.path(number, "index"), encode_index(sealing)),
        ]
    }

    /// Writes the files of a sealed batch again where they were lost, or the batch is not the one that was sealed.
    pub(crate) fn remake(&self, sealing: &Sealing, data: DataDigest) -> Result<(), ShardError> {
        let Batch { shard, number, .. } = sealing.batch;
        let is_whole = || match self.inspect_batch(number, data) {
            Err(ShardError::Corrupt { .. }) => Ok(false),
            inspected => inspected.map(|_| true),
        };
        if sealing.batch.is_empty() || (self.has(number)? && is_whole()?) {
            return Ok(());
        }
        tracing::warn!(%shard, %number, "a batch's files were lost or damaged and are made again from the log");
        self.write(sealing)?;
        Ok(())
    }

    /// Whether both files of a batch are there; what is in them is checked when it is read.
    ///
    /// A disk that can't tell is an error: taken for "no", it would make an empty batch of a sealed one.
    pub(crate) fn has(&self, number: BlockNumber) -> Result<bool, ShardError> {
        let exists = |extension| {
            let path = self.path(number.0, extension);
            self.storage.exists(&path).context("cannot look for", &path)
        };
        Ok(exists("batch")? && exists("index")?)
    }

    /// A sealed batch that is not empty.
    pub(crate) fn batch(&self, number: BlockNumber) -> Result<Arc<Batch>, ShardError> {
        self.batches.get_or_try_insert(number.0, || {
            let path = self.path(number.0, "batch");
            let bytes = self.storage.map(&path).context("cannot map batch", &path)?;
            let corrupt = |what: String| ShardError::Corrupt { path: path.clone(), offset: 0, what };
            let batch = Batch::decode(&bytes).map_err(|error| corrupt(error.to_string()))?;
            if batch.number != number || batch.shard != self.shard {
                return Err(corrupt(format!("it is of shard {} and block {}", batch.shard, batch.number)));
            }
            Ok(batch)
        })
    }

    /// Where the record of an account stands, looking back from the last block that touched the account.
    pub(crate) fn find(
        &self,
        slot: u32,
        seq: u32,
        last_block: u64,
    ) -> Result<Option<(BlockNumber, LogPosition)>, ShardError> {
        let mut number = last_block;
        while number != 0 {
            let map = self.index(number)?;
            let index = Index::parse(&map).expect("an index is checked when it is mapped");
            let Some((account, records)) = index.account(slot) else {
                let (path, what) = (self.path(number, "index"), format!("it does not list slot {slot}"));
                return Err(ShardError::Corrupt { path, offset: 0, what });
            };
            match records.first() {
                Some(first) if first.seq.get() <= seq => {
                    let found = records.binary_search_by_key(&seq, |record| record.seq.get());
                    return Ok(found
                        .ok()
                        .and_then(|at| records.get(at))
                        .map(|record| (BlockNumber(number), LogPosition(record.position.get()))));
                }
                _ => number = account.previous_block.get(),
            }
        }
        Ok(None)
    }

    fn index(&self, number: u64) -> Result<Arc<Map>, ShardError> {
        self.indexes.get_or_try_insert(number, || {
            let path = self.path(number, "index");
            let map = self.storage.map(&path).context("cannot map index", &path)?;
            self.check_index(&map, number, &path)?;
            Ok(map)
        })
    }

    fn check_index(&self, bytes: &[u8], number: u64, path: &Path) -> Result<(), ShardError> {
        let corrupt =
            |what: &str| Err(ShardError::Corrupt { path: path.to_owned(), offset: 0, what: what.into() });
        if let Err(what) = checked_content(bytes) {
            return corrupt(what);
        }
        match Index::parse(bytes) {
            Some(index) if index.head.number == number && index.head.shard == self.shard.0 => Ok(()),
            Some(_) => corrupt("it is of another shard or block"),
            None => corrupt("it is not laid out as an index"),
        }
    }

    /// Reads a batch whole; the bytes that it has.
    pub(crate) fn inspect_batch(&self, number: BlockNumber, data: DataDigest) -> Result<u64, ShardError> {
        let path = self.path(number.0, "batch");
        let bytes = self.storage.map(&path).context("cannot map batch", &path)?;
        if DataDigest::of(&bytes) != data {
            let what = "its bytes are not those that were sealed".into();
            return Err(ShardError::Corrupt { path, offset: 0, what });
        }
        Ok(bytes.len() as u64)
    }

    /// Reads a batch's index whole; the bytes that it has.
    pub(crate) fn inspect_index(&self, number: BlockNumber) -> Result<u64, ShardError> {
        self.index(number.0).map(|map| map.len() as u64)
    }
}

struct Index<'a> {
    head: &'a WireHead,
    accounts: &'a [IndexAccount],
    records: &'a [IndexRecord],
}

impl<'a> Index<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = WireHead::ref_from_prefix(bytes).ok()?;
        let (accounts, rest) =
            <[IndexAccount]>::ref_from_prefix_with_elems(rest, head.accounts.get() as usize).ok()?;
        let (records, rest) =
            <[IndexRecord]>::ref_from_prefix_with_elems(rest, head.records.get() as usize).ok()?;
        (head.magic == MAGIC && head.version == VERSION && rest.len() == 8).then_some(Self {
            head,
            accounts,
            records,
        })
    }

    /// An account's entry and its records, by `seq`.
    fn account(&self, slot: u32) -> Option<(&'a IndexAccount, &'a [IndexRecord])> {
        let at = self.accounts.binary_search_by_key(&slot, |account| account.slot.get()).ok()?;
        let account = self.accounts.get(at)?;
        let end = self.accounts.get(at + 1).map_or(self.records.len(), |next| next.first.get() as usize);
        Some((account, self.records.get(account.first.get() as usize..end)?))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a batch's counts are within limits that fit")]
fn encode_index(sealing: &Sealing) -> Vec<u8> {
    let Sealing { batch, previous_blocks, positions } = sealing;
    assert_eq!((batch.account_count(), batch.record_count()), (previous_blocks.len(), positions.len()));
    let head = WireHead {
        magic: MAGIC,
        version: VERSION.into(),
        zero: 0.into(),
        shard: batch.shard.0.into(),
        number: batch.number.0.into(),
        accounts: (batch.account_count() as u32).into(),
        records: (batch.record_count() as u32).into(),
    };
    let mut bytes = head.as_bytes().to_vec();
    let mut first = 0;
    for (run, &previous_block) in batch.runs().zip(previous_blocks) {
        let account = IndexAccount {
            slot: run.slot.into(),
            first: first.into(),
            previous_block: previous_block.into(),
        };
        bytes.extend_from_slice(account.as_bytes());
        first += run.links.len() as u32;
    }
    for (link, position) in batch.runs().flat_map(|run| run.links).zip(positions) {
        let record = IndexRecord { position: position.0.into(), seq: link.seq.into(), zero: 0.into() };
        bytes.extend_from_slice(record.as_bytes());
    }
    append_checksum(&mut bytes);
    bytes
}

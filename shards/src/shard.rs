//! One shard: opening it, and what others than its writer may ask.

use crate::{
    accounts::{Accounts, Device, Directory, Unsealed},
    error::ShardError,
    keys::KeyStore,
    log::{Frame, LogPosition, LogReader, LogWriter, SegmentId, StoredRecord, recover},
    queue::Queue,
    sealed::{SealedBatches, Sealing},
    writer::Writer,
};
use arterial_protocol::{Batch, BlockNumber, Credential, DataDigest, DeviceId, Domain, Record, ShardId, Tag};
use arterial_storage::Storage;
use parking_lot::RwLock;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// A write is durable: it is in its shard's log and synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// The shard.
    pub shard: ShardId,
    /// Where the record stands in the shard's log.
    pub position: LogPosition,
    /// Whether it had been accepted before: the position is the first one's.
    pub repeated: bool,
}

/// A device is enrolled, durably.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enrolled {
    /// The device's shard.
    pub shard: ShardId,
    /// Its slot there.
    pub slot: u32,
}

/// What a shard put into a block.
#[derive(Clone, Debug)]
pub struct SealedBatch {
    /// The batch; it may be empty.
    pub batch: Arc<Batch>,
    /// The digest of its bytes, `None` if it is empty.
    pub data: Option<DataDigest>,
}

/// A sealed record with what its receipt needs from the write side.
#[derive(Clone, Debug)]
pub struct SealedRecord {
    /// The record, salt included.
    pub record: Record,
    /// The tag it came with.
    pub tag: Tag,
    /// The device's credential.
    pub credential: Credential,
    /// The device's shard.
    pub shard: ShardId,
    /// Its slot there.
    pub slot: u32,
    /// The block that the record is in.
    pub number: BlockNumber,
}

/// Where a record is.
#[derive(Clone, Debug)]
pub enum Located {
    /// In a block.
    Sealed(SealedRecord),
    /// Durable, and waiting for its block.
    Unsealed,
}

/// Where a shard keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) log: PathBuf,
    pub(crate) batches: PathBuf,
    pub(crate) keys: PathBuf,
}

/// What a writer shares with everybody else.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: ShardId,
    pub(crate) queue: Queue,
    pub(crate) directory: RwLock<Directory>,
    pub(crate) sealed: SealedBatches,
    pub(crate) log: LogReader,
    pub(crate) sealed_number: AtomicU64,
    pub(crate) unsealed_records: AtomicUsize,
    pub(crate) has_unsealed: AtomicBool,
    /// Bytes of a torn tail that were cut when the log was opened.
    pub(crate) cut_bytes: u64,
}

/// What a replay of the log has built so far.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) directory: Directory,
    pub(crate) accounts: Accounts,
}

/// Opens a shard: replays its log and leaves it ready for its writer.
pub(crate) fn open(
    storage: Arc<dyn Storage>,
    paths: &Paths,
    domain: Domain,
    id: ShardId,
    segment_bytes: u64,
    queue_writes_max: usize,
) -> Result<(Arc<Shared>, Writer), ShardError> {
    let segments = SegmentId { domain, shard: id, segment_bytes };
    let sealed = SealedBatches::open(Arc::clone(&storage), paths.batches.clone(), id)?;
    let mut replay = Replay::default();
    let recovered = recover(&*storage, &paths.log, &segments, &mut |position, frame| match replay
        .apply(id, position, frame)?
    {
        Some(sealing) => remake(&sealed, &sealing),
        None => Ok(()),
    })?;
    let keys = KeyStore::open(&*storage, paths.keys.clone())?;
    let ids: Vec<DeviceId> = replay.directory.devices().iter().map(|device| device.id).collect();
    for (slot, keys) in (0..).zip(keys.load(&ids)?) {
        replay.directory.device_mut(slot).keys = keys;
    }
    let log = LogWriter::open(Arc::clone(&storage), paths.log.clone(), segments, recovered.end)?;
    let accounts = replay.accounts;
    let shared = Arc::new(Shared {
        id,
        queue: Queue::new(queue_writes_max),
        directory: RwLock::new(replay.directory),
        sealed,
        log: LogReader::new(storage, paths.log.clone(), segment_bytes, log.durable_end()),
        sealed_number: AtomicU64::new(accounts.sealed().0),
        unsealed_records: AtomicUsize::new(accounts.unsealed_records()),
        has_unsealed: AtomicBool::new(accounts.has_unsealed()),
        cut_bytes: recovered.cut_bytes,
    });
    let writer =
        Writer { shared: Arc::clone(&shared), log, accounts, keys, canonical: Vec::new(), poisoned: None };
    Ok((shared, writer))
}

/// Writes the files of a sealed batch again where they were lost.
fn remake(sealed: &SealedBatches, sealing: &Sealing) -> Result<(), ShardError> {
    let Batch { shard, number, .. } = sealing.batch;
    if !sealing.batch.is_empty() && !sealed.has(number) {
        tracing::warn!(%shard, %number, "a batch's files were missing and are made again from the log");
        sealed.write(sealing)?;
    }
    Ok(())
}

impl Replay {
    /// Takes one frame in as the writer did, and gives back what it sealed; what the writer would not have written
    /// is corruption.
    pub(crate) fn apply(
        &mut self,
        shard: ShardId,
        position: LogPosition,
        frame: &Frame<'_>,
    ) -> Result<Option<Sealing>, ShardError> {
        let corrupt = |what: String| ShardError::Corrupt {
            path: PathBuf::from(format!("log of shard {shard}")),
            offset: position.0,
            what,
        };
        match *frame {
            Frame::Enrolment { slot, device, credential } => {
                if slot != self.directory.next_slot() || self.directory.slot(device).is_some() {
                    return Err(corrupt(format!("device {device} is enrolled at slot {slot} out of turn")));
                }
                self.directory.add(Device { id: device, credential, keys: None, last_block: 0 });
                self.accounts.enrol();
            }
            Frame::Record { slot, record } => {
                let link = record.link();
                if self.directory.slot(record.write.device) != Some(slot)
                    || link.seq < self.accounts.next_seq(slot)
                {
                    return Err(corrupt(format!("a record of slot {slot} is out of turn")));
                }
                self.accounts.accept(slot, Unsealed { link, position });
            }
            Frame::Seal { number, data } => {
                let sealing = self
                    .accounts
                    .sealing(shard, &self.directory)
                    .map_err(|source| ShardError::Batch { shard, source })?;
                let (expected, made) = (self.accounts.sealed().next(), &sealing.batch);
                let digest =
                    if made.is_empty() { DataDigest::default() } else { DataDigest::of(&made.encode()) };
                if number != expected || digest != data {
                    return Err(corrupt(format!(
                        "the log does not make the batch that was sealed as block {number}"
                    )));
                }
                self.accounts.seal(&mut self.directory);
                return Ok(Some(sealing));
            }
        }
        Ok(None)
    }
}

impl Shared {
    /// Shows the record at a position to `read`.
    pub(crate) fn read_record<T>(
        &self,
        position: LogPosition,
        read: impl FnOnce(u32, &StoredRecord<'_>) -> Result<T, ShardError>,
    ) -> Result<T, ShardError> {
        self.log.read(position, |frame| match frame {
            Frame::Record { slot, record } => read(*slot, record),
            _ => Err(ShardError::Corrupt {
                path: PathBuf::from(format!("log of shard {}", self.id)),
                offset: position.0,
                what: "expected a record".into(),
            }),
        })
    }

    /// A batch that was sealed, from its file.
    pub(crate) fn sealed_batch(&self, number: BlockNumber) -> Result<SealedBatch, ShardError> {
        if !self.sealed.has(number) {
            return Ok(SealedBatch { batch: Arc::new(Batch::new(self.id, number)), data: None });
        }
        let batch = self.sealed.batch(number)?;
        let data = Some(DataDigest::of(&batch.encode()));
        Ok(SealedBatch { batch, data })
    }

    /// A sealed record of a device; `None` when no block has it.
    pub(crate) fn find_sealed(&self, device: DeviceId, seq: u32) -> Result<Option<SealedRecord>, ShardError> {
        let (slot, known) = {
            let directory = self.directory.read();
            let slot = directory.slot(device).ok_or(ShardError::UnknownDevice { device })?;
            (slot, *directory.device(slot))
        };
        let keys = known.keys.ok_or(ShardError::KeysDestroyed { device })?;
        let Some((number, position)) = self.sealed.find(slot, seq, known.last_block)? else {
            return Ok(None);
        };
        self.read_record(position, |_, stored| {
            let record = Record::new(stored.salt(&keys.subject), &stored.write)
                .map_err(|error| ShardError::Record { position, source: error.into() })?;
            if record.digest() != stored.digest {
                return Err(ShardError::Corrupt {
                    path: PathBuf::from(format!("log of shard {}", self.id)),
                    offset: position.0,
                    what: "the record does not hash to the digest beside it: its device's subject key is another".into(),
                });
            }
            let tag = stored.tag.into();
            Ok(Some(SealedRecord { record, tag, credential: known.credential, shard: self.id, slot, number }))
        })
    }

    pub(crate) fn sealed_number(&self) -> BlockNumber {
        BlockNumber(self.sealed_number.load(Ordering::Acquire))
    }
}

//! One shard: opening it, and what others than its writer may ask.

use crate::{
    checkpoint::Checkpoint,
    directory::{Device, Directory},
    error::ShardError,
    inbox::{Control, Inbox},
    keys::KeyStore,
    lane::Lane,
    limits::lookups_of,
    log::{
        BundleFrame, Frame, LogPosition, LogReader, LogWriter, SegmentId, StoredRecord, StoredTag, recover,
    },
    lookup::Lookups,
    measures::GroupMeasures,
    pace::Pace,
    replay::Replay,
    sealed::SealedBatches,
    sealing::Cut,
    writer::Writer,
};
use arterial_protocol::{
    Batch, BlockNumber, BundleProof, Credential, DataDigest, DeviceId, Domain, Evidence, Record, ShardId,
    Tag, bundle,
};
use arterial_storage::{Clock, Storage};
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
    /// What shows that the device wrote it.
    pub evidence: Evidence,
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
    Sealed(Box<SealedRecord>),
    /// Durable, and waiting for its block.
    Unsealed,
}

/// Where a shard keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) log: PathBuf,
    pub(crate) batches: PathBuf,
    pub(crate) checkpoint: PathBuf,
    pub(crate) keys: PathBuf,
}

/// What a writer shares with everybody else.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: ShardId,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) segments: SegmentId,
    pub(crate) paths: Paths,
    pub(crate) inbox: Inbox,
    pub(crate) directory: RwLock<Directory>,
    pub(crate) sealed: SealedBatches,
    pub(crate) log: LogReader,
    pub(crate) sealed_number: AtomicU64,
    pub(crate) unsealed_records: AtomicUsize,
    pub(crate) has_unsealed: AtomicBool,
    /// The checkpoint of the newest seal could not be written: the next leaves one, due or not.
    pub(crate) checkpoint_failed: AtomicBool,
    /// Old writes that are to be looked up.
    pub(crate) lookups: AtomicUsize,
    /// Whether the writer takes no more writes.
    pub(crate) poisoned: AtomicBool,
    /// Bytes of a torn tail that were cut when the log was opened.
    pub(crate) cut_bytes: u64,
}

/// How a shard is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) domain: Domain,
    pub(crate) id: ShardId,
    pub(crate) segment_bytes: u64,
    pub(crate) lane_writes_max: usize,
    pub(crate) backlog_records_max: usize,
    pub(crate) checkpoint_log_bytes: u64,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the shard works by itself, or when it is stepped.
    pub(crate) has_threads: bool,
    pub(crate) lookups: Lookups,
}

/// Opens a shard: replays its log and leaves it ready for its writer.
pub(crate) fn open(
    storage: Arc<dyn Storage>,
    paths: Paths,
    setup: Setup,
) -> Result<(Arc<Shared>, Writer), ShardError> {
    let Setup { domain, id, segment_bytes, .. } = setup;
    let segments = SegmentId { domain, shard: id, segment_bytes };
    let sealed = SealedBatches::open(Arc::clone(&storage), paths.batches.clone(), id)?;
    let keys = KeyStore::open(&*storage, paths.keys.clone())?;
    let (mut replay, from) = begin(&storage, &paths, &segments, &keys)?;
    let recovered = recover(&*storage, &paths.log, &segments, from, &mut |position, frame| match replay
        .apply(id, position, frame)?
    {
        Some((sealing, data)) => sealed.remake(&sealing, data),
        None => Ok(()),
    })?;
    replay.load_keys(&keys)?;
    let Replay { directory, accounts, .. } = replay;
    let log = LogWriter::open(
        Arc::clone(&storage),
        setup.clock,
        paths.log.clone(),
        segments,
        recovered.end,
        setup.has_threads,
    )?;
    let reader = LogReader::new(Arc::clone(&storage), paths.log.clone(), segment_bytes, log.durable_end());
    let shared = Arc::new(Shared {
        id,
        storage,
        segments,
        paths,
        inbox: Inbox::new(setup.lane_writes_max, setup.has_threads),
        directory: RwLock::new(directory),
        sealed,
        log: reader,
        sealed_number: AtomicU64::new(accounts.sealed().0),
        unsealed_records: AtomicUsize::new(accounts.unsealed_records()),
        has_unsealed: AtomicBool::new(accounts.has_unsealed()),
        checkpoint_failed: AtomicBool::new(false),
        lookups: AtomicUsize::new(0),
        poisoned: AtomicBool::new(false),
        cut_bytes: recovered.cut_bytes,
    });
    let writer = Writer {
        shared: Arc::clone(&shared),
        log,
        accounts,
        keys,
        checks: Vec::new(),
        checkpoint: from,
        checkpoint_log_bytes: setup.checkpoint_log_bytes,
        backlog_records_max: setup.backlog_records_max,
        poisoned: None,
        pace: setup.has_threads.then(|| Pace::new(setup.backlog_records_max)),
        lookups: setup.lookups,
        measures: GroupMeasures::new(),
    };
    Ok((shared, writer))
}

/// Where the replay of a log begins, and with what.
fn begin(
    storage: &Arc<dyn Storage>,
    paths: &Paths,
    segments: &SegmentId,
    keys: &KeyStore,
) -> Result<(Replay, LogPosition), ShardError> {
    let genesis = || (Replay::default(), LogPosition(0));
    let restored = Checkpoint::read(&**storage, &paths.checkpoint, segments).and_then(|checkpoint| {
        let Some(checkpoint) = checkpoint else { return Ok(genesis()) };
        let replay = Replay::restore(&checkpoint, keys, storage, &paths.log, segments)?;
        Ok((replay, checkpoint.position))
    });
    match restored {
        Err(error @ ShardError::Corrupt { .. }) => {
            tracing::warn!(%error, "the checkpoint is of no use, so the whole log is replayed");
            Ok(genesis())
        }
        restored => restored,
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
            _ => Err(self.log.corrupt(position, "expected a record".into())),
        })
    }

    /// Makes the files of a block's batch, and writes them.
    pub(crate) fn write_batch(&self, cut: &Cut) -> Result<SealedBatch, ShardError> {
        let shard = self.id;
        let sealing = cut
            .sealing(shard, &self.directory.read())
            .map_err(|source| ShardError::Batch { shard, source })?;
        let data = if sealing.batch.is_empty() { None } else { Some(self.sealed.write(&sealing)?) };
        Ok(SealedBatch { batch: Arc::new(sealing.batch), data })
    }

    /// Leaves the checkpoint that goes with a cut, if one does. The block is sealed, so what fails here is no failure of
    /// that: the checkpoint before, or none, does as well, only slower.
    pub(crate) fn write_checkpoint(&self, cut: &Cut) {
        let Some(checkpoint) = &cut.checkpoint else { return };
        if let Err(error) = checkpoint.write(&*self.storage, &self.paths.checkpoint, &self.segments) {
            tracing::warn!(%error, "no checkpoint was left; the next seal tries again");
            self.checkpoint_failed.store(true, Ordering::Release);
        }
    }

    /// A batch that was sealed, from its file.
    pub(crate) fn sealed_batch(&self, number: BlockNumber) -> Result<SealedBatch, ShardError> {
        if !self.sealed.has(number)? {
            return Ok(SealedBatch { batch: Arc::new(Batch::new(self.id, number)), data: None });
        }
        let batch = self.sealed.batch(number)?;
        let data = Some(DataDigest::of(&batch.encode()));
        Ok(SealedBatch { batch, data })
    }

    /// Whether a device's records can still be shown.
    pub(crate) fn check_keys(&self, device: DeviceId) -> Result<(), ShardError> {
        let directory = self.directory.read();
        let slot = directory.slot(device).ok_or(ShardError::UnknownDevice { device })?;
        directory.device(slot).keys.map(drop).ok_or(ShardError::KeysDestroyed { device })
    }

    /// A sealed record of a device; `None` when neither this block nor one before has it.
    pub(crate) fn find_sealed(
        &self,
        device: DeviceId,
        seq: u32,
        last_block: u64,
    ) -> Result<Option<SealedRecord>, ShardError> {
        let (slot, known) = {
            let directory = self.directory.read();
            let slot = directory.slot(device).ok_or(ShardError::UnknownDevice { device })?;
            (slot, *directory.device(slot))
        };
        let Device { credential, keys, .. } = known;
        let keys = keys.ok_or(ShardError::KeysDestroyed { device })?;
        let Some((number, position)) = self.sealed.find(slot, seq, last_block)? else {
            return Ok(None);
        };
        let (record, tag) = self.read_record(position, |_, stored| {
            let record = Record::new(stored.salt(&keys.subject), &stored.write)
                .map_err(|error| ShardError::Record { position, source: error.into() })?;
            if record.digest() != stored.digest {
                let what =
                    "the record does not hash to the digest beside it: its device's subject key is another";
                return Err(self.log.corrupt(position, what.into()));
            }
            Ok((record, stored.tag))
        })?;
        let evidence = match tag {
            StoredTag::Own(Tag::Ed25519(signature)) => Evidence::Signature(signature),
            StoredTag::Own(Tag::Mac(_)) => Evidence::Mac,
            StoredTag::Own(Tag::Host) => Evidence::Host,
            StoredTag::Bundled { index } => Evidence::Bundle(self.bundle_proof(position, index)?),
        };
        let shard = self.id;
        Ok(Some(SealedRecord { record, evidence, credential, shard, slot, number }))
    }

    /// That the record at `position` is in its bundle, from what its log has of that.
    fn bundle_proof(&self, position: LogPosition, index: u16) -> Result<BundleProof, ShardError> {
        self.log.read_bundle_after(position, |at, frame| {
            let corrupt = || self.log.corrupt(at, "the bundle there has no path to its member".into());
            let count = u16::try_from(frame.writes).map_err(|_| corrupt())?;
            let members = self.bundle_members(at, frame)?;
            let path =
                bundle::path_from_siblings(count, &members, frame.siblings, index).ok_or_else(corrupt)?;
            let (signature, blind) = (*frame.signature, bundle::blind(frame.seed, index));
            Ok(BundleProof { signature, count, index, blind, path })
        })
    }

    /// The members of a bundle that came to this shard, and their leaves.
    fn bundle_members(
        &self,
        at: LogPosition,
        frame: &BundleFrame<'_>,
    ) -> Result<Vec<(u16, [u8; 32])>, ShardError> {
        let corrupt = || self.log.corrupt(at, "the bundle there does not name its members".into());
        let mut members: Vec<(u16, [u8; 32])> = Vec::new();
        for refused in frame.refused {
            members.push((u16::try_from(refused.index.get()).map_err(|_| corrupt())?, refused.leaf));
        }
        let first = LogPosition(at.0.checked_sub(frame.back.into()).ok_or_else(corrupt)?);
        self.log.read_each(first..at, |member| {
            let Frame::Record { record, .. } = member else { return Err(corrupt()) };
            let StoredTag::Bundled { index } = record.tag else { return Err(corrupt()) };
            members.push((index, bundle::leaf(&bundle::blind(frame.seed, index), &record.write)));
            Ok(())
        })?;
        members.sort_unstable_by_key(|(index, _)| *index);
        Ok(members)
    }

    /// One old write less is to be looked up: the writer may wait for that.
    pub(crate) fn lookup_ends(&self) {
        let were = self.lookups.fetch_sub(1, Ordering::AcqRel);
        if Lane::ALL.iter().any(|lane| were == lookups_of(*lane)) {
            // Who is closed waits for nothing.
            let _ = self.inbox.push_control(Control::LookAgain);
        }
    }

    pub(crate) fn sealed_number(&self) -> BlockNumber {
        BlockNumber(self.sealed_number.load(Ordering::Acquire))
    }
}

//! Looking at a deployment's write side without touching it.

use crate::{
    checkpoint::Checkpoint,
    config::ShardsConfig,
    directory::Device,
    error::{IoContext, ShardError},
    keys,
    log::{
        CUT_FRAME_BYTES, Damage, Ending, Frame, LogPosition, Place, SegmentId, base_of, list_begun,
        missing_before,
    },
    replay::Replay,
    sealed::SealedBatches,
    shard::Paths,
};
use arterial_protocol::{Batch, BlockNumber, DataDigest, Domain, ShardId};
use arterial_storage::Storage;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What one shard's files hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardReport {
    /// The shard.
    pub shard: ShardId,
    /// Its log, in order.
    pub segments: Vec<SegmentReport>,
    /// The batches that the log says were sealed, and their indexes; and batches that it should know and doesn't.
    pub batches: Vec<FileReport>,
    /// Its key file.
    pub keys: FileReport,
    /// Its checkpoint, if it has one.
    pub checkpoint: Option<FileReport>,
    /// Devices enrolled, up to the log's first fault.
    pub devices: usize,
    /// Records in the log.
    pub records: u64,
    /// The newest block that the log seals.
    pub sealed: BlockNumber,
    /// Records that wait for a block, up to the log's first fault.
    pub unsealed_records: usize,
}

/// What one segment of a log holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentReport {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Valid frames in it: enrolments, records and seals.
    pub frames: u64,
    /// Records among them.
    pub records: u64,
    /// Where the last valid frame ends.
    pub end: LogPosition,
    /// Bytes of a torn tail: a crash leaves one, nobody was told that it is durable, opening the deployment cuts it.
    pub torn_bytes: u64,
    /// What is wrong with it, if anything is.
    pub fault: Option<String>,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its length, 0 if it can't be read.
    pub bytes: u64,
    /// What is wrong with it, if anything is.
    pub fault: Option<String>,
}

impl ShardReport {
    /// Every fault found, with its file.
    pub fn faults(&self) -> impl Iterator<Item = (&Path, &str)> {
        let segments = self.segments.iter().map(|segment| (&segment.path, &segment.fault));
        let files = self
            .batches
            .iter()
            .chain([&self.keys])
            .chain(&self.checkpoint)
            .map(|file| (&file.path, &file.fault));
        segments.chain(files).filter_map(|(path, fault)| Some((path.as_path(), fault.as_deref()?)))
    }
}

/// Reads every file of every shard and says what it holds and what is wrong with it.
///
/// Nothing is changed and no lock is taken, so an auditor's read-only copy will do. Of a deployment that is open
/// meanwhile, what is being appended can read as torn or damaged, and keys as not written yet.
///
/// A damaged file is a fault in its report, and what doesn't depend on it is still looked at: after a log's first
/// fault its frames are checked by their checksums and not by what they say together, and batches by the seals.
///
/// # Errors
/// The configuration can't be, or a shard's directory can't be listed.
pub fn inspect(storage: &Arc<dyn Storage>, config: &ShardsConfig) -> Result<Vec<ShardReport>, ShardError> {
    config.check()?;
    config.shards.iter().map(|shard| inspect_shard(storage, config, shard)).collect()
}

/// A shard's batch of a block, from the file that was published; nothing else is looked at.
///
/// # Errors
/// The file is missing, or holds no batch of that shard and block.
pub fn published_batch(
    storage: &Arc<dyn Storage>,
    config: &ShardsConfig,
    shard: ShardId,
    number: BlockNumber,
) -> Result<Arc<Batch>, ShardError> {
    SealedBatches::new(Arc::clone(storage), config.paths(shard).batches, shard).batch(number)
}

/// Looks at the bytes of a segment as [`inspect`] does, as if it were all that a shard's log has.
///
/// For fuzzing, and for bytes that were found without their deployment. No bytes make it panic, and frames that
/// stand before whatever is wrong are always counted. The report's path is empty.
#[must_use]
pub fn check_segment(bytes: &[u8], domain: Domain, shard: ShardId) -> SegmentReport {
    let id = SegmentId { domain, shard, segment_bytes: bytes.len() as u64 };
    let place = Place { base: 0, previous_end: Some(0), last: true };
    LogInspection::default().segment(&id, PathBuf::new(), bytes, &place)
}

fn inspect_shard(
    storage: &Arc<dyn Storage>,
    config: &ShardsConfig,
    shard: ShardId,
) -> Result<ShardReport, ShardError> {
    let Paths { log: log_dir, batches: batches_dir, keys: keys_path, checkpoint: checkpoint_path } =
        config.paths(shard);
    let id = SegmentId { domain: config.domain, shard, segment_bytes: config.segment_bytes };
    let checkpoint = Checkpoint::read(&**storage, &checkpoint_path, &id);
    let mut log = LogInspection::default();
    if let Ok(Some(checkpoint)) = &checkpoint {
        log.checkpoint = Some((checkpoint.clone(), false));
    }
    let segments = log.segments(&**storage, &log_dir, &id)?;
    let files = storage.list(&batches_dir).context("cannot list directory", &batches_dir)?;
    let sealed = SealedBatches::new(Arc::clone(storage), batches_dir, shard);
    let devices = log.replay.directory.devices();
    Ok(ShardReport {
        shard,
        batches: log.batches(&sealed, &files),
        keys: inspect_keys(&**storage, keys_path, devices),
        checkpoint: log.checkpoint(checkpoint_path, checkpoint),
        devices: devices.len(),
        records: segments.iter().map(|segment| segment.records).sum(),
        sealed: BlockNumber(log.sealed),
        unsealed_records: log.replay.accounts.unsealed_records(),
        segments,
    })
}

pub(crate) fn inspect_keys(storage: &dyn Storage, path: PathBuf, devices: &[Device]) -> FileReport {
    let read = storage.read(&path).context("cannot read key file", &path).and_then(|bytes| {
        // Behind the devices' entries one can stand whose enrolment a crash prevented.
        let known = usize::try_from(keys::offset_of(devices.len())).ok().and_then(|end| bytes.get(..end));
        let entries = keys::parse(known.unwrap_or(&bytes), 0, &path)?;
        let differs = |at: &usize| {
            let entry = entries.get(*at).map(|entry| (entry.id, entry.credential));
            entry != Some((devices[*at].id, devices[*at].credential))
        };
        match (0..devices.len()).find(differs) {
            Some(at) => {
                let what = "the log has another device there".into();
                Err(ShardError::Corrupt { path: path.clone(), offset: keys::offset_of(at), what })
            }
            None => Ok(bytes.len() as u64),
        }
    });
    FileReport::new(path, read)
}

/// What is known of a shard's log while its segments are read one after the other.
#[derive(Default)]
struct LogInspection {
    replay: Replay,
    /// A fault was found: what follows can't be replayed.
    faulty: bool,
    /// The shard's checkpoint, and whether the log makes it.
    checkpoint: Option<(Checkpoint, bool)>,
    /// The newest block sealed, 0 before the first.
    sealed: u64,
    /// The blocks that have a batch, and its digest.
    batches: Vec<(BlockNumber, DataDigest)>,
}

impl LogInspection {
    fn segments(
        &mut self,
        storage: &dyn Storage,
        dir: &Path,
        id: &SegmentId,
    ) -> Result<Vec<SegmentReport>, ShardError> {
        let paths = list_begun(storage, dir, id)?;
        let count = paths.len();
        let (mut reports, mut expected_base, mut previous_end) = (Vec::with_capacity(count), 0, Some(0));
        for (n, path) in paths.into_iter().enumerate() {
            let is_base = |base: &u64| base.is_multiple_of(id.segment_bytes) && *base <= u64::MAX / 2;
            let Some(base) = base_of(&path).filter(is_base) else {
                reports.push(SegmentReport::unread(path, "its name is not a segment's position".into()));
                continue;
            };
            let missing = (base != expected_base).then(|| missing_before(dir, expected_base));
            if missing.is_some() {
                (self.faulty, previous_end) = (true, None);
            }
            expected_base = base.saturating_add(id.segment_bytes);
            let mut report = match storage.read(&path) {
                Ok(bytes) => {
                    self.segment(id, path, &bytes, &Place { base, previous_end, last: n + 1 == count })
                }
                Err(error) => {
                    self.faulty = true;
                    SegmentReport::unread(path, error.to_string())
                }
            };
            previous_end = report.fault.is_none().then_some(report.end.0);
            report.fault = missing.or(report.fault);
            reports.push(report);
        }
        Ok(reports)
    }

    fn segment(&mut self, id: &SegmentId, path: PathBuf, bytes: &[u8], place: &Place) -> SegmentReport {
        let (mut frames, mut records, mut fault) = (0, 0, None);
        let examined = id.examine(bytes, place, 0, &mut |position, frame| {
            frames += 1;
            records += u64::from(matches!(frame, Frame::Record { .. }));
            if let Err(error) = self.frame(id.shard, position, frame) {
                self.faulty = true;
                fault = Some(fault_of(error));
            }
            Ok(())
        });
        let (end, ending) = examined.expect("the visitor above never stops an examination");
        let torn_bytes = match ending {
            Ending::Clean => 0,
            Ending::Torn { bytes } => bytes,
            Ending::Unbegun => 0,
            Ending::Damaged(Damage { offset, what }) => {
                self.faulty = true;
                fault.get_or_insert(format!("byte {offset}: {what}"));
                0
            }
        };
        SegmentReport { path, bytes: bytes.len() as u64, frames, records, end, torn_bytes, fault }
    }

    fn frame(&mut self, shard: ShardId, position: LogPosition, frame: &Frame<'_>) -> Result<(), ShardError> {
        if let Frame::Seal { number, data } = *frame {
            self.sealed = number.0;
            if data != DataDigest::default() {
                self.batches.push((number, data));
            }
        }
        if !self.faulty {
            if let Frame::Cut { number } = *frame
                && let Some((checkpoint, is_made)) = &mut self.checkpoint
                && checkpoint.number == number
            {
                let end = LogPosition(position.0 + CUT_FRAME_BYTES);
                *is_made = *checkpoint == Checkpoint::of(&self.replay.accounts, number, end);
            }
            self.replay.apply(shard, position, frame)?;
        }
        Ok(())
    }

    /// Whether the checkpoint is whole, and what the log makes of the accounts as well.
    fn checkpoint(&self, path: PathBuf, read: Result<Option<Checkpoint>, ShardError>) -> Option<FileReport> {
        let read = match read {
            Ok(None) => return None,
            Ok(Some(checkpoint)) => Ok(checkpoint.bytes()),
            Err(error) => Err(error),
        };
        let mut report = FileReport::new(path, read);
        if matches!(self.checkpoint, Some((_, false))) && !self.faulty {
            report.fault = Some("the log does not make what it says of the accounts".into());
        }
        Some(report)
    }

    /// Every sealed batch and its index, and files of batches that can only be there because the log lost their seal.
    fn batches(&self, sealed: &SealedBatches, files: &[PathBuf]) -> Vec<FileReport> {
        let mut reports = Vec::with_capacity(2 * self.batches.len());
        for &(number, data) in &self.batches {
            let (batch, index) = (sealed.path(number.0, "batch"), sealed.path(number.0, "index"));
            reports.push(FileReport::new(batch, sealed.inspect_batch(number, data)));
            reports.push(FileReport::new(index, sealed.inspect_index(number)));
        }
        // A crash before the seal leaves the next block's files, never those of a block after that.
        let is_unknown = |path: &&PathBuf| {
            !self.faulty && base_of(path).is_some_and(|number| number > self.sealed.saturating_add(1))
        };
        let unknown = files.iter().filter(is_unknown);
        reports.extend(unknown.map(|path| FileReport {
            path: path.clone(),
            bytes: 0,
            fault: Some(format!("the log has sealed nothing after block {}", self.sealed)),
        }));
        reports
    }
}

impl SegmentReport {
    fn unread(path: PathBuf, fault: String) -> Self {
        let end = LogPosition(0);
        Self { path, bytes: 0, frames: 0, records: 0, end, torn_bytes: 0, fault: Some(fault) }
    }
}

impl FileReport {
    fn new(path: PathBuf, read: Result<u64, ShardError>) -> Self {
        let (bytes, fault) = match read {
            Ok(bytes) => (bytes, None),
            Err(error) => (0, Some(fault_of(error))),
        };
        Self { path, bytes, fault }
    }
}

/// An error without the path, which stands beside it in the report.
fn fault_of(error: ShardError) -> String {
    match error {
        ShardError::Corrupt { offset, what, .. } => format!("byte {offset}: {what}"),
        ShardError::Io { what, source, .. } => format!("{what}: {source}"),
        other => other.to_string(),
    }
}

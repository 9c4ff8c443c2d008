//! A shard's log, and what is made from it.

use super::Repair;
use crate::{
    checkpoint::Checkpoint,
    error::{IoContext, ShardError},
    keys,
    log::{
        CUT_FRAME_BYTES, Damage, FRAME_ALIGN_BYTES, Frame, HEADER_BYTES, LogPosition, Place, SegmentId,
        base_of, decode_frame, glimpse, lacks_a_part, list_begun, mend, missing_before, path_of,
        previous_end, to_usize, written_bytes,
    },
    replay::Replay,
    sealed::SealedBatches,
    sealing::Sealing,
    shard::Paths,
};
use arterial_protocol::{BlockNumber, Record};
use std::{fmt::Write as _, io::ErrorKind, path::Path, sync::Arc};

/// Lost frames that are told of one by one.
const TOLD_MAX: usize = 16;

/// What is known of a log while it is mended from its beginning on.
pub(super) struct LogRepair<'a> {
    paths: &'a Paths,
    id: &'a SegmentId,
    sealed: SealedBatches,
    /// The key file, as far as it can be read.
    keys: Vec<u8>,
    checkpoint: Option<&'a Checkpoint>,
    /// What some file other than the log knows to be sealed.
    sealed_elsewhere: BlockNumber,
    pub(super) replay: Replay,
    /// Whether the log makes the shard's checkpoint.
    pub(super) makes_checkpoint: bool,
}

/// A segment that is being mended.
struct Segment<'a> {
    path: &'a Path,
    base: u64,
    bytes: Vec<u8>,
    /// Where the log ends in it: by the next one's header.
    end: Option<u64>,
    last: bool,
    /// Bits that were turned back in memory, by byte and number, and are not on disk yet.
    turned: Vec<(usize, usize)>,
}

/// Something can't be mended, and was told: what follows can't be replayed.
struct Lost;

impl<'a> LogRepair<'a> {
    /// Mends a log and what is made from it, as far as it can be replayed; whether that is to its end.
    pub(super) fn run(
        repair: &mut Repair,
        paths: &'a Paths,
        id: &'a SegmentId,
        checkpoint: Option<&'a Checkpoint>,
        newest: BlockNumber,
    ) -> Result<(Self, bool), ShardError> {
        let storage = Arc::clone(&repair.storage);
        let keys = match storage.read(&paths.keys) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.context("cannot read key file", &paths.keys)?,
        };
        let files = match storage.list(&paths.batches) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            files => files.context("cannot list directory", &paths.batches)?,
        };
        // A block's batch is made after the block before it is sealed.
        let batches = files.iter().filter(|path| path.extension() == Some("batch".as_ref()));
        let before_batches = batches.filter_map(|path| base_of(path)?.checked_sub(1)).max().map(BlockNumber);
        let mut log = Self {
            paths,
            id,
            sealed: SealedBatches::new(storage, paths.batches.clone(), id.shard),
            keys,
            checkpoint,
            sealed_elsewhere: newest.max(before_batches.unwrap_or(BlockNumber::GENESIS)),
            replay: Replay::default(),
            makes_checkpoint: false,
        };
        let is_whole = log.segments(repair)?.is_ok();
        Ok((log, is_whole))
    }

    fn segments(&mut self, repair: &mut Repair) -> Result<Result<(), Lost>, ShardError> {
        let (dir, segment_bytes) = (&self.paths.log, self.id.segment_bytes);
        let paths = list_begun(&*repair.storage, dir, self.id)?;
        let mut previous = 0;
        for (n, path) in paths.iter().enumerate() {
            let base = n as u64 * segment_bytes;
            if *path != path_of(dir, base) {
                repair.lost(path, format!("{}, with everything in it", missing_before(dir, base)));
                return Ok(Err(Lost));
            }
            let bytes = repair.storage.read(path).context("cannot read segment", path)?;
            let end = match paths.get(n + 1) {
                None => None,
                Some(next) => self.end_by(repair, next)?,
            };
            let segment = Segment { path, base, bytes, end, last: n + 1 == paths.len(), turned: Vec::new() };
            match self.segment(repair, segment, previous)? {
                Ok(end) => previous = end,
                Err(lost) => return Ok(Err(lost)),
            }
        }
        Ok(Ok(()))
    }

    /// Where the log ends in the segment before one, as that one has it.
    fn end_by(&self, repair: &Repair, next: &Path) -> Result<Option<u64>, ShardError> {
        let mut head = vec![0; to_usize(HEADER_BYTES)];
        let blob = repair.storage.open(next).context("cannot open segment", next)?;
        match blob.read_at(&mut head, 0) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            read => read.context("cannot read segment", next).map(|()| previous_end(&head)),
        }
    }

    /// Mends one segment; where the log ends in it.
    fn segment(
        &mut self,
        repair: &mut Repair,
        mut segment: Segment<'_>,
        previous: u64,
    ) -> Result<Result<u64, Lost>, ShardError> {
        if self.header(repair, &mut segment, previous)?.is_err() {
            return Ok(Err(Lost));
        }
        // Frames that were found and not yet taken in: a bundle's members, until their bundle is there.
        let (mut offset, mut found) = (HEADER_BYTES, Vec::new());
        loop {
            let position = LogPosition(segment.base + offset);
            if let Ok(decoded) = decode_frame(segment.rest(offset), position) {
                found.push(offset);
                offset += decoded.stride as u64;
                if decoded.frame.is_member() {
                    continue;
                }
                if let Err((offset, what)) = self.take_all(repair, &segment, &found)? {
                    repair.lost(segment.path, format!("byte {offset}: {what}"));
                    return Ok(Err(Lost));
                }
                found.clear();
                segment.keep_turns(repair)?;
            } else if !self.turn_back(&mut segment, offset) {
                segment.undo_turns();
                return self.ending(repair, &segment, found.first().copied().unwrap_or(offset), offset);
            }
        }
    }

    /// Sees to it that a segment has its header. A damaged one follows from the segment's place, but only where what is
    /// left of it leaves no doubt that it is this segment's.
    fn header(
        &self,
        repair: &mut Repair,
        segment: &mut Segment<'_>,
        previous: u64,
    ) -> Result<Result<(), Lost>, ShardError> {
        let Segment { path, base, bytes, last, .. } = segment;
        let place = Place { base: *base, previous_end: Some(previous), last: *last };
        let Err(Damage { offset, what }) = self.id.check(bytes, bytes.len() as u64, &place) else {
            return Ok(Ok(()));
        };
        let header = self.id.header_bytes(*base, previous);
        let there = bytes.get(..header.len()).filter(|_| bytes.len() as u64 == self.id.segment_bytes);
        let Some(there) = there.filter(|there| words_apart(there, &header) <= 1) else {
            repair.lost(path, format!("byte {offset}: {what}; nothing of the segment can be trusted"));
            return Ok(Err(Lost));
        };
        let what = format!("{what}; the header follows from the segment's name and the segment before it");
        repair.write_over(path, 0, there, &header, what)?;
        bytes[..header.len()].copy_from_slice(&header);
        Ok(Ok(()))
    }

    /// Mends the frame at an offset in memory, if one bit of it has turned.
    fn turn_back(&self, segment: &mut Segment<'_>, offset: u64) -> bool {
        let position = LogPosition(segment.base + offset);
        let Some(bit) = mend(segment.rest(offset), position) else { return false };
        let at = to_usize(offset) + bit / 8;
        segment.bytes[at] ^= 1 << (bit % 8);
        segment.turned.push((at, bit % 8));
        let mended = decode_frame(segment.rest(offset), position);
        mended.is_ok_and(|decoded| self.is_vouched_for(&decoded.frame))
    }

    /// Whether a record hashes to the digest beside it. Where its device's key is gone nobody can tell.
    fn is_vouched_for(&self, frame: &Frame<'_>) -> bool {
        let Frame::Record { slot, record } = frame else { return true };
        let entry = usize::try_from(keys::offset_of(*slot as usize)).ok().and_then(|at| self.keys.get(at..));
        let entry = entry.and_then(|rest| rest.first_chunk::<{ keys::ENTRY_BYTES }>());
        let device = entry.and_then(|entry| keys::parse(entry, *slot, &self.paths.keys).ok()?.pop());
        let Some(keys) = device.and_then(|device| device.keys) else { return true };
        let made = Record::new(record.salt(&keys.subject), &record.write);
        made.is_ok_and(|made| made.digest() == record.digest)
    }

    /// Takes in frames that stand, one behind the other; or says where what contradicts them.
    fn take_all(
        &mut self,
        repair: &mut Repair,
        segment: &Segment<'_>,
        offsets: &[u64],
    ) -> Result<Result<(), (u64, String)>, ShardError> {
        for &offset in offsets {
            let position = LogPosition(segment.base + offset);
            let decoded = decode_frame(segment.rest(offset), position).expect("it was decoded before");
            let is_bundle = matches!(decoded.frame, Frame::Bundle(_));
            if offsets.len() > 1 && !is_bundle && !decoded.frame.is_member() {
                return Ok(Err((offset, "a bundle's frame is missing behind its members".into())));
            }
            if let Err(what) = self.take(repair, position, &decoded.frame)? {
                return Ok(Err((offset, what)));
            }
        }
        Ok(Ok(()))
    }

    /// Takes in a frame that stands, and makes again what its seal says and is not there; or what contradicts it.
    fn take(
        &mut self,
        repair: &mut Repair,
        position: LogPosition,
        frame: &Frame<'_>,
    ) -> Result<Result<(), String>, ShardError> {
        if let (Frame::Cut { number }, Some(checkpoint)) = (*frame, self.checkpoint)
            && checkpoint.number == number
        {
            let end = LogPosition(position.0 + CUT_FRAME_BYTES);
            self.makes_checkpoint = *checkpoint == Checkpoint::of(&self.replay.accounts, number, end);
        }
        match self.replay.apply(self.id.shard, position, frame) {
            Ok(Some((sealing, _))) => self.batch(repair, &sealing).map(Ok),
            Ok(None) => Ok(Ok(())),
            Err(ShardError::Corrupt { what, .. }) => Ok(Err(what)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Makes a batch's files again, where they are not what the log makes. That has the digest that was sealed: the replay
    /// compared it.
    fn batch(&self, repair: &mut Repair, sealing: &Sealing) -> Result<(), ShardError> {
        if sealing.batch.is_empty() {
            return Ok(());
        }
        for (path, bytes) in self.sealed.files(sealing) {
            match repair.storage.read(&path) {
                Ok(found) if found == bytes => {}
                Ok(found) => {
                    let what = "it is not what the log makes and has sealed; it is made again from the log";
                    repair.rewrite(&path, Some(&found), &bytes, what)?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    repair.rewrite(&path, None, &bytes, "it is missing; it is made again from the log")?;
                }
                Err(source) => return Err(ShardError::Io { what: "cannot read", path, source }),
            }
        }
        Ok(())
    }

    /// What is at the first byte that no frame begins at: the log's end, or damage. The frames up to `offset` were taken in.
    fn ending(
        &self,
        repair: &mut Repair,
        segment: &Segment<'_>,
        offset: u64,
        stop: u64,
    ) -> Result<Result<u64, Lost>, ShardError> {
        let (end, rest) = (segment.base + offset, segment.rest(offset));
        let written = to_usize(written_bytes(rest));
        if let Some(contradiction) = self.contradiction(segment, offset, stop) {
            repair.lost(segment.path, format!("byte {stop}: {contradiction}{}", segment.describe(stop)));
            return Ok(Err(Lost));
        }
        if written > 0 {
            let what = if segment.last {
                "a torn tail: the group that it began was not synced, so none of its writes was acknowledged"
            } else {
                "behind the end of the log in this segment, which the next segment's header tells"
            };
            repair.write_over(segment.path, offset, &rest[..written], &vec![0; written], what.into())?;
        }
        Ok(Ok(end))
    }

    /// What shows that something stood at an offset that was durable, and so may have been acknowledged.
    fn contradiction(&self, segment: &Segment<'_>, offset: u64, stop: u64) -> Option<String> {
        let (end, sealed) = (segment.base + offset, self.replay.accounts.sealed());
        if !segment.last {
            return match segment.end {
                Some(said) if said == end => None,
                None if written_bytes(segment.rest(offset)) == 0 => None,
                Some(_) => Some("the next segment's header says that the log goes on there".into()),
                None => {
                    Some("the next segment's header is damaged too and can't tell where the log ended".into())
                }
            };
        }
        if segment.next_frame(stop, true).is_some() {
            return Some("a group that began later stands behind it".into());
        }
        if let Some(checkpoint) = self.checkpoint.filter(|checkpoint| checkpoint.position.0 > end) {
            return Some(format!("the checkpoint was taken behind it, at {}", checkpoint.position));
        }
        if sealed < self.sealed_elsewhere {
            let known = self.sealed_elsewhere;
            return Some(format!(
                "block {known} was sealed, of which the log knows nothing: {sealed} is its newest"
            ));
        }
        let (rest, position) = (segment.rest(stop), LogPosition(segment.base + stop));
        (!lacks_a_part(rest, position)).then(|| {
            "nothing of what stands there seems to be missing, so it may have been acknowledged before it was damaged; \
             opening the log would cut it"
                .into()
        })
    }
}

impl Segment<'_> {
    /// Writes down the bits that were turned back.
    fn keep_turns(&mut self, repair: &mut Repair) -> Result<(), ShardError> {
        for (at, bit) in std::mem::take(&mut self.turned) {
            let new = [self.bytes[at]];
            let old = [new[0] ^ 1 << bit];
            let what =
                format!("bit {bit} had turned: only with it turned back does the frame's checksum fit");
            repair.write_over(self.path, at as u64, &old, &new, what)?;
        }
        Ok(())
    }

    /// Leaves the bytes as they are on disk.
    fn undo_turns(&mut self) {
        for (at, bit) in self.turned.drain(..) {
            self.bytes[at] ^= 1 << bit;
        }
    }

    fn rest(&self, offset: u64) -> &[u8] {
        usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).unwrap_or_default()
    }

    /// Where the next valid frame behind an offset begins; the first of a group, if `marked`.
    fn next_frame(&self, offset: u64, marked: bool) -> Option<u64> {
        let is_frame = |&at: &u64| {
            decode_frame(self.rest(at), LogPosition(self.base + at))
                .is_ok_and(|decoded| decoded.first || !marked)
        };
        let written = offset + written_bytes(self.rest(offset));
        (offset..written).step_by(FRAME_ALIGN_BYTES).skip(1).find(is_frame)
    }

    /// What can still be read of what is lost from an offset on, and what stands behind it.
    fn describe(&self, offset: u64) -> String {
        let next = self.next_frame(offset, false);
        let lost_end = next.unwrap_or(self.bytes.len() as u64);
        let mut text = match next {
            Some(next) => format!("; lost are bytes {offset} to {next}"),
            None => format!("; lost is everything from byte {offset} on in this segment"),
        };
        let (mut at, mut told) = (offset, 0);
        while at < lost_end && told < TOLD_MAX {
            let Some(frame) = glimpse(self.rest(at)) else {
                at += FRAME_ALIGN_BYTES as u64;
                continue;
            };
            // Writing to a string does not fail.
            let _ = match frame {
                Frame::Enrolment { slot, device, .. } => {
                    write!(text, ", the enrolment of device {device} at slot {slot}")
                }
                Frame::Record { record, .. } => {
                    write!(text, ", seq {} of device {}", record.write.seq, record.write.device)
                }
                Frame::Cut { number } => write!(text, ", the cut of block {number}"),
                Frame::Seal { number, .. } => write!(text, ", the seal of block {number}"),
                Frame::Bundle(_) => write!(text, ", a bundle's proof"),
            };
            (at, told) = (at + FRAME_ALIGN_BYTES as u64, told + 1);
        }
        text
    }
}

/// In how many of their 8-byte words two headers differ.
fn words_apart(a: &[u8], b: &[u8]) -> usize {
    a.chunks(8).zip(b.chunks(8)).filter(|(a, b)| a != b).count()
}

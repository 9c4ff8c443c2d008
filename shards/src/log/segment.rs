//! Segment files: their header, and finding the log's end after a crash.
//!
//! ```text
//!  0 "ARTSEG\r\n" │ 8 version u16 │ 10 zero u16 │ 12 shard u32 │ 16 deployment domain[32]
//! 48 base u64: position of byte 0 │ 56 previous end u64: where the log ends in the segment before
//! 64 segment bytes u64 │ 72 zero u32 │ 76 CRC-32C u32 of bytes 0‥76
//! 80 frames
//! ```

use super::{
    LogPosition,
    frame::{self, Frame, FrameError},
};
use crate::{
    error::{IoContext, ShardError},
    limits::{GROUP_BYTES_MAX, PAGE_BYTES},
};
use arterial_protocol::{Domain, ShardId};
use arterial_storage::{Blob, Storage, at_once};
use std::{
    io,
    path::{Path, PathBuf},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTSEG\r\n";
const VERSION: u16 = 2;
pub(crate) const HEADER_BYTES: u64 = size_of::<WireHeader>() as u64;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHeader {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    shard: U32,
    domain: [u8; 32],
    base: U64,
    previous_end: U64,
    segment_bytes: U64,
    zero_end: U32,
    crc: U32,
}

/// Which log a segment belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentId {
    pub(crate) domain: Domain,
    pub(crate) shard: ShardId,
    pub(crate) segment_bytes: u64,
}

/// A log as found on disk.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Where the next frame goes.
    pub(crate) end: LogPosition,
    /// Bytes of a torn tail that were cut.
    pub(crate) cut_bytes: u64,
}

/// Where in its log a segment stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The position of its first byte.
    pub(crate) base: u64,
    /// Where the log ends in the segment before, where that is known.
    pub(crate) previous_end: Option<u64>,
    /// Whether none comes after it.
    pub(crate) last: bool,
}

/// How a segment ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// With a whole frame.
    Clean,
    /// With so many bytes of a group that was never synced.
    Torn { bytes: u64 },
    /// The segment was made ahead and nothing was ever in it.
    Unbegun,
    /// Where something that was synced is not what was written.
    Damaged(Damage),
}

/// What is wrong with a segment, and where in its file.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) what: String,
}

pub(crate) fn path_of(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:016x}.seg"))
}

/// The position that a segment's name says.
pub(crate) fn base_of(path: &Path) -> Option<u64> {
    u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
}

/// Where the log ends in the segment before, as the header that `bytes` begin with has it; `None` if that is damaged.
pub(crate) fn previous_end(bytes: &[u8]) -> Option<u64> {
    let (header, _) = WireHeader::read_from_prefix(bytes).ok()?;
    let is_whole = header.magic == MAGIC && header.crc == crc32c::crc32c(&header.as_bytes()[..76]);
    is_whole.then_some(header.previous_end.get())
}

pub(crate) fn missing_before(dir: &Path, base: u64) -> String {
    format!("segment {} is missing before it", path_of(dir, base).display())
}

impl SegmentId {
    fn header(&self, base: u64, previous_end: u64) -> WireHeader {
        let mut header = WireHeader {
            magic: MAGIC,
            version: VERSION.into(),
            zero: 0.into(),
            shard: self.shard.0.into(),
            domain: self.domain.0.to_be_bytes(),
            base: base.into(),
            previous_end: previous_end.into(),
            segment_bytes: self.segment_bytes.into(),
            zero_end: 0.into(),
            crc: 0.into(),
        };
        header.crc = crc32c::crc32c(&header.as_bytes()[..76]).into();
        header
    }

    /// Makes a segment's file and all its space, which takes a while. It is not begun by that.
    pub(super) fn allocate(
        &self,
        storage: &dyn Storage,
        dir: &Path,
        base: u64,
        pace: &mut dyn FnMut(u64),
    ) -> Result<Box<dyn Blob>, ShardError> {
        let path = path_of(dir, base);
        storage.create(&path, self.segment_bytes, pace).context("cannot allocate segment", &path)
    }

    /// Begins a segment: its header is durable.
    pub(super) fn begin(
        &self,
        blob: &dyn Blob,
        dir: &Path,
        base: u64,
        previous_end: u64,
    ) -> Result<(), ShardError> {
        // A whole page spares the kernel the reading of its zeros.
        let mut page = self.header_bytes(base, previous_end);
        page.resize(PAGE_BYTES, 0);
        blob.write_at(&page, 0)
            .and_then(|()| blob.sync())
            .context("cannot begin segment", &path_of(dir, base))
    }

    /// The bytes that a segment's header has.
    pub(crate) fn header_bytes(&self, base: u64, previous_end: u64) -> Vec<u8> {
        self.header(base, previous_end).as_bytes().to_vec()
    }

    /// Checks a segment's header, field by field, so that the error can say which is off.
    pub(crate) fn check(&self, bytes: &[u8], file_bytes: u64, place: &Place) -> Result<(), Damage> {
        let damage = |offset, what: String| Err(Damage { offset, what });
        let Ok((header, _)) = WireHeader::read_from_prefix(bytes) else {
            return damage(0, "the file is shorter than a segment's header".into());
        };
        if header.magic != MAGIC {
            return damage(0, "it does not begin as a segment does".into());
        }
        if header.version != VERSION {
            return damage(8, format!("format version {}: expected {VERSION}", header.version.get()));
        }
        if header.crc.get() != crc32c::crc32c(&header.as_bytes()[..76]) {
            return damage(76, "the header's checksum does not match".into());
        }
        if header.shard != self.shard.0 || header.domain != self.domain.0.to_be_bytes() {
            return damage(
                12,
                format!("it is of shard {} of another deployment or shard", header.shard.get()),
            );
        }
        if header.segment_bytes != self.segment_bytes || file_bytes != self.segment_bytes {
            let (said, got) = (header.segment_bytes.get(), file_bytes);
            return damage(
                64,
                format!("{got} bytes long, {said} by its header: expected {}", self.segment_bytes),
            );
        }
        if header.base != place.base {
            return damage(48, format!("it stands at {}: expected {}", header.base.get(), place.base));
        }
        if let Some(end) = place.previous_end.filter(|end| header.previous_end != *end) {
            let said = header.previous_end.get();
            return damage(56, format!("the log ended at {said} before it, and now ends at {end}"));
        }
        Ok(())
    }

    /// Checks the header of a segment of which nothing else is read.
    fn check_head(&self, storage: &dyn Storage, path: &Path, place: &Place) -> Result<(), ShardError> {
        let blob = storage.open(path).context("cannot open segment", path)?;
        let file_bytes = blob.bytes().context("cannot read segment", path)?;
        let mut bytes = [0; size_of::<WireHeader>()];
        if file_bytes >= HEADER_BYTES {
            blob.read_at(&mut bytes, 0).context("cannot read segment", path)?;
        }
        let damaged = |Damage { offset, what }| ShardError::Corrupt { path: path.to_owned(), offset, what };
        self.check(&bytes, file_bytes, place).map_err(damaged)
    }

    /// Shows every frame of a segment from an offset on to `visit`, and finds out where and how the segment ends;
    /// changes nothing.
    ///
    /// A frame that is not valid is a torn tail when nothing after it was synced on top of it and it is more than one bit
    /// away from a valid one, else it is damage.
    pub(crate) fn examine(
        &self,
        bytes: &[u8],
        place: &Place,
        from: u64,
        visit: &mut dyn FnMut(LogPosition, &Frame<'_>) -> Result<(), ShardError>,
    ) -> Result<(LogPosition, Ending), ShardError> {
        let base = place.base;
        if let Err(damage) = self.check(bytes, bytes.len() as u64, place) {
            let begun = !place.last || holds_anything(bytes);
            let ending = if begun { Ending::Damaged(damage) } else { Ending::Unbegun };
            return Ok((LogPosition(base), ending));
        }
        let Scanned { end, stop } = scan(bytes, base, from.max(HEADER_BYTES), visit)?;
        let ending = match stop {
            None => Ending::Clean,
            Some(Damage { offset, what })
                if !place.last || has_marked_frame(bytes, base, offset + frame::ALIGN_BYTES as u64) =>
            {
                let what = format!("{what} although later frames were made durable");
                Ending::Damaged(Damage { offset, what })
            }
            Some(Damage { offset, what })
                if frame::mend(&bytes[to_usize(offset)..], LogPosition(base + offset)).is_some() =>
            {
                let what = format!("{what}: one bit of it has turned, which a repair turns back");
                Ending::Damaged(Damage { offset, what })
            }
            Some(_) => Ending::Torn { bytes: written_bytes(tail(&bytes[to_usize(end)..])) },
        };
        Ok((LogPosition(base + end), ending))
    }
}

/// The segments of a log, in order.
pub(crate) fn list(storage: &dyn Storage, dir: &Path) -> Result<Vec<PathBuf>, ShardError> {
    let files = storage.list(dir).context("cannot list directory", dir)?;
    Ok(files.into_iter().filter(|path| path.extension() == Some("seg".as_ref())).collect())
}

/// The segments of a log that were begun, in order: the writer makes one more ahead of its need.
pub(crate) fn list_begun(
    storage: &dyn Storage,
    dir: &Path,
    id: &SegmentId,
) -> Result<Vec<PathBuf>, ShardError> {
    let mut segments = list(storage, dir)?;
    if let Some(path) = segments.last()
        && let Some(base) = base_of(path)
    {
        let bytes = storage.map(path).context("cannot map segment", path)?;
        let place = Place { base, previous_end: None, last: true };
        if id.check(&bytes, bytes.len() as u64, &place).is_err() && !holds_anything(&bytes) {
            segments.pop();
        }
    }
    Ok(segments)
}

/// Reads a log from a position on, shows every frame to `visit`, and cuts the torn tail that a crash left. Of the
/// segments before, the headers are checked.
pub(crate) fn recover(
    storage: &dyn Storage,
    dir: &Path,
    id: &SegmentId,
    from: LogPosition,
    visit: &mut dyn FnMut(LogPosition, &Frame<'_>) -> Result<(), ShardError>,
) -> Result<Recovered, ShardError> {
    storage.create_dir(dir).context("cannot make directory", dir)?;
    let segments = list_begun(storage, dir, id)?;
    let (mut end, mut cut_bytes) = (Some(0), 0);
    for (n, path) in segments.iter().enumerate() {
        let base = n as u64 * id.segment_bytes;
        if *path != path_of(dir, base) {
            let what = missing_before(dir, base);
            return Err(ShardError::Corrupt { path: path.clone(), offset: 0, what });
        }
        let place = Place { base, previous_end: end, last: n + 1 == segments.len() };
        if base + id.segment_bytes <= from.0 {
            id.check_head(storage, path, &place)?;
            end = None;
            continue;
        }
        let bytes = storage.map(path).context("cannot map segment", path)?;
        let (found_end, ending) = id.examine(&bytes, &place, from.0.saturating_sub(base), visit)?;
        drop(bytes);
        match ending {
            Ending::Clean => {}
            Ending::Torn { bytes } => {
                cut(storage, path, found_end.0 - base, bytes)?;
                cut_bytes = bytes;
            }
            // It was found to be begun.
            Ending::Unbegun => unreachable!("a segment that is not begun is not listed"),
            Ending::Damaged(Damage { offset, what }) => {
                return Err(ShardError::Corrupt { path: path.clone(), offset, what });
            }
        }
        end = Some(found_end.0);
    }
    if segments.is_empty() {
        let blob = id.allocate(storage, dir, 0, &mut at_once)?;
        id.begin(&*blob, dir, 0, 0)?;
        end = Some(HEADER_BYTES);
    }
    // Without one the log ends before the position, which its frames would have shown.
    let Some(end) = end.filter(|end| *end >= from.0) else {
        let what = format!("it ends before {from}, where a checkpoint was taken");
        return Err(ShardError::Corrupt { path: dir.to_owned(), offset: 0, what });
    };
    Ok(Recovered { end: LogPosition(end), cut_bytes })
}

/// How far a segment can be read.
struct Scanned {
    /// Where what was visited ends.
    end: u64,
    /// What is wrong behind it, if it isn't just zeros.
    stop: Option<Damage>,
}

/// Visits frames until the first that is none.
///
/// The members of a bundle are nothing without its frame, which has their proof and stands behind them: they are visited
/// when it is there.
fn scan(
    bytes: &[u8],
    base: u64,
    from: u64,
    visit: &mut dyn FnMut(LogPosition, &Frame<'_>) -> Result<(), ShardError>,
) -> Result<Scanned, ShardError> {
    let (mut end, mut offset, mut members) = (from, from, Vec::new());
    loop {
        let rest = bytes.get(to_usize(offset)..).unwrap_or_default();
        let position = LogPosition(base + offset);
        let what = match frame::decode(rest, position) {
            Ok(decoded) => {
                offset += decoded.stride as u64;
                if decoded.frame.is_member() {
                    members.push((position, decoded.frame));
                    continue;
                }
                if members.is_empty() || matches!(decoded.frame, Frame::Bundle(_)) {
                    for (position, member) in members.drain(..) {
                        visit(position, &member)?;
                    }
                    visit(position, &decoded.frame)?;
                    end = offset;
                    continue;
                }
                offset = position.0 - base;
                "a bundle's frame is missing behind its members"
            }
            Err(FrameError::Unwritten) if members.is_empty() && written_bytes(tail(rest)) == 0 => {
                return Ok(Scanned { end, stop: None });
            }
            Err(FrameError::Unwritten) => "a frame was never written",
            Err(FrameError::Length) => "a frame's length is impossible",
            Err(FrameError::Crc) => "a frame's checksum does not match",
            Err(FrameError::Content(what)) => what,
        };
        return Ok(Scanned { end, stop: Some(Damage { offset, what: what.into() }) });
    }
}

/// Whether anything was ever appended to a segment, whatever its header says: that was durable before.
fn holds_anything(bytes: &[u8]) -> bool {
    bytes.get(to_usize(HEADER_BYTES)..).is_some_and(|frames| written_bytes(tail(frames)) > 0)
}

/// Whether a group's first frame stands anywhere from `offset` on: all before it had been synced. However far behind: who
/// lost more than a group lost what was synced.
fn has_marked_frame(bytes: &[u8], base: u64, offset: u64) -> bool {
    let from = to_usize(offset).min(bytes.len());
    let written = to_usize(written_bytes(&bytes[from..]));
    (from..from + written).step_by(frame::ALIGN_BYTES).any(|at| {
        frame::decode(&bytes[at..], LogPosition(base + at as u64)).is_ok_and(|decoded| decoded.first)
    })
}

/// Bytes after a log's end in which anything can stand: only the last group was not synced.
const TAIL_BYTES: usize = GROUP_BYTES_MAX + frame::ALIGN_BYTES;

fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(TAIL_BYTES)]
}

/// Writes a log's end once more, durably: its last group, which can reach back so far, and the zeros behind it.
///
/// What a sync could not write reads as it was written, until the system forgets it, and counts as written: another sync
/// would succeed without it. And what a killed process wrote need not have been synced at all.
pub(super) fn write_end_again(blob: &dyn Blob, end: u64, segment_bytes: u64) -> io::Result<()> {
    let from = end.saturating_sub(GROUP_BYTES_MAX as u64);
    let to = (end + TAIL_BYTES as u64).min(segment_bytes);
    let mut bytes = vec![0; to_usize(to - from)];
    blob.read_at(&mut bytes[..to_usize(end - from)], from)?;
    blob.write_at(&bytes, from)?;
    blob.sync()
}

/// Bytes up to the last one that is not zero.
pub(crate) fn written_bytes(bytes: &[u8]) -> u64 {
    const ZEROS: [u8; 4096] = [0; 4096];
    let last = bytes.chunks(ZEROS.len()).rposition(|chunk| *chunk != ZEROS[..chunk.len()]);
    let end = last.map_or(0, |at| bytes.len().min((at + 1) * ZEROS.len()));
    let zeros = bytes[..end].iter().rev().take_while(|byte| **byte == 0).count();
    (end - zeros) as u64
}

/// Makes zeros of a torn tail, so that no part of it can be taken for a frame later.
fn cut(storage: &dyn Storage, path: &Path, offset: u64, bytes: u64) -> Result<(), ShardError> {
    if bytes == 0 {
        return Ok(());
    }
    tracing::warn!(segment = %path.display(), offset, bytes, "cut a torn tail that was never acknowledged");
    let blob = storage.open(path).context("cannot open segment", path)?;
    blob.write_at(&vec![0; to_usize(bytes)], offset)
        .and_then(|()| blob.sync())
        .context("cannot cut the torn tail of segment", path)
}

/// A length or offset in a mapped file.
#[expect(clippy::cast_possible_truncation, reason = "segments are at most 1 GiB")]
pub(crate) const fn to_usize(bytes: u64) -> usize {
    bytes as usize
}

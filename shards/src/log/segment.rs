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
    limits::GROUP_BYTES_MAX,
};
use arterial_protocol::{Domain, ShardId};
use arterial_storage::{Blob, Storage};
use std::path::{Path, PathBuf};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTSEG\r\n";
const VERSION: u16 = 1;
pub(super) const HEADER_BYTES: u64 = size_of::<WireHeader>() as u64;

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

pub(super) fn path_of(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:016x}.seg"))
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

    /// Makes a segment whose space is allocated and whose header is durable.
    pub(super) fn create(
        &self,
        storage: &dyn Storage,
        dir: &Path,
        base: u64,
        previous_end: u64,
    ) -> Result<Box<dyn Blob>, ShardError> {
        let path = path_of(dir, base);
        let blob = storage.create(&path, self.segment_bytes).context("cannot allocate segment", &path)?;
        blob.write_at(self.header(base, previous_end).as_bytes(), 0)
            .and_then(|()| blob.sync())
            .context("cannot begin segment", &path)?;
        Ok(blob)
    }

    /// Checks a segment's header, field by field, so that the error can say which is off.
    fn check(&self, bytes: &[u8], base: u64, previous_end: u64, path: &Path) -> Result<(), ShardError> {
        let corrupt = |offset, what: String| Err(ShardError::Corrupt { path: path.to_owned(), offset, what });
        let Ok((header, _)) = WireHeader::read_from_prefix(bytes) else {
            return corrupt(0, "the file is shorter than a segment's header".into());
        };
        if header.magic != MAGIC {
            return corrupt(0, "it does not begin as a segment does".into());
        }
        if header.version != VERSION {
            return corrupt(8, format!("format version {}: expected {VERSION}", header.version.get()));
        }
        if header.crc.get() != crc32c::crc32c(&header.as_bytes()[..76]) {
            return corrupt(76, "the header's checksum does not match".into());
        }
        if header.shard != self.shard.0 || header.domain != self.domain.0.to_be_bytes() {
            return corrupt(
                12,
                format!("it is of shard {} of another deployment or shard", header.shard.get()),
            );
        }
        if header.segment_bytes != self.segment_bytes || bytes.len() as u64 != self.segment_bytes {
            let (said, got) = (header.segment_bytes.get(), bytes.len());
            return corrupt(
                64,
                format!("{got} bytes long, {said} by its header: expected {}", self.segment_bytes),
            );
        }
        if header.base != base {
            return corrupt(48, format!("it stands at {}: expected {base}", header.base.get()));
        }
        if header.previous_end != previous_end {
            let said = header.previous_end.get();
            return corrupt(56, format!("the log ended at {said} before it, and now ends at {previous_end}"));
        }
        Ok(())
    }
}

/// Reads a whole log, shows every frame to `visit`, and cuts a torn tail.
///
/// A frame that is not valid is a torn tail when nothing after it was synced on top of it, else it is corruption.
pub(crate) fn recover(
    storage: &dyn Storage,
    dir: &Path,
    id: &SegmentId,
    visit: &mut dyn FnMut(LogPosition, &Frame<'_>) -> Result<(), ShardError>,
) -> Result<Recovered, ShardError> {
    storage.create_dir(dir).context("cannot make directory", dir)?;
    let files = storage.list(dir).context("cannot list directory", dir)?;
    let segments: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension() == Some("seg".as_ref())).collect();
    let mut end = 0;
    let mut cut_bytes = 0;
    for (n, path) in segments.iter().enumerate() {
        let base = n as u64 * id.segment_bytes;
        if *path != path_of(dir, base) {
            let what = format!("segment {} is missing before it", path_of(dir, base).display());
            return Err(ShardError::Corrupt { path: path.clone(), offset: 0, what });
        }
        let last = n + 1 == segments.len();
        let bytes = storage.map(path).context("cannot map segment", path)?;
        if let Err(error) = id.check(&bytes, base, end, path) {
            if last && !has_marked_frame(&bytes, base, HEADER_BYTES) {
                // The process ended while it made this segment: nothing was ever in it.
                drop(bytes);
                id.create(storage, dir, base, end)?;
                end = base + HEADER_BYTES;
                break;
            }
            return Err(error);
        }
        let (offset, stop) = scan(&bytes, base, visit)?;
        end = base + offset;
        if stop.is_none() {
            continue;
        }
        if !last || has_marked_frame(&bytes, base, offset + frame::ALIGN_BYTES as u64) {
            let what = format!("{} although later frames were made durable", stop.unwrap_or_default());
            return Err(ShardError::Corrupt { path: path.clone(), offset, what });
        }
        cut_bytes = written_bytes(tail(&bytes[to_usize(offset)..]));
        drop(bytes);
        cut(storage, path, offset, cut_bytes)?;
    }
    if segments.is_empty() {
        id.create(storage, dir, 0, 0)?;
        end = HEADER_BYTES;
    }
    Ok(Recovered { end: LogPosition(end), cut_bytes })
}

/// Visits frames until the first that is none; says where that is, and what is wrong if it isn't just zeros.
fn scan(
    bytes: &[u8],
    base: u64,
    visit: &mut dyn FnMut(LogPosition, &Frame<'_>) -> Result<(), ShardError>,
) -> Result<(u64, Option<&'static str>), ShardError> {
    let mut offset = HEADER_BYTES;
    loop {
        let rest = bytes.get(to_usize(offset)..).unwrap_or_default();
        let position = LogPosition(base + offset);
        match frame::decode(rest, position) {
            Ok(decoded) => {
                visit(position, &decoded.frame)?;
                offset += decoded.stride as u64;
            }
            Err(FrameError::Unwritten) if written_bytes(tail(rest)) == 0 => return Ok((offset, None)),
            Err(FrameError::Unwritten) => return Ok((offset, Some("a frame was never written"))),
            Err(FrameError::Length) => return Ok((offset, Some("a frame's length is impossible"))),
            Err(FrameError::Crc) => return Ok((offset, Some("a frame's checksum does not match"))),
            Err(FrameError::Content(what)) => return Ok((offset, Some(what))),
        }
    }
}

/// Whether a group's first frame stands anywhere from `offset` on: all before it had been synced.
fn has_marked_frame(bytes: &[u8], base: u64, offset: u64) -> bool {
    let from = to_usize(offset).min(bytes.len());
    (from..from + tail(&bytes[from..]).len()).step_by(frame::ALIGN_BYTES).any(|at| {
        frame::decode(&bytes[at..], LogPosition(base + at as u64)).is_ok_and(|decoded| decoded.first)
    })
}

/// The part after a log's end in which anything can stand: only the last group was not synced, and a group that
/// followed a damaged one begins within it.
fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(GROUP_BYTES_MAX + frame::ALIGN_BYTES)]
}

/// Bytes up to the last one that is not zero, rounded up.
fn written_bytes(bytes: &[u8]) -> u64 {
    const ZEROS: [u8; 4096] = [0; 4096];
    let chunk = bytes.chunks(ZEROS.len()).rposition(|chunk| *chunk != ZEROS[..chunk.len()]);
    chunk.map_or(0, |at| bytes.len().min((at + 1) * ZEROS.len()) as u64)
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
const fn to_usize(bytes: u64) -> usize {
    bytes as usize
}

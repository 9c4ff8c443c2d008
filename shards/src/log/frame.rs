//! One entry of the log.
//!
//! ```text
//!  0 body bytes u32 │ 4 CRC-32C u32 of position ‖ bytes 8‥16 ‖ body │ 8 kind u8 │ 9 first of its group u8
//! 10 tag type u8 │ 11 zero u8 │ 12 slot u32
//! 16 body, a multiple of 8 bytes
//!
//! kind 1, enrolment:  device id[16] │ key or hash of the MAC key[32] │ credential type u8 │ zeros[7]
//! kind 2, record:     see `record`
//! kind 3, cut:        block u64
//! kind 4, seal:       block u64 │ data digest[32], zeros for an empty batch
//! kind 5, bundle:     see `bundle`
//! ```
//! Little-endian. The CRC covers the position, so that a frame is valid in one place only. A group's first frame is
//! marked: a group is appended only after the one before was synced, so a marked frame vouches for all before it.

use super::{
    LogPosition,
    bundle::BundleFrame,
    record::{self, StoredRecord, StoredTag},
    segment::{to_usize, written_bytes},
};
use arterial_protocol::{BlockNumber, Credential, DataDigest, DeviceId, limits::RECORD_ALIGN_BYTES};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

const ENROLMENT: u8 = 1;
pub(super) const RECORD: u8 = 2;
const CUT: u8 = 3;
const SEAL: u8 = 4;
const BUNDLE: u8 = 5;

pub(crate) const HEAD_BYTES: usize = size_of::<WireHead>();
pub(crate) const ALIGN_BYTES: usize = 8;
/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// Bytes of a cut's frame.
pub(crate) const CUT_FRAME_BYTES: u64 = HEAD_BYTES as u64 + 8;
/// The largest body of any kind.
const BODY_BYTES_MAX: usize = {
    let (record, bundle) = (record::BODY_BYTES_MAX, super::bundle::BODY_BYTES_MAX);
    if record > bundle { record } else { bundle }
};
/// Bytes of the largest frame.
pub(super) const FRAME_BYTES_MAX: usize = HEAD_BYTES + BODY_BYTES_MAX;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct WireHead {
    body_bytes: U32,
    crc: U32,
    pub(super) kind: u8,
    first: u8,
    pub(super) tag: u8,
    zero: u8,
    pub(super) slot: U32,
}

/// An entry as it stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'a> {
    /// A device takes a slot.
    Enrolment { slot: u32, device: DeviceId, credential: Credential },
    /// A device's write was accepted.
    Record { slot: u32, record: StoredRecord<'a> },
    /// Everything before, but what is over the cap of its device, goes into a block.
    Cut { number: BlockNumber },
    /// The block's batch is on disk.
    Seal { number: BlockNumber, data: DataDigest },
    /// What the records before it that came in one bundle share.
    Bundle(BundleFrame<'a>),
}

/// Why bytes are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameError {
    /// Zeros: nothing was written here.
    Unwritten,
    /// The length is none.
    Length,
    /// The checksum is another.
    Crc,
    /// The checksum fits, the content makes no sense.
    Content(&'static str),
}

/// A valid frame and what follows from its head.
pub(crate) struct Decoded<'a> {
    pub(crate) frame: Frame<'a>,
    /// Bytes to the next frame.
    pub(crate) stride: usize,
    /// Whether it is the first of its group.
    pub(crate) first: bool,
}

/// The head of a frame that is not finished.
pub(super) fn head(body_bytes: usize, kind: u8, tag: u8, slot: u32) -> WireHead {
    assert!(body_bytes <= BODY_BYTES_MAX, "what is validated fits a frame");
    debug_assert!(body_bytes.is_multiple_of(ALIGN_BYTES) && body_bytes > 0);
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    let body_bytes = (body_bytes as u32).into();
    WireHead { body_bytes, crc: 0.into(), kind, first: 0, tag, zero: 0, slot: slot.into() }
}

impl Frame<'_> {
    /// Whether it is a record that came in a bundle, whose frame stands behind it.
    pub(crate) const fn is_member(&self) -> bool {
        matches!(self, Self::Record { record: StoredRecord { tag: StoredTag::Bundled { .. }, .. }, .. })
    }

    /// Appends a frame that is no record, ready to be [finished](finish).
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        let (kind, slot) = match self {
            Self::Enrolment { slot, device, credential } => {
                out.extend_from_slice(&device.0);
                out.extend_from_slice(credential.bytes());
                out.extend_from_slice(&[credential.tag(), 0, 0, 0, 0, 0, 0, 0]);
                (ENROLMENT, *slot)
            }
            Self::Record { .. } => unreachable!("records are laid out by `lay_record`"),
            Self::Cut { number } => {
                out.extend_from_slice(&number.0.to_le_bytes());
                (CUT, 0)
            }
            Self::Seal { number, data } => {
                out.extend_from_slice(&number.0.to_le_bytes());
                out.extend_from_slice(&data.0);
                (SEAL, 0)
            }
            Self::Bundle(bundle) => {
                bundle.append(out);
                (BUNDLE, 0)
            }
        };
        let body_bytes = out.len() - at - HEAD_BYTES;
        out[at..at + HEAD_BYTES].copy_from_slice(head(body_bytes, kind, 0, slot).as_bytes());
    }
}

/// Completes a frame that is laid out: from here on it is valid at `position`, and there only.
pub(crate) fn finish(frame: &mut [u8], position: LogPosition, first: bool) {
    let (head, body) = WireHead::mut_from_prefix(frame).expect("a frame that is laid out has a head");
    head.first = u8::from(first);
    head.crc = crc(position, head, body).into();
}

fn crc(position: LogPosition, head: &WireHead, body: &[u8]) -> u32 {
    let mut start = [0; 16];
    start[..8].copy_from_slice(&position.0.to_le_bytes());
    start[8..].copy_from_slice(&head.as_bytes()[8..]);
    crc32c::crc32c_append(crc32c::crc32c(&start), body)
}

/// The frame at the start of `bytes`, which stand at `position`.
pub(crate) fn decode(bytes: &[u8], position: LogPosition) -> Result<Decoded<'_>, FrameError> {
    let (head, rest) = WireHead::ref_from_prefix(bytes).map_err(|_| FrameError::Unwritten)?;
    let body_bytes = head.body_bytes.get() as usize;
    if body_bytes == 0 {
        return Err(FrameError::Unwritten);
    }
    if body_bytes > BODY_BYTES_MAX || !body_bytes.is_multiple_of(ALIGN_BYTES) {
        return Err(FrameError::Length);
    }
    let body = rest.get(..body_bytes).ok_or(FrameError::Length)?;
    if crc(position, head, body) != head.crc.get() {
        return Err(FrameError::Crc);
    }
    let frame = decode_body(head, body).map_err(FrameError::Content)?;
    Ok(Decoded { frame, stride: HEAD_BYTES + body_bytes, first: head.first == 1 })
}

/// How long the frame at the start of `bytes` is, as far as its head is one.
pub(super) fn bytes_at(bytes: &[u8]) -> usize {
    let body_bytes = WireHead::ref_from_prefix(bytes).map_or(0, |(head, _)| head.body_bytes.get() as usize);
    HEAD_BYTES + body_bytes.min(BODY_BYTES_MAX)
}

/// What the frame at the start of `bytes` would say if its checksum fitted: for telling what was lost, not for believing.
pub(crate) fn glimpse(bytes: &[u8]) -> Option<Frame<'_>> {
    let (head, rest) = WireHead::ref_from_prefix(bytes).ok()?;
    decode_body(head, rest.get(..head.body_bytes.get() as usize)?).ok()
}

/// Whether the frame at the start of `bytes`, which stand at `position`, lacks a part that was never written: what a crash
/// leaves, and a disk that forgets single bytes does not. Where it can't be told from a record's padding, it is not.
pub(crate) fn lacks_a_part(bytes: &[u8], position: LogPosition) -> bool {
    let Ok((head, _)) = WireHead::ref_from_prefix(bytes) else { return true };
    let length = match head.body_bytes.get() as usize {
        0 => return true,
        body_bytes if body_bytes > BODY_BYTES_MAX => HEAD_BYTES,
        body_bytes => HEAD_BYTES + body_bytes,
    };
    let frame = &bytes[..length.min(bytes.len())];
    let is_unwritten = |part: &[u8]| part.len() >= RECORD_ALIGN_BYTES && written_bytes(part) == 0;
    // Disks write sectors, in any order, and a killed process the beginning of what it wrote.
    let sector_left = SECTOR_BYTES - to_usize(position.0 % SECTOR_BYTES as u64);
    let (first, sectors) = frame.split_at(sector_left.min(frame.len()));
    let end = to_usize(written_bytes(frame));
    let is_cut_short = written_bytes(bytes) == end as u64 && is_unwritten(&frame[end..]);
    is_cut_short || is_unwritten(first) || sectors.chunks(SECTOR_BYTES).any(is_unwritten)
}

/// The one bit at the start of `bytes` whose turning makes a valid frame of them; its number.
///
/// CRC-32C tells apart all messages of this length that differ in up to three bits. So if one bit has turned there is no other
/// that could mend the frame, and if three or more have, one of a few hundred thousand frames would seem to be mended. A bit
/// behind the last one that is set is no turned one: what is missing there was not written.
pub(crate) fn mend(bytes: &[u8], position: LogPosition) -> Option<usize> {
    let written = to_usize(written_bytes(bytes));
    let mut bytes = bytes[..bytes.len().min(FRAME_BYTES_MAX)].to_vec();
    let (head, rest) = WireHead::ref_from_prefix(&bytes).ok()?;
    let in_body = rest.get(..head.body_bytes.get() as usize).and_then(|body| {
        let bit = turned_bit(body, crc(position, head, body) ^ head.crc.get())?;
        Some(8 * HEAD_BYTES + bit)
    });
    (0..8 * HEAD_BYTES).chain(in_body).filter(|bit| bit / 8 < written).find(|bit| {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        bytes[at] ^= mask;
        let is_frame = decode(&bytes, position).is_ok();
        bytes[at] ^= mask;
        is_frame
    })
}

/// The bit of a body whose turning changes its checksum like this. How a bit does is a matter of how many bytes follow it.
fn turned_bit(body: &[u8], change: u32) -> Option<usize> {
    let with_a_zero = |change| crc32c::crc32c_append(change, &[0]) ^ crc32c::crc32c(&[0]);
    let mut changes: [u32; 8] =
        core::array::from_fn(|bit| crc32c::crc32c(&[1 << bit]) ^ crc32c::crc32c(&[0]));
    (0..body.len()).rev().find_map(|at| {
        let bit = changes.iter().position(|of_bit| *of_bit == change);
        changes = changes.map(with_a_zero);
        bit.map(|bit| 8 * at + bit)
    })
}

fn decode_body<'a>(head: &WireHead, body: &'a [u8]) -> Result<Frame<'a>, &'static str> {
    let slot = head.slot.get();
    match head.kind {
        ENROLMENT => {
            let body: &[u8; 56] = body.try_into().map_err(|_| "an enrolment has another length")?;
            let (device, rest) = body.split_first_chunk::<16>().ok_or("an enrolment is cut short")?;
            let (key, rest) = rest.split_first_chunk::<32>().ok_or("an enrolment is cut short")?;
            let &[tag, 0, 0, 0, 0, 0, 0, 0] = rest else { return Err("a reserved byte is not zero") };
            let credential = Credential::from_parts(tag, *key).ok_or("an unknown type of credential")?;
            Ok(Frame::Enrolment { slot, device: DeviceId(*device), credential })
        }
        RECORD => Ok(Frame::Record { slot, record: StoredRecord::decode(head.tag, body)? }),
        CUT => {
            let number = body.try_into().map_err(|_| "a cut has another length")?;
            Ok(Frame::Cut { number: BlockNumber(u64::from_le_bytes(number)) })
        }
        SEAL => {
            let (number, data) = body.split_first_chunk::<8>().ok_or("a seal is cut short")?;
            let data = data.try_into().map_err(|_| "a data digest has another length")?;
            Ok(Frame::Seal { number: BlockNumber(u64::from_le_bytes(*number)), data: DataDigest(data) })
        }
        BUNDLE => Ok(Frame::Bundle(BundleFrame::decode(body)?)),
        _ => Err("an unknown kind of frame"),
    }
}

#[cfg(test)]
mod tests;

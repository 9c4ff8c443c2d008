//! One entry of the log.
//!
//! ```text
//!  0 body bytes u32 │ 4 CRC-32C u32 of position ‖ bytes 8‥16 ‖ body │ 8 kind u8 │ 9 first of its group u8
//! 10 tag type u8 │ 11 zero u8 │ 12 slot u32
//! 16 body, then zeros to a multiple of 8
//!
//! kind 1, enrolment:  device id[16] │ credential type u8 │ key or hash of the MAC key[32]
//! kind 2, record:     digest[32] │ bytes 32‥72+payload of the canonical record │ tag[64 or 32]
//! kind 3, seal:       block u64 │ data digest[32], zeros for an empty batch
//! ```
//! Little-endian. The log has the record's digest where the canonical record has its salt: so replay needs no
//! key, and once a subject's key is destroyed the log alone can't link a payload to what was committed.
//!
//! The CRC covers the position, so that a frame is valid in one place only. A group's first frame is marked:
//! a group is appended only after the one before was synced, so a marked frame vouches for all before it.

use super::LogPosition;
use arterial_protocol::{
    BlockNumber, Credential, DataDigest, DeviceId, Digest, Link, Salt, Tag, Write,
    limits::{RECORD_BYTES_MAX, SEQ_END},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

const ENROLMENT: u8 = 1;
const RECORD: u8 = 2;
const SEAL: u8 = 3;

pub(super) const HEAD_BYTES: usize = size_of::<WireHead>();
pub(super) const ALIGN_BYTES: usize = 8;
/// Bytes of the signed part before its payload: bytes 32 to 72 of the canonical record.
const SIGNED_HEAD_BYTES: usize = 40;
const DIGEST_BYTES: usize = 32;
/// A whole canonical record and the longest tag.
const BODY_BYTES_MAX: usize = RECORD_BYTES_MAX + 64;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    body_bytes: U32,
    crc: U32,
    kind: u8,
    first: u8,
    tag: u8,
    zero: u8,
    slot: U32,
}

/// An entry as it stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'a> {
    /// A device takes a slot.
    Enrolment { slot: u32, device: DeviceId, credential: Credential },
    /// A device's write was accepted.
    Record { slot: u32, record: StoredRecord<'a> },
    /// Everything before, but what is over the cap of its device, is in a block.
    Seal { number: BlockNumber, data: DataDigest },
}

/// A record without its salt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoredRecord<'a> {
    pub(crate) digest: Digest,
    pub(crate) write: Write<'a>,
    pub(crate) tag: StoredTag<'a>,
}

/// The tag that came with a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoredTag<'a> {
    Ed25519(&'a [u8; 64]),
    Mac(&'a [u8; 32]),
    Host,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FrameError {
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
pub(super) struct Decoded<'a> {
    pub(super) frame: Frame<'a>,
    /// Bytes to the next frame.
    pub(super) stride: usize,
    /// Whether it is the first of its group.
    pub(super) first: bool,
}

/// Bytes that a record with this payload takes in the log at most.
pub(crate) const fn record_frame_bytes_max(payload_bytes: usize) -> usize {
    (HEAD_BYTES + DIGEST_BYTES + SIGNED_HEAD_BYTES + payload_bytes + 64).next_multiple_of(ALIGN_BYTES)
}

impl Frame<'_> {
    /// Appends the frame to a group's buffer, in which byte 0 will stand at `start`.
    pub(crate) fn append(&self, start: LogPosition, out: &mut Vec<u8>) -> LogPosition {
        let at = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        let (kind, slot, tag) = match self {
            Self::Enrolment { slot, device, credential } => {
                out.extend_from_slice(&device.0);
                out.push(credential.tag());
                out.extend_from_slice(credential.bytes());
                (ENROLMENT, *slot, 0)
            }
            Self::Record { slot, record } => {
                out.extend_from_slice(&record.digest.to_bytes());
                record.write.encode_body(out);
                let tag = match record.tag {
                    StoredTag::Ed25519(signature) => {
                        out.extend_from_slice(signature);
                        1
                    }
                    StoredTag::Mac(mac) => {
                        out.extend_from_slice(mac);
                        2
                    }
                    StoredTag::Host => 3,
                };
                (RECORD, *slot, tag)
            }
            Self::Seal { number, data } => {
                out.extend_from_slice(&number.0.to_le_bytes());
                out.extend_from_slice(&data.0);
                (SEAL, 0, 0)
            }
        };
        let body_bytes = out.len() - at - HEAD_BYTES;
        assert!(body_bytes <= BODY_BYTES_MAX, "a validated write fits a frame");
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        let mut head = WireHead {
            body_bytes: (body_bytes as u32).into(),
            crc: 0.into(),
            kind,
            first: u8::from(at == 0),
            tag,
            zero: 0,
            slot: slot.into(),
        };
        let position = LogPosition(start.0 + at as u64);
        head.crc = crc(position, &head, &out[at + HEAD_BYTES..]).into();
        out[at..at + HEAD_BYTES].copy_from_slice(head.as_bytes());
        out.resize(out.len().next_multiple_of(ALIGN_BYTES), 0);
        position
    }
}

fn crc(position: LogPosition, head: &WireHead, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&position.0.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &head.as_bytes()[8..]);
    crc32c::crc32c_append(crc, body)
}

/// The frame at the start of `bytes`, which stand at `position`.
pub(super) fn decode(bytes: &[u8], position: LogPosition) -> Result<Decoded<'_>, FrameError> {
    let (head, rest) = WireHead::ref_from_prefix(bytes).map_err(|_| FrameError::Unwritten)?;
    let body_bytes = head.body_bytes.get() as usize;
    if body_bytes == 0 {
        return Err(FrameError::Unwritten);
    }
    if body_bytes > BODY_BYTES_MAX {
        return Err(FrameError::Length);
    }
    let padded = rest.get(..body_bytes.next_multiple_of(ALIGN_BYTES)).ok_or(FrameError::Length)?;
    let (body, padding) = padded.split_at(body_bytes);
    if crc(position, head, body) != head.crc.get() || padding.iter().any(|&byte| byte != 0) {
        return Err(FrameError::Crc);
    }
    let frame = decode_body(head, body)?;
    Ok(Decoded { frame, stride: HEAD_BYTES + padded.len(), first: head.first == 1 })
}

fn decode_body<'a>(head: &WireHead, body: &'a [u8]) -> Result<Frame<'a>, FrameError> {
    let content = FrameError::Content;
    let slot = head.slot.get();
    match head.kind {
        ENROLMENT => {
            let (device, rest) =
                body.split_first_chunk::<16>().ok_or(content("an enrolment is cut short"))?;
            let (&[tag], key) = rest.split_first_chunk::<1>().ok_or(content("an enrolment is cut short"))?;
            let key = key.try_into().map_err(|_| content("a credential has another length"))?;
            let credential = Credential::from_parts(tag, key).ok_or(content("an unknown credential type"))?;
            Ok(Frame::Enrolment { slot, device: DeviceId(*device), credential })
        }
        RECORD => Ok(Frame::Record { slot, record: decode_record(head.tag, body)? }),
        SEAL => {
            let (number, data) = body.split_first_chunk::<8>().ok_or(content("a seal is cut short"))?;
            let data = data.try_into().map_err(|_| content("a data digest has another length"))?;
            Ok(Frame::Seal { number: BlockNumber(u64::from_le_bytes(*number)), data: DataDigest(data) })
        }
        _ => Err(content("an unknown kind of frame")),
    }
}

fn decode_record(tag: u8, body: &[u8]) -> Result<StoredRecord<'_>, FrameError> {
    let content = FrameError::Content;
    let (digest, rest) = body.split_first_chunk::<DIGEST_BYTES>().ok_or(content("a record is cut short"))?;
    let digest = Digest::from_bytes(*digest).ok_or(content("a digest is not canonical"))?;
    let (signed, tag) = match tag {
        1 => rest.split_last_chunk::<64>().map(|(signed, tag)| (signed, StoredTag::Ed25519(tag))),
        2 => rest.split_last_chunk::<32>().map(|(signed, tag)| (signed, StoredTag::Mac(tag))),
        3 => Some((rest, StoredTag::Host)),
        _ => return Err(content("an unknown type of tag")),
    }
    .ok_or(content("a tag is cut short"))?;
    let write = Write::decode_body(signed).ok_or(content("a record's fields are out of range"))?;
    Ok(StoredRecord { digest, write, tag })
}

impl StoredRecord<'_> {
    /// What the record adds to its device's head.
    pub(crate) fn link(&self) -> Link {
        const { assert!(SEQ_END <= u32::MAX as u64) };
        #[expect(clippy::cast_possible_truncation, reason = "a validated seq is below SEQ_END, which fits")]
        let seq = self.write.seq as u32;
        Link { digest: self.digest, seq, observed_at_ms: self.write.observed_at_ms, kind: self.write.kind }
    }

    /// The canonical record's salt, given back by the subject's key.
    pub(crate) fn salt(&self, subject_key: &[u8; 32]) -> Salt {
        Salt::derive(subject_key, self.write.device, self.write.seq)
    }
}

impl<'a> From<&'a Tag> for StoredTag<'a> {
    fn from(tag: &'a Tag) -> Self {
        match tag {
            Tag::Ed25519(signature) => Self::Ed25519(signature),
            Tag::Mac(mac) => Self::Mac(mac),
            Tag::Host => Self::Host,
        }
    }
}

impl From<StoredTag<'_>> for Tag {
    fn from(tag: StoredTag<'_>) -> Self {
        match tag {
            StoredTag::Ed25519(signature) => Self::Ed25519(*signature),
            StoredTag::Mac(mac) => Self::Mac(*mac),
            StoredTag::Host => Self::Host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(payload: &[u8]) -> [Frame<'_>; 3] {
        let device = DeviceId([3; 16]);
        let write = Write { device, seq: 9, observed_at_ms: 1 << 41, kind: 2, payload };
        let record = StoredRecord { digest: Digest::reduce([8; 32]), write, tag: StoredTag::Mac(&[5; 32]) };
        [
            Frame::Enrolment { slot: 7, device, credential: Credential::Ed25519([1; 32]) },
            Frame::Record { slot: 7, record },
            Frame::Seal { number: BlockNumber(4), data: DataDigest([6; 32]) },
        ]
    }

    #[test]
    fn bytes_are_pinned_and_round_trip() {
        let mut bytes = Vec::new();
        let start = LogPosition(64);
        let positions = frames(b"98 bpm").map(|frame| frame.append(start, &mut bytes));
        let mut rest = &bytes[..];
        for (n, (position, frame)) in positions.into_iter().zip(frames(b"98 bpm")).enumerate() {
            let decoded = decode(rest, position).ok().unwrap();
            rest = &rest[decoded.stride..];
            assert_eq!((decoded.frame, decoded.first), (frame, n == 0));
        }
        // A change of this checksum is a change of the format: give the segment header a new version.
        assert_eq!(crc32c::crc32c(&bytes), 506_807_026);
    }

    #[test]
    fn a_frame_is_valid_in_its_place_only() {
        let mut bytes = Vec::new();
        let position = frames(b"x")[1].append(LogPosition(64), &mut bytes);
        assert!(decode(&bytes, position).is_ok());
        assert_eq!(decode(&bytes, LogPosition(position.0 + 8)).err(), Some(FrameError::Crc));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_noticed(at: prop::sample::Index, flip in 1u8..) {
            for frame in frames(b"98 bpm") {
                let mut bytes = Vec::new();
                frame.append(LogPosition(64), &mut bytes);
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
                prop_assert!(decode(&bytes, LogPosition(64)).is_err());
            }
        }

        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes, LogPosition(0));
        }
    }
}

//! A record in the log.
//!
//! ```text
//! body:  tag │ digest[32] │ bytes 32‥ of the canonical record, padding included
//!
//! tag type 1, Ed25519: signature[64]   2, MAC: mac[32]   3, host: nothing   4, bundled: index u16 │ zeros[6]
//! ```
//! The log has the record's digest where the canonical record has its salt: so replay needs no key, and once a
//! subject's key is destroyed the log alone can't link a payload to what was committed. The record's padding is in the
//! log so that a write is laid out once, by whoever submits it, and hashed where it lies.

use super::frame::{HEAD_BYTES, RECORD, WireHead, head};
use arterial_protocol::{
    DeviceId, Digest, Link, Salt, Tag, Write,
    limits::{RECORD_ALIGN_BYTES, RECORD_BYTES_MAX, RECORD_HEAD_BYTES, SEQ_END},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const BUNDLED_TAG_BYTES: usize = 8;
/// Where the canonical record has its salt, the log has the digest.
const DIGEST_BYTES: usize = 32;
/// The largest record with the longest tag.
pub(super) const BODY_BYTES_MAX: usize = 64 + RECORD_BYTES_MAX;

/// A record without its salt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoredRecord<'a> {
    pub(crate) digest: Digest,
    pub(crate) write: Write<'a>,
    pub(crate) tag: StoredTag,
}

/// What came with a write to show that it is its device's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoredTag {
    Own(Tag),
    /// The write's place in a bundle.
    Bundled {
        index: u16,
    },
}

impl StoredTag {
    const fn wire(&self) -> u8 {
        match self {
            Self::Own(Tag::Ed25519(_)) => 1,
            Self::Own(Tag::Mac(_)) => 2,
            Self::Own(Tag::Host) => 3,
            Self::Bundled { .. } => 4,
        }
    }

    const fn bytes(&self) -> usize {
        match tag_bytes(self.wire()) {
            Some(bytes) => bytes,
            None => unreachable!(),
        }
    }

    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Own(Tag::Ed25519(signature)) => out.extend_from_slice(signature),
            Self::Own(Tag::Mac(mac)) => out.extend_from_slice(mac),
            Self::Own(Tag::Host) => {}
            Self::Bundled { index } => {
                out.extend_from_slice(&index.to_le_bytes());
                out.extend_from_slice(&[0; BUNDLED_TAG_BYTES - 2]);
            }
        }
    }

    /// The tag of a record and what follows it.
    fn split(wire: u8, body: &[u8]) -> Option<(Self, &[u8])> {
        match wire {
            1 => body.split_first_chunk().map(|(tag, rest)| (Self::Own(Tag::Ed25519(*tag)), rest)),
            2 => body.split_first_chunk().map(|(tag, rest)| (Self::Own(Tag::Mac(*tag)), rest)),
            3 => Some((Self::Own(Tag::Host), body)),
            4 => match body.split_first_chunk()? {
                (&[low, high, 0, 0, 0, 0, 0, 0], rest) => {
                    Some((Self::Bundled { index: u16::from_le_bytes([low, high]) }, rest))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

const fn tag_bytes(wire: u8) -> Option<usize> {
    match wire {
        1 => Some(64),
        2 => Some(32),
        3 => Some(0),
        4 => Some(BUNDLED_TAG_BYTES),
        _ => None,
    }
}

/// Bytes of the canonical record of a write with this payload.
const fn canonical_bytes(payload_bytes: usize) -> usize {
    (RECORD_HEAD_BYTES + payload_bytes).next_multiple_of(RECORD_ALIGN_BYTES)
}

/// Bytes that a record takes in the log.
pub(crate) const fn record_frame_bytes(payload_bytes: usize, tag: &StoredTag) -> usize {
    HEAD_BYTES + tag.bytes() + canonical_bytes(payload_bytes)
}

/// Lays a record out at the end of a group; its slot and digest come later.
pub(crate) fn lay_record(write: &Write<'_>, tag: &StoredTag, out: &mut Vec<u8>) {
    let body_bytes = tag.bytes() + canonical_bytes(write.payload.len());
    let end = out.len() + HEAD_BYTES + body_bytes;
    out.extend_from_slice(head(body_bytes, RECORD, tag.wire(), 0).as_bytes());
    tag.append(out);
    out.extend_from_slice(&[0; DIGEST_BYTES]);
    write.encode_body(out);
    out.resize(end, 0);
}

impl<'a> StoredRecord<'a> {
    pub(super) fn decode(tag: u8, body: &'a [u8]) -> Result<Self, &'static str> {
        let (tag, rest) = StoredTag::split(tag, body).ok_or("a tag is none")?;
        let (digest, rest) = rest.split_first_chunk().ok_or("a record is cut short")?;
        let digest = Digest::from_bytes(*digest).ok_or("a digest is not canonical")?;
        let (fields, _) = Fields::ref_from_prefix(rest).map_err(|_| "a record is cut short")?;
        let signed_bytes = (RECORD_HEAD_BYTES - DIGEST_BYTES).checked_add(fields.payload_len.get() as usize);
        let (signed, padding) =
            signed_bytes.and_then(|end| rest.split_at_checked(end)).ok_or("a record is cut short")?;
        if padding.len() >= RECORD_ALIGN_BYTES || padding.iter().any(|&byte| byte != 0) {
            return Err("a record's padding is none");
        }
        let write = Write::decode_body(signed).ok_or("a record's fields are out of range")?;
        Ok(Self { digest, write, tag })
    }

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

/// Bytes 32‥72 of a canonical record.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Fields {
    device: [u8; 16],
    seq: U64,
    observed_at_ms: U64,
    kind: U16,
    flags: U16,
    payload_len: U32,
}

/// A record that is laid out in a group.
#[derive(Clone, Copy)]
pub(crate) struct Laid<'a> {
    tag: &'a [u8],
    /// The canonical record, with whatever stands in its salt's place.
    canonical: &'a [u8],
    fields: &'a Fields,
}

/// What kind of tag a laid record has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TagKind {
    Ed25519,
    Mac,
    Host,
    Bundled,
}

/// Where in its frame a record's canonical bytes begin, and what kind of tag stands before them; `None` for a frame of
/// another kind.
pub(crate) fn layout(frame: &[u8]) -> Option<(TagKind, usize)> {
    let (head, _) = WireHead::ref_from_prefix(frame).ok()?;
    let kind = match (head.kind, head.tag) {
        (RECORD, 1) => TagKind::Ed25519,
        (RECORD, 2) => TagKind::Mac,
        (RECORD, 3) => TagKind::Host,
        (RECORD, 4) => TagKind::Bundled,
        _ => return None,
    };
    Some((kind, HEAD_BYTES + tag_bytes(head.tag)?))
}

impl<'a> Laid<'a> {
    /// The record of a frame that [`lay_record`] made.
    pub(crate) fn new(frame: &'a [u8], canonical_at: usize) -> Self {
        let (before, canonical) = frame.split_at(canonical_at);
        let fields = Fields::ref_from_prefix(&canonical[DIGEST_BYTES..]);
        let (fields, _) = fields.expect("a record that is laid out has its fields");
        Self { tag: &before[HEAD_BYTES..], canonical, fields }
    }

    pub(crate) const fn device(&self) -> DeviceId {
        DeviceId(self.fields.device)
    }

    pub(crate) const fn seq(&self) -> u64 {
        self.fields.seq.get()
    }

    /// The tag's own bytes.
    pub(crate) const fn tag(&self) -> &'a [u8] {
        self.tag
    }

    /// What an Ed25519 signature covers, behind its domain.
    pub(crate) fn signed(&self) -> &'a [u8] {
        &self.canonical[DIGEST_BYTES..RECORD_HEAD_BYTES + self.fields.payload_len.get() as usize]
    }

    /// The link, once the digest is in its place.
    pub(crate) fn link(&self) -> Link {
        let digest = self.canonical.first_chunk().expect("a canonical record has a salt's place");
        #[expect(clippy::cast_possible_truncation, reason = "a validated seq is below SEQ_END, which fits")]
        let seq = self.seq() as u32;
        Link {
            digest: Digest::reduce(*digest),
            seq,
            observed_at_ms: self.fields.observed_at_ms.get(),
            kind: self.fields.kind.get(),
        }
    }
}

/// Puts the slot into a frame that is laid out.
pub(crate) fn set_slot(frame: &mut [u8], slot: u32) {
    let (head, _) = WireHead::mut_from_prefix(frame).expect("a frame that is laid out has a head");
    head.slot = slot.into();
}

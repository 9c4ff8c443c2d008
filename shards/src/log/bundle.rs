//! What the members of a bundle that stand in one log share.
//!
//! ```text
//!  0 signature[64] │ 64 seed of the blinds[32]
//! 96 writes u32, of the whole bundle │ 100 bytes back to the first member's frame u32
//! 104 siblings u32 │ 108 refused u32
//! 112 siblings × hash[32] │ refused × { index u32 │ zero u32 │ leaf[32] }
//! ```
//! The frame stands behind its members' records, with no other frame between them. `siblings` are the nodes of the
//! bundle's tree that, with the members' leaves, give its root; members that were refused are in no record, so their
//! leaves stand here.

use arterial_protocol::limits::BUNDLE_WRITES_MAX;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

/// Every leaf of the largest bundle is refused, and has a sibling.
pub(super) const BODY_BYTES_MAX: usize =
    size_of::<WireBundle>() + BUNDLE_WRITES_MAX * (32 + size_of::<RefusedMember>());

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireBundle {
    signature: [u8; 64],
    seed: [u8; 32],
    writes: U32,
    back: U32,
    siblings: U32,
    refused: U32,
}

/// Bytes of the frame of a bundle none of whose members is refused.
pub(crate) const fn frame_bytes(siblings: usize) -> usize {
    super::FRAME_HEAD_BYTES + size_of::<WireBundle>() + siblings * 32
}

/// A member that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RefusedMember {
    pub(crate) index: U32,
    pub(crate) zero: U32,
    pub(crate) leaf: [u8; 32],
}

/// A bundle's part in one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BundleFrame<'a> {
    pub(crate) signature: &'a [u8; 64],
    /// What its writes' blinds are made from.
    pub(crate) seed: &'a [u8; 32],
    /// Writes of the whole bundle.
    pub(crate) writes: u32,
    /// Bytes from the first member's frame to this one.
    pub(crate) back: u32,
    pub(crate) siblings: &'a [[u8; 32]],
    pub(crate) refused: &'a [RefusedMember],
}

impl<'a> BundleFrame<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "a bundle has at most BUNDLE_WRITES_MAX writes")]
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        let head = WireBundle {
            signature: *self.signature,
            seed: *self.seed,
            writes: self.writes.into(),
            back: self.back.into(),
            siblings: (self.siblings.len() as u32).into(),
            refused: (self.refused.len() as u32).into(),
        };
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(self.siblings.as_flattened());
        out.extend_from_slice(self.refused.as_bytes());
    }

    pub(super) fn decode(body: &'a [u8]) -> Result<Self, &'static str> {
        let cut_short = "a bundle is cut short";
        let (head, rest) = WireBundle::ref_from_prefix(body).map_err(|_| cut_short)?;
        let (siblings, rest) = <[[u8; 32]]>::ref_from_prefix_with_elems(rest, head.siblings.get() as usize)
            .map_err(|_| cut_short)?;
        let refused = <[RefusedMember]>::ref_from_bytes_with_elems(rest, head.refused.get() as usize)
            .map_err(|_| "a bundle has another length")?;
        if refused.iter().any(|member| member.zero.get() != 0) {
            return Err("a reserved byte is not zero");
        }
        Ok(Self {
            signature: &head.signature,
            seed: &head.seed,
            writes: head.writes.get(),
            back: head.back.get(),
            siblings,
            refused,
        })
    }
}

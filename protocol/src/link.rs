//! The 44 bytes by which batches and receipts carry one record's link.
//!
//! ```text
//! 0 digest[32] │ 32 seq u32 │ 36 kind u16 │ 38 observed_at_ms u48
//! ```

use crate::{
    account::Link,
    digest::Digest,
    limits::{OBSERVED_AT_MS_END, SEQ_END},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

/// One link on the wire.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct WireLink {
    digest: [u8; 32],
    seq: U32,
    kind: U16,
    observed_at_ms: [u8; 6],
}

impl From<&Link> for WireLink {
    fn from(link: &Link) -> Self {
        let [a, b, c, d, e, f, ..] = link.observed_at_ms.to_le_bytes();
        Self {
            digest: link.digest.to_bytes(),
            seq: link.seq.into(),
            kind: link.kind.into(),
            observed_at_ms: [a, b, c, d, e, f],
        }
    }
}

impl WireLink {
    /// The link, or `None` where a field is out of range.
    pub(crate) fn decode(&self) -> Option<Link> {
        let [a, b, c, d, e, f] = self.observed_at_ms;
        let link = Link {
            digest: Digest::from_bytes(self.digest)?,
            seq: self.seq.get(),
            observed_at_ms: u64::from_le_bytes([a, b, c, d, e, f, 0, 0]),
            kind: self.kind.get(),
        };
        (u64::from(link.seq) < SEQ_END && link.observed_at_ms < OBSERVED_AT_MS_END).then_some(link)
    }
}

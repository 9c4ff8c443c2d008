//! A proof's bytes: one encoding, bounded.
//!
//! ```text
//! 0 version u16, little-endian │ 2 postcard of the body
//! ```
//! The body is the untouched digests beside the claims, in the order in which a walk of the shards' trees meets them,
//! then each segment: its claims, its tables' heights, and Plonky3's proof. Postcard takes small integers in longer
//! encodings and bytes after the end, so what decodes is encoded again and must be the same bytes.

use crate::{
    config::{Config, ProofHash},
    error::StarkError,
    field::WireDigest,
    segment::Claim,
    shape::Shape,
};
use p3_batch_stark::BatchProof;
use serde::{Deserialize, Serialize};

const VERSION: u16 = 1;
/// Bytes of one proof.
pub(crate) const PROOF_BYTES_MAX: usize = 512 << 20;
/// Segments of one proof; a full batch of a full shard has eight.
pub(crate) const SEGMENTS_MAX: usize = 128;

/// What a proof says beside its statement, and why that is so.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Body<H: ProofHash> {
    /// Of the largest subtrees without a claim, shard by shard, left to right.
    pub(crate) untouched: Vec<WireDigest>,
    /// Shard by shard, left to right.
    pub(crate) segments: Vec<Segment<H>>,
}

/// Subtrees' claims and their proof.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Segment<H: ProofHash> {
    pub(crate) claims: Vec<Claim>,
    pub(crate) shape: Shape,
    pub(crate) proof: BatchProof<Config<H>>,
}

impl<H: ProofHash> Body<H> {
    #[cfg(feature = "prover")]
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self).expect("what the prover makes has an encoding")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StarkError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(StarkError::TooLong { max: PROOF_BYTES_MAX, got: bytes.len() });
        }
        let (version, body) =
            bytes.split_first_chunk().ok_or(StarkError::Malformed { fault: "they end early" })?;
        if u16::from_le_bytes(*version) != VERSION {
            return Err(StarkError::Malformed { fault: "another format version" });
        }
        let decoded: Self = postcard::from_bytes(body)
            .map_err(|_| StarkError::Malformed { fault: "not a proof's fields" })?;
        if encode(&decoded).is_none_or(|again| again != bytes) {
            return Err(StarkError::Malformed { fault: "another encoding of the same proof" });
        }
        Ok(decoded)
    }
}

fn encode<H: ProofHash>(body: &Body<H>) -> Option<Vec<u8>> {
    postcard::to_extend(body, VERSION.to_le_bytes().to_vec()).ok()
}

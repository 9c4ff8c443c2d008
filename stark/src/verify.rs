//! Checking a batch proof.

use crate::{
    config::{ProofHash, config},
    error::StarkError,
    field::WireDigest,
    proof::{Body, SEGMENTS_MAX, Segment},
    segment::Claim,
    soundness::{BITS_MIN, Soundness},
    statement::Statement,
};
use arterial_protocol::{
    Digest,
    limits::{ACCOUNTS_DEPTH, BATCH_ACCOUNTS_MAX, BATCH_RECORDS_MAX},
    poseidon::koala,
};
use p3_batch_stark::{ProverData, verify_batch};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A statement that a proof was checked for.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// What holds.
    pub statement: Statement,
    /// How sure each segment of the proof makes; none for a batch that touches nothing, which needs no proof.
    pub segments: Vec<Soundness>,
}

impl Verified {
    /// Bits proven by all segments together: a false statement passes with probability at most 2⁻ᵇⁱᵗˢ a try.
    #[must_use]
    pub fn bits(&self) -> f64 {
        Soundness::together(&self.segments)
    }
}

/// Checks that `proof` proves `statement`, to at least 100 proven bits.
///
/// # Errors
/// The first check that fails. It never panics, whatever the bytes.
pub fn verify<H: ProofHash>(statement: &Statement, proof: &[u8]) -> Result<Verified, StarkError> {
    let body = Body::<H>::decode(proof)?;
    if body.segments.len() > SEGMENTS_MAX {
        return Err(StarkError::Malformed { fault: "too many segments" });
    }
    check_claims(statement, &body)?;
    let mut segments = Vec::with_capacity(body.segments.len());
    for segment in &body.segments {
        segment.shape.check()?;
        segments.push(Soundness::of(&segment.shape, body.segments.len()));
    }
    let verified = Verified { statement: *statement, segments };
    if verified.bits() < BITS_MIN {
        return Err(StarkError::Soundness { expected: BITS_MIN, got: verified.bits() });
    }
    for (segment, soundness) in body.segments.iter().zip(&verified.segments) {
        check_segment(statement, segment, soundness)?;
    }
    Ok(verified)
}

/// Requires that the segments' claims add up to the statement.
fn check_claims<H: ProofHash>(statement: &Statement, body: &Body<H>) -> Result<(), StarkError> {
    // A count above the prime would read as a smaller one in the proof.
    if statement.record_count as usize > BATCH_RECORDS_MAX
        || statement.enrolment_count as usize > BATCH_ACCOUNTS_MAX
    {
        return Err(StarkError::Claim { what: "counts, which no batch has" });
    }
    let sum = |of: fn(&Claim) -> u32| -> u64 {
        body.segments.iter().map(|segment| u64::from(of(&segment.claim))).sum()
    };
    if u64::from(statement.record_count) != sum(|claim| claim.records) {
        return Err(StarkError::Claim { what: "record count" });
    }
    if u64::from(statement.enrolment_count) != sum(|claim| claim.enrolments) {
        return Err(StarkError::Claim { what: "enrolment count" });
    }
    if body.segments.iter().any(|segment| usize::from(segment.claim.level) > ACCOUNTS_DEPTH) {
        return Err(StarkError::Malformed { fault: "a segment is above the tree" });
    }
    let claims: Vec<Claim> = body.segments.iter().map(|segment| segment.claim).collect();
    let (old, new) = roots(&claims, &body.untouched)?;
    if old != statement.old_root {
        return Err(StarkError::Claim { what: "old root" });
    }
    if new != statement.new_root {
        return Err(StarkError::Claim { what: "new root" });
    }
    Ok(())
}

/// The tree's root before and after, from claims in order of place and the digests beside them.
pub(crate) fn roots(claims: &[Claim], untouched: &[WireDigest]) -> Result<(Digest, Digest), StarkError> {
    let mut untouched = untouched.iter();
    let roots = node(claims, &mut untouched, ACCOUNTS_DEPTH, 0)?;
    if untouched.next().is_some() {
        return Err(StarkError::Malformed { fault: "more digests than the tree has beside the segments" });
    }
    Ok(roots)
}

/// The node at this place before and after, from the claims at it or below it, which are in order of place.
fn node<'a>(
    claims: &[Claim],
    untouched: &mut impl Iterator<Item = &'a WireDigest>,
    level: usize,
    index: u32,
) -> Result<(Digest, Digest), StarkError> {
    match claims {
        [] => {
            let digest =
                untouched.next().ok_or(StarkError::Malformed { fault: "a subtree's digest is missing" })?;
            Ok((digest.0, digest.0))
        }
        [claim] if usize::from(claim.level) == level && claim.index == index => {
            Ok((claim.old.0, claim.new.0))
        }
        _ if level == 0 => Err(StarkError::Malformed { fault: "segments overlap or are out of the tree" }),
        _ => {
            let middle = claims.partition_point(|claim| claim.is_left_of(level - 1, 2 * index + 1));
            let (left, right) = claims.split_at(middle);
            let (old_left, new_left) = node(left, untouched, level - 1, 2 * index)?;
            let (old_right, new_right) = node(right, untouched, level - 1, 2 * index + 1)?;
            Ok((koala::node(old_left, old_right), koala::node(new_left, new_right)))
        }
    }
}

/// Requires that a segment's proof proves its claim.
fn check_segment<H: ProofHash>(
    statement: &Statement,
    segment: &Segment<H>,
    soundness: &Soundness,
) -> Result<(), StarkError> {
    let Segment { claim, shape, proof } = segment;
    let log_heights = shape.log_heights();
    if proof.degree_bits != log_heights {
        return Err(StarkError::Malformed { fault: "the tables' heights are not those of the segment" });
    }
    let tables = shape.tables();
    let mut public_values = vec![Vec::new(); tables.len()];
    public_values[0] = claim.public_values(statement);
    let config = config::<H>(soundness.parameters());
    // Plonky3 checks a proof's shape before it relies on it. Should it have missed something, a malformed proof
    // becomes an error here and nowhere else.
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let data = ProverData::from_airs_and_degrees(&config, &tables, &log_heights)
            .map_err(|error| StarkError::NotProven { fault: error.to_string() })?;
        verify_batch(&config, &tables, proof, &public_values, &data.common)
            .map_err(|error| StarkError::NotProven { fault: format!("{error:?}") })
    }));
    checked.unwrap_or_else(|_| Err(StarkError::NotProven { fault: "the verifier panicked".to_owned() }))
}

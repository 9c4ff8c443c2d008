//! Checking a batch proof.

use crate::{
    config::{ProofHash, config},
    error::StarkError,
    field::WireDigest,
    proof::{Body, SEGMENTS_MAX, Segment},
    segment::{CLAIMS_MAX, Claim, values},
    soundness::{BITS_MIN, Soundness},
    statement::{BatchStatement, Statement, StatementDigest},
};
use arterial_protocol::{
    Digest,
    limits::{ACCOUNTS_DEPTH, BATCH_ACCOUNTS_MAX, BATCH_RECORDS_MAX, SHARDS_MAX},
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
    /// How sure each segment of the proof makes; none for a block that touches nothing, which needs no proof.
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
    for Segment { claims, shape, .. } in &body.segments {
        shape.check()?;
        segments.push(Soundness::of(shape, claims.len(), body.segments.len()));
    }
    let verified = Verified { statement: statement.clone(), segments };
    if verified.bits() < BITS_MIN {
        return Err(StarkError::Soundness { expected: BITS_MIN, got: verified.bits() });
    }
    let digest = statement.digest();
    for (segment, soundness) in body.segments.iter().zip(&verified.segments) {
        check_segment(&digest, segment, soundness)?;
    }
    Ok(verified)
}

/// Requires that the segments' claims add up to the statement.
fn check_claims<H: ProofHash>(statement: &Statement, body: &Body<H>) -> Result<(), StarkError> {
    for Segment { claims, .. } in &body.segments {
        if claims.is_empty() || claims.len() > CLAIMS_MAX {
            return Err(StarkError::Malformed { fault: "a segment has no claim or too many" });
        }
        // Its tallies are by shard, so that two claims of one shard could trade their counts.
        if !claims.is_sorted_by(|left, right| left.shard < right.shard) {
            return Err(StarkError::Malformed { fault: "a segment's shards are not in order" });
        }
        if claims.iter().any(|claim| usize::from(claim.level) > ACCOUNTS_DEPTH) {
            return Err(StarkError::Malformed { fault: "a claim is above the tree" });
        }
    }
    if !statement.batches.is_sorted_by(|left, right| left.shard < right.shard) {
        return Err(StarkError::Batches { number: statement.number });
    }
    let claims: Vec<Claim> = body.segments.iter().flat_map(|segment| &segment.claims).copied().collect();
    let (mut rest, mut untouched) = (&claims[..], body.untouched.iter());
    for batch in &statement.batches {
        let own = rest.iter().take_while(|claim| claim.shard == batch.shard.0).count();
        let (claims, others) = rest.split_at(own);
        check_batch(batch, claims, &mut untouched)?;
        rest = others;
    }
    if !rest.is_empty() {
        return Err(StarkError::Malformed { fault: "a claim of a shard that the statement does not name" });
    }
    if untouched.next().is_some() {
        return Err(StarkError::Malformed { fault: "more digests than the trees have beside the claims" });
    }
    Ok(())
}

/// Requires that one shard's claims add up to its batch.
fn check_batch<'a>(
    batch: &BatchStatement,
    claims: &[Claim],
    untouched: &mut impl Iterator<Item = &'a WireDigest>,
) -> Result<(), StarkError> {
    let claim = |what| StarkError::Claim { shard: batch.shard, what };
    // A count above the prime would read as a smaller one in the proof, and so would a shard.
    if batch.record_count as usize > BATCH_RECORDS_MAX || batch.enrolment_count as usize > BATCH_ACCOUNTS_MAX
    {
        return Err(claim("counts, which no batch has,"));
    }
    if batch.shard.0 >= SHARDS_MAX {
        return Err(claim("shard, which no deployment has,"));
    }
    let sum = |of: fn(&Claim) -> u32| claims.iter().map(|claim| u64::from(of(claim))).sum::<u64>();
    if u64::from(batch.record_count) != sum(|claim| claim.records) {
        return Err(claim("record count"));
    }
    if u64::from(batch.enrolment_count) != sum(|claim| claim.enrolments) {
        return Err(claim("enrolment count"));
    }
    let (old, new) = roots(claims, untouched)?;
    if old != batch.old_root {
        return Err(claim("old root"));
    }
    if new != batch.new_root {
        return Err(claim("new root"));
    }
    Ok(())
}

/// A tree's root before and after, from its claims in order of place and the digests beside them.
pub(crate) fn roots<'a>(
    claims: &[Claim],
    untouched: &mut impl Iterator<Item = &'a WireDigest>,
) -> Result<(Digest, Digest), StarkError> {
    node(claims, untouched, ACCOUNTS_DEPTH, 0)
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

/// Requires that a segment's proof proves its claims.
fn check_segment<H: ProofHash>(
    statement: &StatementDigest,
    segment: &Segment<H>,
    soundness: &Soundness,
) -> Result<(), StarkError> {
    let Segment { claims, shape, proof } = segment;
    let log_heights = shape.log_heights();
    if proof.degree_bits != log_heights {
        return Err(StarkError::Malformed { fault: "the tables' heights are not those of the segment" });
    }
    let tables = shape.tables(claims.len());
    let mut public_values = vec![Vec::new(); tables.len()];
    public_values[0] = values(claims, statement);
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

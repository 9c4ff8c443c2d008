//! Proving a block's batches.

use super::{
    plan::{Part, Plan},
    trace::Trace,
    witness::{BatchWitness, Witness},
};
use crate::{
    config::{Config, ProofHash, config},
    error::StarkError,
    proof::{Body, SEGMENTS_MAX, Segment},
    segment::values,
    soundness::Soundness,
    statement::{BatchStatement, Statement, StatementDigest},
    verify::{Verified, roots, verify},
};
use arterial_protocol::limits::ACCOUNTS_DEPTH;
use p3_batch_stark::{ProverData, StarkInstance, prove_batch};
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells of one segment's tables at most, padding aside; the prover needs some 14 bytes for each, 18 with padding.
const SEGMENT_CELLS_MAX: usize = 1 << 28;

/// What the prover is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// Holding the batches against the rules.
    Rules,
    /// Filling the tables of a segment.
    Trace {
        /// Of how many.
        segments: usize,
        /// Which, from 0.
        segment: usize,
    },
    /// Proving a segment.
    Prove {
        /// Of how many.
        segments: usize,
        /// Which, from 0.
        segment: usize,
    },
    /// Checking the proof.
    Verify,
}

/// How to prove.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Looked at between phases: once it is set, proving ends with [`StarkError::Cancelled`].
    pub cancel: Option<&'a AtomicBool>,
    /// Told of each phase as it begins.
    pub progress: Option<&'a (dyn Fn(Phase) + Sync)>,
}

/// A proof that was checked.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Proof {
    /// What it proves, as its verifier said.
    pub verified: Verified,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Cells of all its tables, padding included.
    pub trace_cells: usize,
}

/// Proves that a block's batches follow the rules, in rayon's current pool.
///
/// # Errors
/// The rule that a batch breaks, or that a tree is not the accounts'; [`StarkError::TooMuch`]; [`StarkError::Cancelled`].
pub fn prove<H: ProofHash>(witness: &Witness<'_>, options: &Options<'_>) -> Result<Proof, StarkError> {
    prove_in_parts::<H>(witness, options, SEGMENT_CELLS_MAX)
}

pub(crate) fn prove_in_parts<H: ProofHash>(
    witness: &Witness<'_>,
    options: &Options<'_>,
    cells_max: usize,
) -> Result<Proof, StarkError> {
    options.enter(Phase::Rules)?;
    let moves = witness.moves()?;
    let plan = Plan::new(witness.batches, &moves, cells_max);
    let segments = plan.segments.len();
    if segments > SEGMENTS_MAX {
        return Err(StarkError::TooMuch { max: SEGMENTS_MAX, got: segments });
    }
    let (statement, mut only) = state(witness, &plan, options)?;
    let digest = statement.digest();
    let mut body = Body::<H> { untouched: plan.untouched, segments: Vec::with_capacity(segments) };
    let mut trace_cells = 0;
    for (segment, parts) in plan.segments.iter().enumerate() {
        let trace = match only.take() {
            Some(trace) => trace,
            None => fill(parts, options, segments, segment)?,
        };
        trace_cells += trace.tables.iter().map(|table| table.values.len()).sum::<usize>();
        options.enter(Phase::Prove { segments, segment })?;
        body.segments.push(prove_segment(&digest, trace, segments)?);
    }
    options.enter(Phase::Verify)?;
    let bytes = body.encode();
    let verified =
        verify::<H>(&statement, &bytes).map_err(|error| StarkError::Prover { fault: error.to_string() })?;
    Ok(Proof { verified, bytes, trace_cells })
}

impl Options<'_> {
    fn enter(&self, phase: Phase) -> Result<(), StarkError> {
        if self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(StarkError::Cancelled);
        }
        tracing::debug!(?phase, "batch proof");
        if let Some(progress) = self.progress {
            progress(phase);
        }
        Ok(())
    }
}

/// The statement, and the trace if there is only one: every segment's transcript begins with the whole statement, so
/// all roots must be known first, and the traces of many segments don't fit into memory together.
fn state(
    witness: &Witness<'_>,
    plan: &Plan<'_>,
    options: &Options<'_>,
) -> Result<(Statement, Option<Trace>), StarkError> {
    let segments = plan.segments.len();
    let mut claims = Vec::new();
    let mut only = None;
    for (segment, parts) in plan.segments.iter().enumerate() {
        let trace = fill(parts, options, segments, segment)?;
        claims.extend_from_slice(&trace.claims);
        only = (segments == 1).then_some(trace);
    }
    let (mut rest, mut untouched) = (&claims[..], plan.untouched.iter());
    let mut batches = Vec::with_capacity(witness.batches.len());
    for BatchWitness { batch, tree, data, .. } in witness.batches.iter().filter(|one| !one.batch.is_empty()) {
        let own = rest.iter().take_while(|claim| claim.shard == batch.shard.0).count();
        let (claims, others) = rest.split_at(own);
        rest = others;
        let (shard, (old_root, new_root)) = (batch.shard, roots(claims, &mut untouched)?);
        let expected = tree.node(ACCOUNTS_DEPTH, 0);
        if old_root != expected {
            return Err(StarkError::Tree { shard, level: ACCOUNTS_DEPTH, index: 0, expected, got: old_root });
        }
        batches.push(BatchStatement {
            shard,
            old_root,
            new_root,
            record_count: claims.iter().map(|claim| claim.records).sum(),
            enrolment_count: claims.iter().map(|claim| claim.enrolments).sum(),
            data: *data,
        });
    }
    Ok((Statement { number: witness.number, batches }, only))
}

fn fill(
    parts: &[Part<'_>],
    options: &Options<'_>,
    segments: usize,
    segment: usize,
) -> Result<Trace, StarkError> {
    options.enter(Phase::Trace { segments, segment })?;
    Trace::new(parts)
}

/// Proves what a trace claims, as one of so many segments. An invalid trace gives a proof that does not verify.
pub(crate) fn prove_segment<H: ProofHash>(
    statement: &StatementDigest,
    trace: Trace,
    segments: usize,
) -> Result<Segment<H>, StarkError> {
    let Trace { claims, shape, tables } = trace;
    let airs = shape.tables(claims.len());
    let config = config::<H>(Soundness::of(&shape, claims.len(), segments).parameters());
    let instances: Vec<StarkInstance<'_, Config<H>, _>> = airs
        .iter()
        .zip(&tables)
        .enumerate()
        .map(|(at, (air, trace))| {
            let public_values = if at == 0 { values(&claims, statement) } else { Vec::new() };
            StarkInstance { air, trace, public_values }
        })
        .collect();
    let proof = ProverData::from_airs_and_degrees(&config, &airs, &shape.log_heights())
        .and_then(|data| prove_batch(&config, &instances, &data))
        .map_err(|error| StarkError::Prover { fault: error.to_string() })?;
    Ok(Segment { claims, shape, proof })
}

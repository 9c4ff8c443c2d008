//! Proving a batch.

use super::{
    plan::{Part, Plan},
    trace::Trace,
    witness::{OldTree, Witness},
};
use crate::{
    config::{Config, ProofHash, config},
    error::StarkError,
    proof::{Body, Segment},
    soundness::Soundness,
    statement::Statement,
    verify::{Verified, roots, verify},
};
use arterial_protocol::limits::ACCOUNTS_DEPTH;
use p3_batch_stark::{ProverData, StarkInstance, prove_batch};
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells of one segment's tables at most, padding aside; the prover needs some 14 bytes for each, 18 with padding.
const SEGMENT_CELLS_MAX: usize = 3 << 27;

/// What the prover is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// Holding the batch against the rules.
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

/// Proves that a batch follows the rules, in rayon's current pool.
///
/// # Errors
/// The rule that the batch breaks, or that the tree is not the accounts'; [`StarkError::Cancelled`].
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
    let plan = Plan::new(&moves, witness.tree, cells_max);
    let (statement, mut only) = state(witness, &plan, options)?;
    let segments = plan.parts.len();
    let mut body = Body::<H> { untouched: plan.untouched, segments: Vec::with_capacity(segments) };
    let mut trace_cells = 0;
    for (segment, part) in plan.parts.iter().enumerate() {
        let trace = match only.take() {
            Some(trace) => trace,
            None => fill(part, witness.tree, options, segments, segment)?,
        };
        trace_cells += trace.tables.iter().map(|table| table.values.len()).sum::<usize>();
        options.enter(Phase::Prove { segments, segment })?;
        body.segments.push(prove_segment(&statement, trace, segments)?);
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
    let segments = plan.parts.len();
    let mut claims = Vec::with_capacity(segments);
    let mut only = None;
    for (segment, part) in plan.parts.iter().enumerate() {
        let trace = fill(part, witness.tree, options, segments, segment)?;
        claims.push(trace.claim);
        only = (segments == 1).then_some(trace);
    }
    let (old_root, new_root) = roots(&claims, &plan.untouched)?;
    let expected = witness.tree.node(ACCOUNTS_DEPTH, 0);
    if old_root != expected {
        return Err(StarkError::Tree { level: ACCOUNTS_DEPTH, index: 0, expected, got: old_root });
    }
    let statement = Statement {
        shard: witness.batch.shard,
        number: witness.batch.number,
        old_root,
        new_root,
        record_count: claims.iter().map(|claim| claim.records).sum(),
        enrolment_count: claims.iter().map(|claim| claim.enrolments).sum(),
        data: witness.data,
    };
    Ok((statement, only))
}

fn fill(
    part: &Part<'_>,
    tree: &dyn OldTree,
    options: &Options<'_>,
    segments: usize,
    segment: usize,
) -> Result<Trace, StarkError> {
    options.enter(Phase::Trace { segments, segment })?;
    Trace::new(part, tree)
}

/// Proves what a trace claims, as one of so many segments. An invalid trace gives a proof that does not verify.
pub(crate) fn prove_segment<H: ProofHash>(
    statement: &Statement,
    trace: Trace,
    segments: usize,
) -> Result<Segment<H>, StarkError> {
    let Trace { claim, shape, tables } = trace;
    let airs = shape.tables();
    let config = config::<H>(Soundness::of(&shape, segments).parameters());
    let instances: Vec<StarkInstance<'_, Config<H>, _>> = airs
        .iter()
        .zip(&tables)
        .enumerate()
        .map(|(at, (air, trace))| {
            let public_values = if at == 0 { claim.public_values(statement) } else { Vec::new() };
            StarkInstance { air, trace, public_values }
        })
        .collect();
    let proof = ProverData::from_airs_and_degrees(&config, &airs, &shape.log_heights())
        .and_then(|data| prove_batch(&config, &instances, &data))
        .map_err(|error| StarkError::Prover { fault: error.to_string() })?;
    Ok(Segment { claim, shape, proof })
}

//! The proof against the rules: that it follows them, and that nothing else has one.

mod agreement;
mod attacks;
mod checker;
mod forge;
mod malformed;
mod mutations;
mod shard;

use crate::{
    BatchStatement, BatchWitness, Blake3, Options, Proof, StarkError, Statement, Verified, Witness,
    proof::Body,
    prove,
    prover::{plan::Plan, prove::prove_segment, trace::Trace},
    verify,
};
use arterial_protocol::{BlockNumber, ShardId};

/// The block of every batch here.
const NUMBER: BlockNumber = BlockNumber(9);

/// Proves one batch, alone in its block.
fn prove_one(witness: BatchWitness<'_>) -> Result<Proof, StarkError> {
    prove::<Blake3>(&Witness { number: NUMBER, batches: &[witness] }, &Options::default())
}

/// The one trace of a whole block.
fn trace(batches: &[BatchWitness<'_>]) -> Trace {
    let moves = Witness { number: NUMBER, batches }.moves().expect("the batches follow the rules");
    let plan = Plan::new(batches, &moves, usize::MAX);
    Trace::new(&plan.segments[0]).expect("the trees are the accounts'")
}

/// What a trace of a whole block claims, as a statement.
fn statement(batches: &[BatchWitness<'_>], trace: &Trace) -> Statement {
    let batches = trace.claims.iter().zip(batches).map(|(claim, witness)| BatchStatement {
        shard: ShardId(claim.shard),
        old_root: claim.old.0,
        new_root: claim.new.0,
        record_count: claim.records,
        enrolment_count: claim.enrolments,
        data: witness.data,
    });
    Statement { number: NUMBER, batches: batches.collect() }
}

/// Proves a trace, valid or not, and has the proof verified.
fn prove_and_verify(statement: &Statement, trace: Trace) -> Result<Verified, StarkError> {
    let segment = prove_segment::<Blake3>(&statement.digest(), trace, 1)?;
    verify::<Blake3>(statement, &Body { untouched: Vec::new(), segments: vec![segment] }.encode())
}

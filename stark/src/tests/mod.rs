//! The proof against the rules: that it follows them, and that nothing else has one.

mod agreement;
mod attacks;
mod checker;
mod forge;
mod malformed;
mod mutations;
mod shard;

use crate::{
    Blake3, StarkError, Statement, Verified,
    proof::Body,
    prover::{Witness, plan::Plan, prove::prove_segment, trace::Trace},
    verify,
};
use arterial_protocol::DataDigest;

/// The one trace of a whole batch.
fn trace(witness: &Witness<'_>) -> Trace {
    let moves = witness.moves().expect("the batch follows the rules");
    let plan = Plan::new(&moves, witness.tree, usize::MAX);
    Trace::new(&plan.parts[0], witness.tree).expect("the tree is the accounts'")
}

/// What a trace of a whole batch claims, as a statement.
fn statement(witness: &Witness<'_>, trace: &Trace) -> Statement {
    Statement {
        shard: witness.batch.shard,
        number: witness.batch.number,
        old_root: trace.claim.old.0,
        new_root: trace.claim.new.0,
        record_count: trace.claim.records,
        enrolment_count: trace.claim.enrolments,
        data: DataDigest::of(&witness.batch.encode()),
    }
}

/// Proves a trace, valid or not, and has the proof verified.
fn prove_and_verify(statement: &Statement, trace: Trace) -> Result<Verified, StarkError> {
    let segment = prove_segment::<Blake3>(statement, trace, 1)?;
    verify::<Blake3>(statement, &Body { untouched: Vec::new(), segments: vec![segment] }.encode())
}

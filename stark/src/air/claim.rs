//! The table of claims: one row that receives each claim's subtree and its totals, as the public values have them.
//!
//! Only here do public values meet the trace. The statement's digest, the last of them, is bound by the transcript alone.

use super::Direction;
use crate::{
    bus::{Counted, NodeMessage, total},
    segment::{PublicClaim, public_values},
};
use p3_air::WindowAccess;
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;

/// A table has a column at least; this one holds a 1.
pub(crate) const CLAIM_COLUMNS: usize = 1;

pub(super) fn eval<AB: InteractionBuilder<F = KoalaBear>>(builder: &mut AB, claims: usize) {
    let main = builder.main();
    if let [column] = main.current_slice() {
        builder.assert_one(*column);
    }
    let values: Vec<AB::Expr> =
        builder.public_values()[..public_values(claims)].iter().map(|&value| value.into()).collect();
    for claim in PublicClaim::read(&values, claims) {
        let PublicClaim { shard, level, index, old, new, records, enrolments } = claim;
        let root = NodeMessage { shard: shard.clone(), level, index, old, new };
        root.post(builder, Direction::Receive, AB::Expr::ONE);
        total(builder, Counted::Records, shard.clone(), records);
        total(builder, Counted::Enrolments, shard, enrolments);
    }
}

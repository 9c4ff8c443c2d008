//! The table of the claim: one row that receives the subtree's root and the totals, as the public values have them.
//!
//! Only here do public values meet the trace. The rest of them (shard, number, data digest, the whole batch's roots)
//! is bound by the transcript alone.

use super::Direction;
use crate::{
    bus::{Counted, NodeMessage, total},
    segment::{PUBLIC_VALUES, PublicValues},
};
use core::array::from_fn;
use p3_air::WindowAccess;
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;

/// A table has a column at least; this one holds a 1.
pub(crate) const CLAIM_COLUMNS: usize = 1;

pub(super) fn eval<AB: InteractionBuilder<F = KoalaBear>>(builder: &mut AB) {
    let main = builder.main();
    if let [column] = main.current_slice() {
        builder.assert_one(*column);
    }
    let values: [AB::Expr; PUBLIC_VALUES] = {
        let public = builder.public_values();
        from_fn(|i| public[i].into())
    };
    let claim = PublicValues::read(values);
    let root = NodeMessage { level: claim.level, index: claim.index, old: claim.old, new: claim.new };
    root.post(builder, Direction::Receive, AB::Expr::ONE);
    total(builder, Counted::Records, claim.records);
    total(builder, Counted::Enrolments, claim.enrolments);
}

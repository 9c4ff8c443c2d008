//! The table of accounts: each touched account, before and after, one to a row.
//!
//! | columns | | rule |
//! |---|---|---|
//! | `active` | 1 | 0 or 1; 0 is padding |
//! | `enrolled` | 1 | 0 or 1; if 1, head, `next_seq` and count before are 0 |
//! | `shard`, `slot`, `identity` | 10 | the same before and after |
//! | `head`, `next_seq`, `count` | 10 | sent as the account was |
//! | `head'`, `next_seq'`, `count'`, `spread` | 11 | received as it will be |
//! | `next_seq` low, high | 11 + 7 | digits of `next_seq` before, but the lowest |
//! | `reach` | 6 | digits of `next_seq`'s high part + `spread`, but the lowest |
//! | `next_seq'` | 18 | digits but the lowest: at most 2³⁰ |
//! | `records` | 6 | digits of `count' − count` but the lowest: at most 1,024 |
//! | `old_leaf` | 8 | the compression's output, or zeros if enrolled |
//! | compressions | 2·199 | the account before and after |

use super::{
    Direction, NUMBERS_AFTER_TAG, TAG_ACCOUNT, block24, expressions,
    record::{GAP_HIGH_DIGITS, GAP_LOW_DIGITS, HIGH, LOW, SPREAD_UNIT},
};
use crate::{
    bus::{AccountMessage, Counted, NodeMessage, tally},
    columns::Columns,
    digits::Weights,
    poseidon::{C24_COLUMNS, Poseidon},
};
use arterial_protocol::limits::{RUN_RECORDS_MAX, SEQ_END};
use core::array::from_fn;
use p3_air::{AirBuilder, WindowAccess};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;

/// Columns of one account.
pub(crate) const ACCOUNT_COLUMNS: usize = 2
    + 10
    + 17
    + GAP_LOW_DIGITS
    + 2 * GAP_HIGH_DIGITS
    + NEXT_SEQ_DIGITS
    + RECORDS_DIGITS
    + 8
    + 2 * C24_COLUMNS;

const NEXT_SEQ_DIGITS: usize = 19;
const RECORDS_DIGITS: usize = 7;
#[expect(clippy::cast_possible_truncation, reason = "2^30")]
const NEXT_SEQ_MAX: u32 = SEQ_END as u32;
#[expect(clippy::cast_possible_truncation, reason = "1,024")]
const RECORDS_MAX: u32 = RUN_RECORDS_MAX as u32;
/// Digits of `next_seq`: one above the last `seq` at most.
pub(crate) const NEXT_SEQ: Weights<NEXT_SEQ_DIGITS> = Weights::up_to(NEXT_SEQ_MAX);
/// Digits of an account's records in one batch.
pub(crate) const RECORDS: Weights<RECORDS_DIGITS> = Weights::up_to(RECORDS_MAX);

pub(super) fn eval<AB: InteractionBuilder<F = KoalaBear>>(builder: &mut AB, c24: &Poseidon<24>) {
    let main = builder.main();
    let mut columns = Columns::new(main.current_slice());
    let [active, enrolled, shard, slot] = *columns.array();
    let identity: &[AB::Var; 8] = columns.array();
    let head: &[AB::Var; 8] = columns.array();
    let [next_seq, count] = *columns.array();
    let new_head: &[AB::Var; 8] = columns.array();
    let [new_next_seq, new_count, spread] = *columns.array();
    let low_digits: &[AB::Var; GAP_LOW_DIGITS - 1] = columns.array();
    let next_seq_high = HIGH.constrain(builder, columns.array());
    let next_seq_low = AB::Expr::from(next_seq) - next_seq_high.clone() * KoalaBear::from_u32(SPREAD_UNIT);
    let records: AB::Expr = new_count - count;
    LOW.constrain_number(builder, next_seq_low, low_digits);
    HIGH.constrain_number::<_, { GAP_HIGH_DIGITS - 1 }>(builder, next_seq_high + spread, columns.array());
    NEXT_SEQ.constrain_number::<_, { NEXT_SEQ_DIGITS - 1 }>(builder, new_next_seq.into(), columns.array());
    RECORDS.constrain_number::<_, { RECORDS_DIGITS - 1 }>(builder, records.clone(), columns.array());
    let old_leaf: &[AB::Var; 8] = columns.array();

    builder.assert_bool(active);
    builder.assert_bool(enrolled);
    builder.when(AB::Expr::ONE - active).assert_zeros([enrolled.into(), records.clone()]);
    builder.when(enrolled).assert_zeros::<8, _>(*head);
    builder.when(enrolled).assert_zeros([next_seq, count]);

    let leaf =
        |builder: &mut AB, columns: &mut Columns<'_, AB::Var>, head, next_seq: AB::Var, count: AB::Var| {
            let numbers: [AB::Expr; NUMBERS_AFTER_TAG] = from_fn(|i| match i {
                0 => next_seq.into(),
                1 => count.into(),
                _ => AB::Expr::ZERO,
            });
            c24.constrain(builder, block24::<AB>(head, identity, TAG_ACCOUNT, numbers), columns)
        };
    let hashed = leaf(builder, &mut columns, head, next_seq, count);
    let new_leaf = leaf(builder, &mut columns, new_head, new_next_seq, new_count);
    for (&old, &hashed) in old_leaf.iter().zip(&hashed) {
        builder.assert_eq(old, (AB::Expr::ONE - enrolled) * hashed);
    }

    let before = AccountMessage {
        shard: shard.into(),
        slot: slot.into(),
        head: expressions::<AB, 8>(head),
        next_seq: next_seq.into(),
        count: count.into(),
        spread: AB::Expr::ZERO,
    };
    let after = AccountMessage {
        shard: shard.into(),
        slot: slot.into(),
        head: expressions::<AB, 8>(new_head),
        next_seq: new_next_seq.into(),
        count: new_count.into(),
        spread: spread.into(),
    };
    before.post(builder, Direction::Send, active.into());
    after.post(builder, Direction::Receive, active.into());
    let leaf = NodeMessage {
        shard: shard.into(),
        level: AB::Expr::ZERO,
        index: slot.into(),
        old: expressions::<AB, 8>(old_leaf),
        new: expressions::<AB, 8>(&new_leaf),
    };
    leaf.post(builder, Direction::Send, active.into());
    tally(builder, Counted::Records, shard.into(), records, RECORDS_MAX);
    tally(builder, Counted::Enrolments, shard.into(), enrolled.into(), 1);
}

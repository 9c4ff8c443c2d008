//! The table of records: one compression and one step of an account each, [`RECORDS_PER_ROW`] to a row.
//!
//! | columns | | rule |
//! |---|---|---|
//! | `active` | 1 | 0 or 1; 0 is padding |
//! | `shard`, `slot`, `head`, `next_seq`, `count`, `spread` | 13 | the account before the record, received |
//! | `digest`, `time_low`, `time_high`, `kind` | 11 | the record |
//! | `next_seq'`, `spread'` | 2 | after the record: `seq + 1`, and `spread +` the gap's high part |
//! | `gap` low, high | 11 + 6 | digits of `seq − next_seq` but the lowest: so `seq` is not before `next_seq` |
//! | compression | 199 | `head'`; sent with `next_seq'`, `count + 1` and `spread'` |
//!
//! What is sent is columns, not sums of digits: the buses evaluate it once more for every message.

use super::{Direction, NUMBERS_AFTER_TAG, TAG_RECORD, block24, expressions};
use crate::{
    bus::AccountMessage,
    columns::Columns,
    digits::Weights,
    poseidon::{C24_COLUMNS, Poseidon},
};
use core::array::from_fn;
use p3_air::WindowAccess;
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;

/// Records to a row: a wide row costs less to commit to than many narrow ones.
pub(crate) const RECORDS_PER_ROW: usize = 4;
/// Columns of one record.
pub(crate) const RECORD_COLUMNS: usize = 1 + 13 + 11 + GAP_LOW_DIGITS + GAP_HIGH_DIGITS + C24_COLUMNS;

pub(crate) const GAP_LOW_DIGITS: usize = 12;
pub(crate) const GAP_HIGH_DIGITS: usize = 7;
/// What one unit of `spread` weighs.
pub(crate) const SPREAD_UNIT: u32 = 3u32.pow(12);
/// Digits of a number below [`SPREAD_UNIT`].
pub(crate) const LOW: Weights<GAP_LOW_DIGITS> = Weights::up_to(SPREAD_UNIT - 1);
/// Digits of a number below 3⁷.
pub(crate) const HIGH: Weights<GAP_HIGH_DIGITS> = Weights::up_to(3u32.pow(7) - 1);

pub(super) fn eval<AB: InteractionBuilder<F = KoalaBear>>(builder: &mut AB, c24: &Poseidon<24>) {
    let main = builder.main();
    let mut columns = Columns::new(main.current_slice());
    for _ in 0..RECORDS_PER_ROW {
        eval_one(builder, c24, &mut columns);
    }
}

fn eval_one<AB: InteractionBuilder<F = KoalaBear>>(
    builder: &mut AB,
    c24: &Poseidon<24>,
    columns: &mut Columns<'_, AB::Var>,
) {
    let active = columns.one();
    builder.assert_bool(active);
    let [shard, slot] = *columns.array();
    let head: &[AB::Var; 8] = columns.array();
    let [next_seq, count, spread] = *columns.array();
    let digest: &[AB::Var; 8] = columns.array();
    let [time_low, time_high, kind] = *columns.array();
    let [new_next_seq, new_spread] = *columns.array();
    let seq = new_next_seq - AB::F::ONE;
    let gap_high: AB::Expr = new_spread - spread;
    let gap_low = seq.clone() - next_seq - gap_high.clone() * KoalaBear::from_u32(SPREAD_UNIT);
    LOW.constrain_number::<_, { GAP_LOW_DIGITS - 1 }>(builder, gap_low, columns.array());
    HIGH.constrain_number::<_, { GAP_HIGH_DIGITS - 1 }>(builder, gap_high, columns.array());

    let numbers: [AB::Expr; NUMBERS_AFTER_TAG] =
        [slot.into(), seq, time_low.into(), time_high.into(), kind.into(), AB::Expr::ZERO, AB::Expr::ZERO];
    let input = block24::<AB>(head, digest, TAG_RECORD, numbers);
    let new_head = c24.constrain(builder, input, columns);

    let before = AccountMessage {
        shard: shard.into(),
        slot: slot.into(),
        head: expressions::<AB, 8>(head),
        next_seq: next_seq.into(),
        count: count.into(),
        spread: spread.into(),
    };
    let after = AccountMessage {
        shard: shard.into(),
        slot: slot.into(),
        head: from_fn(|i| new_head[i].into()),
        next_seq: new_next_seq.into(),
        count: count + AB::F::ONE,
        spread: new_spread.into(),
    };
    before.post(builder, Direction::Receive, active.into());
    after.post(builder, Direction::Send, active.into());
}

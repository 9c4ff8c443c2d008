//! Filling the table of accounts.

use super::{
    Change,
    lanes::{Columns, LANES, columns_of, pack, unpack},
    record::{End, concat},
    rows::{Cells, pad},
};
use crate::{
    air::{
        Compressions, TAG_ACCOUNT,
        account::{ACCOUNT_COLUMNS, NEXT_SEQ, RECORDS},
        record::{HIGH, LOW, SPREAD_UNIT},
    },
    field::elements,
    poseidon::C24_COLUMNS,
    prover::witness::Move,
};
use p3_field::{PrimeCharacteristicRing, integers::QuotientMap};
use p3_koala_bear::KoalaBear;
use rayon::prelude::*;

/// Columns before the compressions', the old leaf's aside.
const FRONT: usize = ACCOUNT_COLUMNS - 2 * C24_COLUMNS - 8;

/// Fills every account and gives how its leaf moves, in order.
pub(super) fn fill(
    moves: &[Move<'_>],
    ends: &[End],
    compressions: &Compressions,
    cells: &mut Cells,
) -> Vec<Change> {
    let mut places = cells.cells();
    let padding = places.split_off(moves.len());
    let leaves = moves
        .par_chunks(LANES)
        .zip(ends.par_chunks(LANES))
        .zip(places.par_chunks_mut(LANES))
        .map_init(Columns::default, |columns, ((moves, ends), places)| {
            fill_lanes(moves, ends, compressions, columns, places)
        })
        .flatten_iter()
        .collect();
    pad(padding, &inactive(compressions));
    leaves
}

fn fill_lanes(
    moves: &[Move<'_>],
    ends: &[End],
    compressions: &Compressions,
    columns: &mut Columns,
    places: &mut [&mut [KoalaBear]],
) -> Vec<Change> {
    let states: Vec<[[KoalaBear; 24]; 2]> =
        moves.iter().zip(ends).map(|(moved, end)| inputs(moved, end)).collect();
    let side = |side: usize| pack(&states.iter().map(|state| state[side]).collect::<Vec<_>>());

    let old = columns.compress(&compressions.c24, side(0));
    let mut changes = Vec::with_capacity(moves.len());
    for (lane, (moved, place)) in moves.iter().zip(places.iter_mut()).enumerate() {
        let old = if moved.enrolled { [KoalaBear::ZERO; 8] } else { unpack(&old, lane) };
        place[..FRONT].copy_from_slice(&front(moved, &ends[lane]));
        place[FRONT..FRONT + 8].copy_from_slice(&old);
        columns.write(lane, &mut place[FRONT + 8..]);
        changes.push(Change { index: moved.slot, old, new: [KoalaBear::ZERO; 8] });
    }
    let new = columns.compress(&compressions.c24, side(1));
    for (lane, (change, place)) in changes.iter_mut().zip(places).enumerate() {
        columns.write(lane, &mut place[FRONT + 8 + C24_COLUMNS..]);
        change.new = unpack(&new, lane);
    }
    changes
}

/// What is compressed before and after, as `air::account` has it.
fn inputs(moved: &Move<'_>, end: &End) -> [[KoalaBear; 24]; 2] {
    let identity = elements(moved.before.identity);
    let input = |head: &[KoalaBear; 8], next_seq, count| {
        concat([head, &identity, &[TAG_ACCOUNT, next_seq, count, 0, 0, 0, 0, 0].map(KoalaBear::from_int)])
    };
    let before = input(&elements(moved.before.head), moved.before.next_seq, moved.before.count);
    [before, input(&end.head, end.next_seq, moved.before.count + records(moved))]
}

/// The columns before the old leaf's, in the order of `air::account`.
fn front(moved: &Move<'_>, end: &End) -> [KoalaBear; FRONT] {
    let Move { shard, slot, enrolled, before, .. } = moved;
    let (low, high) = (before.next_seq % SPREAD_UNIT, before.next_seq / SPREAD_UNIT);
    concat([
        &[1, u32::from(*enrolled), shard.0, *slot].map(KoalaBear::from_int),
        &elements(before.identity),
        &elements(before.head),
        &[before.next_seq, before.count].map(KoalaBear::from_int),
        &end.head,
        &[end.next_seq, before.count + records(moved), end.spread].map(KoalaBear::from_int),
        &LOW.digits(low).map(KoalaBear::from_int)[1..],
        &HIGH.digits(high).map(KoalaBear::from_int),
        &HIGH.digits(high + end.spread).map(KoalaBear::from_int)[1..],
        &NEXT_SEQ.digits(end.next_seq).map(KoalaBear::from_int)[1..],
        &RECORDS.digits(records(moved)).map(KoalaBear::from_int)[1..],
    ])
}

fn records(moved: &Move<'_>) -> u32 {
    u32::try_from(moved.links.len()).expect("a run is short")
}

/// A cell of padding.
fn inactive(compressions: &Compressions) -> Vec<KoalaBear> {
    let mut input = [KoalaBear::ZERO; 24];
    input[16] = KoalaBear::from_int(TAG_ACCOUNT);
    let hashed = columns_of(&compressions.c24, input);
    let mut cell = KoalaBear::zero_vec(FRONT);
    cell.extend_from_slice(&hashed[C24_COLUMNS - 8..]);
    cell.extend_from_slice(&hashed);
    cell.extend_from_slice(&hashed);
    cell
}

//! Filling the table of records.

use super::{
    lanes::{Columns, LANES, Lanes, columns_of, pack, unpack},
    rows::{Cells, pad},
};
use crate::{
    air::{
        Compressions, TAG_RECORD,
        record::{GAP_HIGH_DIGITS, GAP_LOW_DIGITS, HIGH, LOW, RECORD_COLUMNS, SPREAD_UNIT},
    },
    field::elements,
    poseidon::C24_COLUMNS,
    prover::witness::Move,
};
use arterial_protocol::{Link, ShardId};
use p3_field::{PrimeCharacteristicRing, integers::QuotientMap};
use p3_koala_bear::KoalaBear;
use rayon::prelude::*;

/// Columns before the compression's.
const FRONT: usize = RECORD_COLUMNS - C24_COLUMNS;
/// The column of `next_seq` after the record, which is not zero in padding.
const NEW_NEXT_SEQ: usize = 25;

/// An account after its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) head: [KoalaBear; 8],
    pub(super) next_seq: u32,
    pub(super) spread: u32,
}

impl End {
    fn start(moved: &Move<'_>) -> Self {
        Self { head: elements(moved.before.head), next_seq: moved.before.next_seq, spread: 0 }
    }
}

/// Fills every record and gives the accounts' ends, in their order.
///
/// A run's records come one after another, so lanes go across accounts: those with runs of like length share lanes.
/// Rows are independent, so records stand in the order in which they are made.
pub(super) fn fill(moves: &[Move<'_>], compressions: &Compressions, cells: &mut Cells) -> Vec<End> {
    let mut by_length: Vec<usize> = (0..moves.len()).collect();
    by_length.sort_by_key(|&at| core::cmp::Reverse(moves[at].links.len()));
    let mut places = cells.cells().into_iter();
    let groups: Vec<_> = by_length
        .chunks(LANES)
        .map(|group| {
            let records = group.iter().map(|&at| moves[at].links.len()).sum();
            let own: Vec<&mut [KoalaBear]> = places.by_ref().take(records).collect();
            (group, own)
        })
        .collect();
    let ends: Vec<Vec<End>> = groups
        .into_par_iter()
        .map_init(Columns::default, |columns, (group, own)| {
            fill_group(moves, group, compressions, columns, own)
        })
        .collect();
    pad(places.collect(), &inactive(compressions));

    let mut in_order: Vec<End> = moves.iter().map(End::start).collect();
    for (&at, end) in by_length.iter().zip(ends.into_iter().flatten()) {
        in_order[at] = end;
    }
    in_order
}

/// Fills the records of up to [`LANES`] runs, the longest first.
fn fill_group(
    moves: &[Move<'_>],
    group: &[usize],
    compressions: &Compressions,
    columns: &mut Columns,
    own: Vec<&mut [KoalaBear]>,
) -> Vec<End> {
    let mut ends: Vec<End> = group.iter().map(|&at| End::start(&moves[at])).collect();
    let mut places = own.into_iter();
    let longest = group.first().map_or(0, |&at| moves[at].links.len());
    for step in 0..longest {
        let active = group.partition_point(|&at| moves[at].links.len() > step);
        let mut inputs = [[KoalaBear::ZERO; 24]; LANES];
        let mut fronts = [[KoalaBear::ZERO; FRONT]; LANES];
        for lane in 0..active {
            let moved = &moves[group[lane]];
            let before = ends[lane];
            let count = moved.before.count + u32::try_from(step).expect("a run is short");
            let record = Record::new((moved.shard, moved.slot), count, before, &moved.links[step]);
            inputs[lane] = record.input();
            fronts[lane] = record.front();
            ends[lane] = record.after();
        }
        let heads: [Lanes; 8] = columns.compress(&compressions.c24, pack(&inputs));
        for (lane, place) in (0..active).zip(&mut places) {
            let (front, back) = place.split_at_mut(FRONT);
            front.copy_from_slice(&fronts[lane]);
            columns.write(lane, back);
            ends[lane].head = unpack(&heads, lane);
        }
    }
    ends
}

/// One record with the account before it.
struct Record<'a> {
    shard: ShardId,
    slot: u32,
    count: u32,
    before: End,
    link: &'a Link,
    digest: [KoalaBear; 8],
    time_low: u32,
    time_high: u32,
    gap_low: u32,
    gap_high: u32,
}

impl<'a> Record<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "two 24-bit limbs of a number below 2^48")]
    fn new((shard, slot): (ShardId, u32), count: u32, before: End, link: &'a Link) -> Self {
        let gap = link.seq - before.next_seq;
        Self {
            shard,
            slot,
            count,
            before,
            link,
            digest: elements(link.digest),
            time_low: (link.observed_at_ms & 0xff_ffff) as u32,
            time_high: (link.observed_at_ms >> 24) as u32,
            gap_low: gap % SPREAD_UNIT,
            gap_high: gap / SPREAD_UNIT,
        }
    }

    /// What is compressed, as `air::record` has it.
    fn input(&self) -> [KoalaBear; 24] {
        let numbers = [
            TAG_RECORD,
            self.slot,
            self.link.seq,
            self.time_low,
            self.time_high,
            u32::from(self.link.kind),
            0,
            0,
        ];
        concat([&self.before.head, &self.digest, &numbers.map(KoalaBear::from_int)])
    }

    /// The columns before the compression's, in the order of `air::record`.
    fn front(&self) -> [KoalaBear; FRONT] {
        let Self { shard, slot, count, before, .. } = *self;
        let number = |number: u32| [KoalaBear::from_int(number)];
        let low: [KoalaBear; GAP_LOW_DIGITS] = LOW.digits(self.gap_low).map(KoalaBear::from_int);
        let high: [KoalaBear; GAP_HIGH_DIGITS] = HIGH.digits(self.gap_high).map(KoalaBear::from_int);
        let after = self.after();
        concat([
            &number(1),
            &number(shard.0),
            &number(slot),
            &before.head,
            &number(before.next_seq),
            &number(count),
            &number(before.spread),
            &self.digest,
            &number(self.time_low),
            &number(self.time_high),
            &number(u32::from(self.link.kind)),
            &number(after.next_seq),
            &number(after.spread),
            &low[1..],
            &high[1..],
        ])
    }

    /// The account after, its head still to come.
    const fn after(&self) -> End {
        End {
            head: self.before.head,
            next_seq: self.link.seq + 1,
            spread: self.before.spread + self.gap_high,
        }
    }
}

/// A cell of padding.
fn inactive(compressions: &Compressions) -> Vec<KoalaBear> {
    let mut input = [KoalaBear::ZERO; 24];
    input[16] = KoalaBear::from_int(TAG_RECORD);
    let mut cell = KoalaBear::zero_vec(FRONT);
    // Its `seq` is 0.
    cell[NEW_NEXT_SEQ] = KoalaBear::ONE;
    cell.extend(columns_of(&compressions.c24, input));
    cell
}

/// Slices one after another; together they are `N` long.
pub(super) fn concat<const N: usize, const PARTS: usize>(parts: [&[KoalaBear]; PARTS]) -> [KoalaBear; N] {
    let mut all = [KoalaBear::ZERO; N];
    let mut at = 0;
    for part in parts {
        all[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N);
    all
}

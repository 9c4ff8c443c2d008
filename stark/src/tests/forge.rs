//! A prover that cheats in one place and is consistent everywhere else.
//!
//! It reads the rows of an honest trace back, changes one as it is told, and computes everything that follows from it
//! anew: the chain of heads, leaves, nodes, roots and totals. So only the rule that was broken can give it away.

use crate::{
    air::{
        Compressions, Kind, TAG_ACCOUNT, TAG_RECORD,
        account::{ACCOUNT_COLUMNS, NEXT_SEQ, RECORDS},
        node::NODE_COLUMNS,
        record::{HIGH, LOW, RECORD_COLUMNS, SPREAD_UNIT},
    },
    columns::Columns,
    digits::Weights,
    field::{WireDigest, digest},
    poseidon::{Circulant, Karatsuba, Poseidon, Visitor},
    prover::trace::Trace,
    segment::Claim,
};
use core::array::from_fn;
use p3_field::{PrimeCharacteristicRing, PrimeField32, integers::QuotientMap};
use p3_koala_bear::KoalaBear;
use std::collections::BTreeMap;

pub(super) type F = KoalaBear;

pub(super) fn f(number: u32) -> F {
    F::from_int(number)
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) active: F,
    pub(super) shard: F,
    pub(super) slot: F,
    pub(super) head: [F; 8],
    pub(super) next_seq: F,
    pub(super) count: F,
    pub(super) spread: F,
    pub(super) digest: [F; 8],
    pub(super) time_low: F,
    pub(super) time_high: F,
    pub(super) kind: F,
    pub(super) gap_low: [F; 12],
    pub(super) gap_high: [F; 7],
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) active: F,
    pub(super) enrolled: F,
    pub(super) shard: F,
    pub(super) slot: F,
    pub(super) identity: [F; 8],
    pub(super) head: [F; 8],
    pub(super) count: F,
    pub(super) new_head: [F; 8],
    pub(super) next_seq_low: [F; 12],
    pub(super) next_seq_high: [F; 7],
    pub(super) reach: [F; 7],
    pub(super) new_next_seq: [F; 19],
    pub(super) records: [F; 7],
    pub(super) old_leaf: [F; 8],
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) left_moved: F,
    pub(super) right_moved: F,
    pub(super) shard: F,
    pub(super) level: F,
    pub(super) index: F,
    pub(super) old_left: [F; 8],
    pub(super) old_right: [F; 8],
    pub(super) new_left: [F; 8],
    pub(super) new_right: [F; 8],
}

/// A row, just after what precedes it was carried into it.
pub(super) enum Row<'a> {
    /// An account before its records.
    Opening(usize, &'a mut Account),
    Record(usize, &'a mut Record),
    /// An account after its records.
    Account(usize, &'a mut Account),
    Node(usize, &'a mut Node),
    Claim(usize, &'a mut Claim),
}

/// Rows that nothing follows from.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) records: Vec<Record>,
    pub(super) accounts: Vec<Account>,
    pub(super) nodes: Vec<Node>,
}

/// The rows of a trace that are not padding: records in order of account and chain, nodes in order of level.
pub(super) struct Rows {
    pub(super) records: Vec<Record>,
    pub(super) accounts: Vec<Account>,
    pub(super) nodes: Vec<Node>,
}

impl Rows {
    pub(super) fn read(trace: &Trace) -> Self {
        let mut rows = Self { records: Vec::new(), accounts: Vec::new(), nodes: Vec::new() };
        for (table, matrix) in trace.shape.tables(trace.claims.len()).iter().zip(&trace.tables) {
            match table.kind {
                Kind::Claim(_) => {}
                Kind::Record => rows.records.extend(matrix.values.chunks(RECORD_COLUMNS).map(Record::read)),
                Kind::Account => {
                    rows.accounts.extend(matrix.values.chunks(ACCOUNT_COLUMNS).map(Account::read))
                }
                Kind::Node => rows.nodes.extend(matrix.values.chunks(NODE_COLUMNS).map(Node::read)),
            }
        }
        rows.records.retain(|record| record.active == F::ONE);
        rows.records.sort_by_key(|record| (record.shard, record.slot, record.count));
        rows.accounts.retain(|account| account.active == F::ONE);
        rows.nodes.retain(|node| node.left_moved + node.right_moved != F::ZERO);
        rows
    }
}

/// By shard, level and index, a node before and after.
type Changes = BTreeMap<(F, F, F), ([F; 8], [F; 8])>;

/// The trace with a cheat in it.
pub(super) fn forge(honest: &Trace, extra: Extra, cheat: &mut dyn FnMut(Row<'_>)) -> Trace {
    let compressions = Compressions::new();
    let Rows { mut records, mut accounts, mut nodes } = Rows::read(honest);
    let mut claims = honest.claims.clone();
    let mut changes = Changes::new();
    // By shard, records and enrolments.
    let mut counts = BTreeMap::<F, (F, F)>::new();
    for (at, account) in accounts.iter_mut().enumerate() {
        let place = (account.shard, account.slot);
        cheat(Row::Opening(at, account));
        let mut state =
            State { head: account.head, next_seq: account.next_seq(), count: account.count, spread: F::ZERO };
        let of_account = |record: &Record| (record.shard, record.slot) == place;
        for (at, record) in records.iter_mut().enumerate().filter(|(_, record)| of_account(record)) {
            (record.head, record.next_seq, record.count, record.spread) =
                (state.head, state.next_seq, state.count, state.spread);
            cheat(Row::Record(at, record));
            state = record.after(&compressions, state);
        }
        account.follow(&compressions, state);
        cheat(Row::Account(at, account));
        let count = counts.entry(account.shard).or_default();
        count.0 += RECORDS.sum(&account.records);
        count.1 += account.enrolled;
        let leaf = (account.shard, F::ZERO, account.slot);
        changes.insert(leaf, (account.old_leaf, account.new_leaf(&compressions)));
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        node.follow(&changes);
        cheat(Row::Node(at, node));
        changes.insert((node.shard, node.level + F::ONE, node.index), node.parents(&compressions));
    }
    for (at, claim) in claims.iter_mut().enumerate() {
        if let Some((old, new)) = changes.get(&(f(claim.shard), f(claim.level.into()), f(claim.index))) {
            (claim.old, claim.new) = (WireDigest(digest(*old)), WireDigest(digest(*new)));
        }
        let (records, enrolments) = counts.get(&f(claim.shard)).copied().unwrap_or_default();
        claim.records = records.as_canonical_u32();
        claim.enrolments = enrolments.as_canonical_u32();
        cheat(Row::Claim(at, claim));
    }

    records.extend(extra.records);
    accounts.extend(extra.accounts);
    nodes.extend(extra.nodes);
    let mut forged = Trace { claims, shape: honest.shape.clone(), tables: honest.tables.clone() };
    let write = |kind: Kind, rows: Vec<Vec<F>>, forged: &mut Trace| {
        let tables = forged.shape.tables(forged.claims.len());
        let cells = forged.tables.iter_mut().zip(&tables).filter(|(_, table)| table.kind == kind);
        let width = rows.first().map_or(1, Vec::len);
        let mut cells: Vec<&mut [F]> =
            cells.flat_map(|(matrix, _)| matrix.values.chunks_mut(width)).collect();
        // Padding comes last in an honest trace, and any inactive row is as good as another.
        assert!(rows.len() <= cells.len(), "no room for an extra row");
        for (cell, row) in cells.iter_mut().zip(rows) {
            cell.copy_from_slice(&row);
        }
    };
    write(Kind::Record, records.iter().map(|row| row.write(&compressions)).collect(), &mut forged);
    write(Kind::Account, accounts.iter().map(|row| row.write(&compressions)).collect(), &mut forged);
    write(Kind::Node, nodes.iter().map(|row| row.write(&compressions)).collect(), &mut forged);
    forged
}

#[derive(Clone, Copy)]
pub(super) struct State {
    head: [F; 8],
    next_seq: F,
    count: F,
    spread: F,
}

impl Record {
    pub(super) fn fields(&mut self) -> Vec<&mut F> {
        let Self { active, shard, slot, head, next_seq, count, spread, digest, time_low, .. } = self;
        let (time_high, kind) = (&mut self.time_high, &mut self.kind);
        let mut fields = vec![active, shard, slot, next_seq, count, spread, time_low, time_high, kind];
        fields.extend(head.iter_mut().chain(digest).chain(&mut self.gap_low).chain(&mut self.gap_high));
        fields
    }

    pub(super) fn seq(&self) -> F {
        self.next_seq + LOW.sum(&self.gap_low) + HIGH.sum(&self.gap_high) * f(SPREAD_UNIT)
    }

    fn read(cell: &[F]) -> Self {
        let mut columns = Columns::new(cell);
        let mut record = Self {
            active: columns.one(),
            shard: columns.one(),
            slot: columns.one(),
            head: *columns.array(),
            next_seq: columns.one(),
            count: columns.one(),
            spread: columns.one(),
            digest: *columns.array(),
            time_low: columns.one(),
            time_high: columns.one(),
            kind: columns.one(),
            gap_low: [F::ZERO; 12],
            gap_high: [F::ZERO; 7],
        };
        let [new_next_seq, new_spread] = *columns.array();
        let gap_high = new_spread - record.spread;
        let gap_low = new_next_seq - F::ONE - record.next_seq - gap_high * f(SPREAD_UNIT);
        record.gap_low = all_digits(&LOW, gap_low, columns.array::<11>());
        record.gap_high = all_digits(&HIGH, gap_high, columns.array::<6>());
        record
    }

    fn input(&self) -> [F; 24] {
        let numbers = [
            f(TAG_RECORD),
            self.slot,
            self.seq(),
            self.time_low,
            self.time_high,
            self.kind,
            F::ZERO,
            F::ZERO,
        ];
        input(&self.head, &self.digest, numbers)
    }

    /// The account's state after it; one that isn't active is passed by.
    fn after(&self, compressions: &Compressions, before: State) -> State {
        if self.active == F::ZERO {
            return before;
        }
        State {
            head: output(&compressions.c24, self.input()),
            next_seq: self.seq() + F::ONE,
            count: self.count + F::ONE,
            spread: self.spread + HIGH.sum(&self.gap_high),
        }
    }

    fn write(&self, compressions: &Compressions) -> Vec<F> {
        let mut cell = vec![self.active, self.shard, self.slot];
        cell.extend(self.head);
        cell.extend([self.next_seq, self.count, self.spread]);
        cell.extend(self.digest);
        cell.extend([self.time_low, self.time_high, self.kind]);
        cell.extend([self.seq() + F::ONE, self.spread + HIGH.sum(&self.gap_high)]);
        cell.extend(&self.gap_low[1..]);
        cell.extend(&self.gap_high[1..]);
        cell.extend(columns(&compressions.c24, self.input()));
        cell
    }
}

impl Account {
    pub(super) fn fields(&mut self) -> Vec<&mut F> {
        let Self { active, enrolled, shard, slot, count, .. } = self;
        let mut fields = vec![active, enrolled, shard, slot, count];
        fields.extend(self.identity.iter_mut().chain(&mut self.head).chain(&mut self.new_head));
        fields.extend(self.next_seq_low.iter_mut().chain(&mut self.next_seq_high).chain(&mut self.reach));
        fields.extend(self.new_next_seq.iter_mut().chain(&mut self.records).chain(&mut self.old_leaf));
        fields
    }

    fn read(cell: &[F]) -> Self {
        let mut columns = Columns::new(cell);
        let [active, enrolled, shard, slot] = *columns.array();
        let (identity, head) = (*columns.array(), *columns.array());
        let [next_seq, count] = *columns.array();
        let new_head = *columns.array();
        let [new_next_seq, new_count, spread] = *columns.array();
        let low_digits: &[F; 11] = columns.array();
        let next_seq_high = *columns.array();
        let high = HIGH.sum(&next_seq_high);
        Self {
            active,
            enrolled,
            shard,
            slot,
            identity,
            head,
            count,
            new_head,
            next_seq_low: all_digits(&LOW, next_seq - high * f(SPREAD_UNIT), low_digits),
            next_seq_high,
            reach: all_digits(&HIGH, high + spread, columns.array::<6>()),
            new_next_seq: all_digits(&NEXT_SEQ, new_next_seq, columns.array::<18>()),
            records: all_digits(&RECORDS, new_count - count, columns.array::<6>()),
            old_leaf: *columns.array(),
        }
    }

    fn next_seq(&self) -> F {
        LOW.sum(&self.next_seq_low) + HIGH.sum(&self.next_seq_high) * f(SPREAD_UNIT)
    }

    /// Takes its records' end over, as far as digits can.
    fn follow(&mut self, compressions: &Compressions, end: State) {
        let number = |value: F, max: u32| value.as_canonical_u32().min(max);
        self.new_head = end.head;
        let reach = HIGH.sum(&self.next_seq_high) + end.spread;
        self.reach = HIGH.digits(number(reach, 2186)).map(f);
        self.new_next_seq = NEXT_SEQ.digits(number(end.next_seq, 1 << 30)).map(f);
        self.records = RECORDS.digits(number(end.count - self.count, 1024)).map(f);
        let hashed = output(&compressions.c24, self.inputs()[0]);
        self.old_leaf = if self.enrolled == F::ONE { [F::ZERO; 8] } else { hashed };
    }

    fn inputs(&self) -> [[F; 24]; 2] {
        let leaf = |head, next_seq, count| {
            let zero = F::ZERO;
            input(head, &self.identity, [f(TAG_ACCOUNT), next_seq, count, zero, zero, zero, zero, zero])
        };
        [
            leaf(&self.head, self.next_seq(), self.count),
            leaf(&self.new_head, NEXT_SEQ.sum(&self.new_next_seq), self.count + RECORDS.sum(&self.records)),
        ]
    }

    fn new_leaf(&self, compressions: &Compressions) -> [F; 8] {
        output(&compressions.c24, self.inputs()[1])
    }

    fn write(&self, compressions: &Compressions) -> Vec<F> {
        let mut cell = vec![self.active, self.enrolled, self.shard, self.slot];
        cell.extend(self.identity);
        cell.extend(self.head);
        cell.extend([self.next_seq(), self.count]);
        cell.extend(self.new_head);
        let spread = HIGH.sum(&self.reach) - HIGH.sum(&self.next_seq_high);
        cell.extend([NEXT_SEQ.sum(&self.new_next_seq), self.count + RECORDS.sum(&self.records), spread]);
        cell.extend(&self.next_seq_low[1..]);
        cell.extend(self.next_seq_high);
        cell.extend(&self.reach[1..]);
        cell.extend(&self.new_next_seq[1..]);
        cell.extend(&self.records[1..]);
        cell.extend(self.old_leaf);
        for input in self.inputs() {
            cell.extend(columns(&compressions.c24, input));
        }
        cell
    }
}

impl Node {
    pub(super) fn fields(&mut self) -> Vec<&mut F> {
        let Self { left_moved, right_moved, shard, level, index, .. } = self;
        let mut fields = vec![left_moved, right_moved, shard, level, index];
        fields.extend(self.old_left.iter_mut().chain(&mut self.old_right));
        fields.extend(self.new_left.iter_mut().chain(&mut self.new_right));
        fields
    }

    fn read(cell: &[F]) -> Self {
        let mut columns = Columns::new(cell);
        Self {
            left_moved: columns.one(),
            right_moved: columns.one(),
            shard: columns.one(),
            level: columns.one(),
            index: columns.one(),
            old_left: *columns.array(),
            old_right: *columns.array(),
            new_left: *columns.array(),
            new_right: *columns.array(),
        }
    }

    /// Takes its children's changes over.
    fn follow(&mut self, changes: &Changes) {
        let child = |right| changes.get(&(self.shard, self.level, self.index.double() + right));
        if let Some(&(old, new)) = child(F::ZERO).filter(|_| self.left_moved == F::ONE) {
            (self.old_left, self.new_left) = (old, new);
        }
        if let Some(&(old, new)) = child(F::ONE).filter(|_| self.right_moved == F::ONE) {
            (self.old_right, self.new_right) = (old, new);
        }
    }

    fn inputs(&self) -> [[F; 16]; 2] {
        let pair = |left: &[F; 8], right: &[F; 8]| from_fn(|i| if i < 8 { left[i] } else { right[i - 8] });
        [pair(&self.old_left, &self.old_right), pair(&self.new_left, &self.new_right)]
    }

    pub(super) fn parents(&self, compressions: &Compressions) -> ([F; 8], [F; 8]) {
        let [old, new] = self.inputs().map(|input| output(&compressions.c16, input));
        (old, new)
    }

    fn write(&self, compressions: &Compressions) -> Vec<F> {
        let mut cell = vec![self.left_moved, self.right_moved, self.shard, self.level, self.index];
        for child in [&self.old_left, &self.old_right, &self.new_left, &self.new_right] {
            cell.extend(child);
        }
        for input in self.inputs() {
            cell.extend(columns(&compressions.c16, input));
        }
        cell
    }
}

/// A number's digits, the lowest of which is what the others leave.
fn all_digits<const N: usize>(weights: &Weights<N>, number: F, higher: &[F]) -> [F; N] {
    let mut digits: [F; N] = from_fn(|i| if i == 0 { F::ZERO } else { higher[i - 1] });
    digits[0] = number - weights.sum(&digits);
    digits
}

fn input(first: &[F; 8], second: &[F; 8], numbers: [F; 8]) -> [F; 24] {
    from_fn(|i| [first, second, &numbers][i / 8][i % 8])
}

/// A compression's columns.
fn columns<const WIDTH: usize>(poseidon: &Poseidon<WIDTH>, input: [F; WIDTH]) -> Vec<F>
where
    Karatsuba: Circulant<WIDTH>,
{
    struct All(Vec<F>);
    impl<const WIDTH: usize> Visitor<F, WIDTH> for All {
        fn full_round(&mut self, state: &mut [F; WIDTH]) {
            self.0.extend(*state);
        }
        fn partial_round(&mut self, first: &mut F) {
            self.0.push(*first);
        }
        fn output(&mut self, output: [F; 8]) {
            self.0.extend(output);
        }
    }
    let mut all = All(Vec::new());
    poseidon.compress(input, &mut all);
    all.0
}

fn output<const WIDTH: usize>(poseidon: &Poseidon<WIDTH>, input: [F; WIDTH]) -> [F; 8]
where
    Karatsuba: Circulant<WIDTH>,
{
    *columns(poseidon, input).last_chunk().expect("the output comes last")
}

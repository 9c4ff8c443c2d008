//! Evaluates a trace's rows one by one: every constraint, and the balance of every bus.

use crate::{
    air::Kind,
    prover::trace::Trace,
    segment::{public_values, values},
    shape::Shape,
    statement::Statement,
};
use p3_air::{Air, AirBuilder, RowWindow};
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use p3_koala_bear::KoalaBear;
use p3_lookup::{Count, InteractionBuilder};
use std::collections::{BTreeMap, BTreeSet};

/// What of a trace is wrong.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Faults {
    /// Tables with a broken constraint.
    pub(super) tables: BTreeSet<&'static str>,
    /// Buses that don't balance.
    pub(super) buses: BTreeSet<String>,
}

impl Faults {
    pub(super) fn none(&self) -> bool {
        self.tables.is_empty() && self.buses.is_empty()
    }
}

pub(super) fn check(trace: &Trace, statement: &Statement) -> Faults {
    let mut faults = Faults::default();
    let mut messages = Messages::new();
    for (at, (table, matrix)) in trace.shape.tables(trace.claims.len()).iter().zip(&trace.tables).enumerate()
    {
        let public_values = if at == 0 { values(&trace.claims, &statement.digest()) } else { Vec::new() };
        for row in matrix.values.chunks_exact(matrix.width) {
            let mut builder = RowBuilder::new(row, &public_values, &mut messages);
            table.eval(&mut builder);
            if builder.values.iter().any(|&value| value != KoalaBear::ZERO) {
                faults.tables.insert(match table.kind {
                    Kind::Claim(_) => "claim",
                    Kind::Record => "record",
                    Kind::Account => "account",
                    Kind::Node => "node",
                });
            }
        }
    }
    for ((bus, _), sum) in messages {
        if sum != KoalaBear::ZERO {
            faults.buses.insert(bus);
        }
    }
    faults
}

/// By bus and fields, how often it was sent less how often it was received.
type Messages = BTreeMap<(String, Vec<u32>), KoalaBear>;

struct RowBuilder<'a> {
    row: &'a [KoalaBear],
    public_values: &'a [KoalaBear],
    /// What each constraint comes to: 0 if it holds.
    values: Vec<KoalaBear>,
    messages: &'a mut Messages,
    none: RowWindow<'a, KoalaBear>,
}

impl<'a> RowBuilder<'a> {
    fn new(row: &'a [KoalaBear], public_values: &'a [KoalaBear], messages: &'a mut Messages) -> Self {
        Self { row, public_values, values: Vec::new(), messages, none: RowWindow::from_two_rows(&[], &[]) }
    }
}

impl<'a> AirBuilder for RowBuilder<'a> {
    type F = KoalaBear;
    type Expr = KoalaBear;
    type Var = KoalaBear;
    type PreprocessedWindow = RowWindow<'a, KoalaBear>;
    type MainWindow = RowWindow<'a, KoalaBear>;
    type PublicVar = KoalaBear;
    type PeriodicVar = KoalaBear;

    fn main(&self) -> Self::MainWindow {
        RowWindow::from_two_rows(self.row, self.row)
    }

    fn preprocessed(&self) -> &Self::PreprocessedWindow {
        &self.none
    }

    fn is_first_row(&self) -> KoalaBear {
        unreachable!("no row knows its place")
    }

    fn is_last_row(&self) -> KoalaBear {
        unreachable!("no row knows its place")
    }

    fn is_transition(&self) -> KoalaBear {
        unreachable!("no row knows its place")
    }

    fn assert_zero<I: Into<KoalaBear>>(&mut self, x: I) {
        self.values.push(x.into());
    }

    fn public_values(&self) -> &[KoalaBear] {
        self.public_values
    }
}

impl InteractionBuilder for RowBuilder<'_> {
    fn push_interaction<E: Into<KoalaBear>>(
        &mut self,
        bus: &str,
        fields: impl IntoIterator<Item = E>,
        count: impl Into<Count<KoalaBear>>,
    ) {
        let (count, _) = count.into().into_parts();
        if count != KoalaBear::ZERO {
            let fields = fields.into_iter().map(|field| field.into().as_canonical_u32()).collect();
            *self.messages.entry((bus.to_owned(), fields)).or_default() += count;
        }
    }

    fn push_local_interaction(&mut self, _: impl IntoIterator<Item = (Vec<KoalaBear>, Count<KoalaBear>)>) {
        unreachable!("every message goes over a bus")
    }
}

/// What the tables' constraints and messages come to on rows that follow no rule. A change of them is a change of
/// what a proof says: give the transcript's tag a new version.
#[test]
fn constraints_are_pinned() {
    let shape = Shape { records: vec![6], accounts: vec![6], nodes: vec![6] };
    let mut number = 1u32;
    let mut next = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        KoalaBear::from_u32(number >> 1)
    };
    let mut hasher = blake3::Hasher::new();
    for table in shape.tables(2) {
        let row: Vec<KoalaBear> = (0..table.kind.columns()).map(|_| next()).collect();
        let public_values: Vec<KoalaBear> = (0..public_values(2)).map(|_| next()).collect();
        let mut messages = BTreeMap::new();
        let mut builder = RowBuilder::new(&row, &public_values, &mut messages);
        table.eval(&mut builder);
        for value in builder.values {
            hasher.update(&value.as_canonical_u32().to_le_bytes());
        }
        for ((bus, fields), count) in messages {
            hasher.update(bus.as_bytes());
            for field in fields.into_iter().chain([count.as_canonical_u32()]) {
                hasher.update(&field.to_le_bytes());
            }
        }
    }
    assert_eq!(
        hasher.finalize().to_hex().as_str(),
        "7a9ec194983d0bb7a3b2d3cd109c504cdc80808b3ade869742f233868bd034b3"
    );
}

//! The tables, as one type: a proof's instances are all of one.

pub(crate) mod account;
pub(crate) mod claim;
pub(crate) mod node;
pub(crate) mod record;

pub(crate) use crate::bus::Direction;

use crate::{poseidon::Poseidon, segment::public_values};
use core::array::from_fn;
use p3_air::{Air, AirBuilder, BaseAir};
use p3_field::{Field, PrimeCharacteristicRing};
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;
use std::sync::Arc;

/// The first of the eight numbers of a record's `C24`, as `arterial_protocol` has it.
pub(crate) const TAG_RECORD: u32 = 1;
/// The first of the eight numbers of an account's.
pub(crate) const TAG_ACCOUNT: u32 = 2;
/// Numbers of a `C24` after its tag.
pub(crate) const NUMBERS_AFTER_TAG: usize = 7;

/// Degree of every constraint, those of the buses included: as much as a blow-up of 2 allows.
pub(crate) const CONSTRAINT_DEGREE: usize = 3;

/// A table of the proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// With so many claims.
    Claim(usize),
    Record,
    Account,
    Node,
}

impl Kind {
    pub(crate) const fn columns(self) -> usize {
        match self {
            Self::Claim(_) => claim::CLAIM_COLUMNS,
            Self::Record => record::RECORDS_PER_ROW * record::RECORD_COLUMNS,
            Self::Account => account::ACCOUNT_COLUMNS,
            Self::Node => node::NODE_COLUMNS,
        }
    }

    /// Messages of a row.
    pub(crate) const fn messages(self) -> usize {
        match self {
            Self::Claim(claims) => 3 * claims,
            Self::Node => 3,
            Self::Record => 2 * record::RECORDS_PER_ROW,
            Self::Account => 5,
        }
    }

    /// Columns of fractions, two messages of one bus to each; but claims', which are constants, share one a bus.
    pub(crate) const fn fractions(self) -> usize {
        match self {
            Self::Claim(_) | Self::Node => 2,
            Self::Record => record::RECORDS_PER_ROW,
            Self::Account => 3,
        }
    }
}

/// The constants of both compressions.
#[derive(Clone, Debug)]
pub(crate) struct Compressions {
    pub(crate) c16: Poseidon<16>,
    pub(crate) c24: Poseidon<24>,
}

impl Compressions {
    pub(crate) fn new() -> Self {
        Self { c16: Poseidon::c16(), c24: Poseidon::c24() }
    }
}

/// One instance of a table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) kind: Kind,
    pub(crate) compressions: Arc<Compressions>,
}

impl<F: Field> BaseAir<F> for Table {
    fn width(&self) -> usize {
        self.kind.columns()
    }

    fn num_public_values(&self) -> usize {
        if let Kind::Claim(claims) = self.kind { public_values(claims) } else { 0 }
    }

    /// No row knows of another: what joins rows goes over the buses.
    fn main_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn max_constraint_degree(&self) -> Option<usize> {
        Some(CONSTRAINT_DEGREE)
    }
}

impl<AB: InteractionBuilder<F = KoalaBear>> Air<AB> for Table {
    fn eval(&self, builder: &mut AB) {
        match self.kind {
            Kind::Claim(claims) => claim::eval(builder, claims),
            Kind::Record => record::eval(builder, &self.compressions.c24),
            Kind::Account => account::eval(builder, &self.compressions.c24),
            Kind::Node => node::eval(builder, &self.compressions.c16),
        }
    }
}

fn expressions<AB: AirBuilder, const N: usize>(columns: &[AB::Var; N]) -> [AB::Expr; N] {
    columns.map(Into::into)
}

/// The input of a `C24`: two digests, a tag and seven numbers.
fn block24<AB: AirBuilder<F = KoalaBear>>(
    first: &[AB::Var; 8],
    second: &[AB::Var; 8],
    tag: u32,
    numbers: [AB::Expr; NUMBERS_AFTER_TAG],
) -> [AB::Expr; 24] {
    from_fn(|i| match i {
        0..8 => first[i].into(),
        8..16 => second[i - 8].into(),
        16 => AB::Expr::from_u32(tag),
        _ => numbers[i - 17].clone(),
    })
}

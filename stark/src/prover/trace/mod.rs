//! The tables of one part, filled in lanes.
//!
//! What is filled is also what is hashed: heads, leaves and nodes come out of the same pass over the compressions
//! that writes their columns down.

mod account;
mod lanes;
mod node;
mod record;
mod rows;

use super::{plan::Part, witness::OldTree};
use crate::{
    air::{Compressions, Kind, record::RECORDS_PER_ROW},
    error::StarkError,
    field::WireDigest,
    segment::Claim,
    shape::{Shape, parts},
};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_matrix::dense::RowMajorMatrix;
use rows::Cells;

/// A part's claim, its tables' heights and the tables, in the order of the shape's instances.
pub(crate) struct Trace {
    pub(crate) claim: Claim,
    pub(crate) shape: Shape,
    pub(crate) tables: Vec<RowMajorMatrix<KoalaBear>>,
}

/// How one node or leaf moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) index: u32,
    pub(crate) old: [KoalaBear; 8],
    pub(crate) new: [KoalaBear; 8],
}

impl Trace {
    pub(crate) fn new(part: &Part<'_>, tree: &dyn OldTree) -> Result<Self, StarkError> {
        let compressions = Compressions::new();
        let records = part.records();
        let shape = Shape {
            records: parts(records.div_ceil(RECORDS_PER_ROW)),
            accounts: parts(part.moves.len()),
            nodes: parts(part.nodes()),
        };
        let mut record_cells = Cells::new(Kind::Record, &shape.records);
        let mut account_cells = Cells::new(Kind::Account, &shape.accounts);
        let mut node_cells = Cells::new(Kind::Node, &shape.nodes);

        let ends = record::fill(part.moves, &compressions, &mut record_cells);
        let leaves = account::fill(part.moves, &ends, &compressions, &mut account_cells);
        let root = node::fill(part, leaves, tree, &compressions, &mut node_cells)?;

        let count = |number: usize| u32::try_from(number).expect("a batch's counts are bounded");
        let claim = Claim {
            level: u8::try_from(part.level).expect("a tree has few levels"),
            index: part.index,
            old: WireDigest(crate::field::digest(root.old)),
            new: WireDigest(crate::field::digest(root.new)),
            records: count(records),
            enrolments: count(part.enrolments()),
        };
        let tables = [RowMajorMatrix::new(vec![KoalaBear::ONE], Kind::Claim.columns())]
            .into_iter()
            .chain(record_cells.into_tables())
            .chain(account_cells.into_tables())
            .chain(node_cells.into_tables())
            .collect();
        Ok(Self { claim, shape, tables })
    }
}

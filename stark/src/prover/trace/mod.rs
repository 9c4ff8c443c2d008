//! The tables of one segment, filled in lanes.
//!
//! What is filled is also what is hashed: heads, leaves and nodes come out of the same pass over the compressions
//! that writes their columns down.

mod account;
mod lanes;
mod node;
mod record;
mod rows;

use super::{plan::Part, witness::Move};
use crate::{
    air::{Compressions, Kind, record::RECORDS_PER_ROW},
    error::StarkError,
    field::WireDigest,
    segment::Claim,
    shape::{Shape, heights},
};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_matrix::dense::RowMajorMatrix;
use rows::Cells;

/// A segment's claims, its tables' heights and the tables, in the order of the shape's instances.
pub(crate) struct Trace {
    pub(crate) claims: Vec<Claim>,
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
    pub(crate) fn new(parts: &[Part<'_>]) -> Result<Self, StarkError> {
        let compressions = Compressions::new();
        let moves: Vec<Move<'_>> = parts.iter().flat_map(|part| part.moves).copied().collect();
        let records: usize = parts.iter().map(Part::records).sum();
        let shape = Shape {
            records: heights(records.div_ceil(RECORDS_PER_ROW)),
            accounts: heights(moves.len()),
            nodes: heights(parts.iter().map(Part::nodes).sum()),
        };
        let mut record_cells = Cells::new(Kind::Record, &shape.records);
        let mut account_cells = Cells::new(Kind::Account, &shape.accounts);
        let mut node_cells = Cells::new(Kind::Node, &shape.nodes);

        let ends = record::fill(&moves, &compressions, &mut record_cells);
        let leaves = account::fill(&moves, &ends, &compressions, &mut account_cells);
        let roots = node::fill(parts, leaves, &compressions, &mut node_cells)?;

        let claims = parts.iter().zip(roots).map(|(part, root)| claim(part, &root)).collect();
        let tables = [RowMajorMatrix::new(vec![KoalaBear::ONE], 1)]
            .into_iter()
            .chain(record_cells.into_tables())
            .chain(account_cells.into_tables())
            .chain(node_cells.into_tables())
            .collect();
        Ok(Self { claims, shape, tables })
    }
}

fn claim(part: &Part<'_>, root: &Change) -> Claim {
    let count = |number: usize| u32::try_from(number).expect("a batch's counts are bounded");
    Claim {
        shard: part.shard.0,
        level: u8::try_from(part.level).expect("a tree has few levels"),
        index: part.index,
        old: WireDigest(crate::field::digest(root.old)),
        new: WireDigest(crate::field::digest(root.new)),
        records: count(part.records()),
        enrolments: count(part.enrolments()),
    }
}

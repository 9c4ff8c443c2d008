//! A table's instances as places to write to.

use crate::air::{Kind, record::RECORDS_PER_ROW};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_matrix::dense::RowMajorMatrix;
use rayon::prelude::*;

/// The instances of one table. A cell is what one record, account or node takes.
pub(super) struct Cells {
    kind: Kind,
    columns: usize,
    instances: Vec<Vec<KoalaBear>>,
}

impl Cells {
    pub(super) fn new(kind: Kind, log_heights: &[u8]) -> Self {
        let zeros = |log_height: &u8| KoalaBear::zero_vec(kind.columns() << log_height);
        let per_row = if kind == Kind::Record { RECORDS_PER_ROW } else { 1 };
        Self { kind, columns: kind.columns() / per_row, instances: log_heights.iter().map(zeros).collect() }
    }

    /// Every cell, in order.
    pub(super) fn cells(&mut self) -> Vec<&mut [KoalaBear]> {
        let columns = self.columns;
        self.instances.iter_mut().flat_map(|instance| instance.chunks_exact_mut(columns)).collect()
    }

    pub(super) fn into_tables(self) -> impl Iterator<Item = RowMajorMatrix<KoalaBear>> {
        let width = self.kind.columns();
        self.instances.into_iter().map(move |instance| RowMajorMatrix::new(instance, width))
    }
}

/// Fills what is left over with one inactive cell.
pub(super) fn pad(cells: Vec<&mut [KoalaBear]>, padding: &[KoalaBear]) {
    cells.into_par_iter().for_each(|cell| cell.copy_from_slice(padding));
}

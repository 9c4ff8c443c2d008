//! Compressions whose columns are written down, as many at once as the CPU has lanes.

use crate::poseidon::{Circulant, Karatsuba, Poseidon, Visitor};
use core::array::from_fn;
use p3_field::{Field, PackedValue};
use p3_koala_bear::KoalaBear;

pub(super) type Lanes = <KoalaBear as Field>::Packing;
/// Compressions at once.
pub(super) const LANES: usize = <Lanes as PackedValue>::WIDTH;

/// The columns of [`LANES`] compressions, one lane each.
#[derive(Default)]
pub(super) struct Columns {
    columns: Vec<Lanes>,
}

impl Columns {
    /// Compresses lane by lane and gives the outputs.
    pub(super) fn compress<const WIDTH: usize>(
        &mut self,
        poseidon: &Poseidon<WIDTH>,
        input: [Lanes; WIDTH],
    ) -> [Lanes; 8]
    where
        Karatsuba: Circulant<WIDTH>,
    {
        self.columns.clear();
        poseidon.compress(input, self);
        *self.columns.last_chunk().expect("the output comes last")
    }

    /// Writes one lane's columns.
    pub(super) fn write(&self, lane: usize, cells: &mut [KoalaBear]) {
        for (cell, column) in cells.iter_mut().zip(&self.columns) {
            *cell = column.as_slice()[lane];
        }
    }
}

impl<const WIDTH: usize> Visitor<Lanes, WIDTH> for Columns {
    fn full_round(&mut self, state: &mut [Lanes; WIDTH]) {
        self.columns.extend_from_slice(state);
    }

    fn partial_round(&mut self, first: &mut Lanes) {
        self.columns.push(*first);
    }

    fn output(&mut self, output: [Lanes; 8]) {
        self.columns.extend_from_slice(&output);
    }
}

/// The columns of one compression.
pub(super) fn columns_of<const WIDTH: usize>(
    poseidon: &Poseidon<WIDTH>,
    input: [KoalaBear; WIDTH],
) -> Vec<KoalaBear>
where
    Karatsuba: Circulant<WIDTH>,
{
    let mut columns = Columns::default();
    poseidon.compress(pack(&[input]), &mut columns);
    columns.columns.iter().map(|column| column.as_slice()[0]).collect()
}

/// Turns one array a lane into lanes; lanes without one get the default.
pub(super) fn pack<const N: usize>(arrays: &[[KoalaBear; N]]) -> [Lanes; N] {
    from_fn(|i| Lanes::from_fn(|lane| arrays.get(lane).map_or_else(KoalaBear::default, |array| array[i])))
}

/// One lane of each.
pub(super) fn unpack<const N: usize>(lanes: &[Lanes; N], lane: usize) -> [KoalaBear; N] {
    lanes.map(|element| element.as_slice()[lane])
}

//! FRI as Plonky3 has it, and a faster way from the committed tables to the constraints.
//!
//! Constraints are evaluated in lanes: 16 rows at once, so their values must be turned from rows to columns.
//!
//! ```text
//! rows, in bit-reversed order              a tile                           columns in lanes
//! row r      ▓▓▓▓░░░░░░░░ …       lane  0  ▓▓▓▓                       ▓▓…▓  ▓▓…▓  ▓▓…▓  ▓▓…▓
//!   ⋮                        ──▶    ⋮       ⋮             ──▶          col 0  col 1  …
//! row r + 15 ▓▓▓▓░░░░░░░░ …       lane 15  ▓▓▓▓
//! ```
//! The rows are a power of two apart in memory, so all of them share few places in the cache. Read column by column,
//! each line is fetched again for every column; by tiles as wide as a line, once.

use crate::config::{Challenge, ProofHash};
use p3_commit::{
    CommitmentOpening, ExtensionMmcs, OpenedValues, OpeningRequest, Pcs, PeriodicLdeTable, UnivariateStarkPcs,
};
use p3_dft::Radix2DitParallel;
use p3_field::{PackedValue, PrimeCharacteristicRing, coset::TwoAdicMultiplicativeCoset};
use p3_fri::TwoAdicFriPcs;
use p3_koala_bear::KoalaBear;
use p3_matrix::{
    Matrix,
    bitrev::BitReversibleMatrix,
    dense::{RowMajorMatrix, RowMajorMatrixCow},
};
use std::ops::Deref;

/// Plonky3's FRI over a hash.
pub(crate) type Fri<H> = TwoAdicFriPcs<
    KoalaBear,
    Radix2DitParallel<KoalaBear>,
    <H as ProofHash>::Mmcs,
    ExtensionMmcs<KoalaBear, Challenge, <H as ProofHash>::Mmcs>,
>;
type Transcript<H> = <H as ProofHash>::Challenger;
type ProverData<H> = <Fri<H> as Pcs<Challenge, Transcript<H>>>::ProverData;
type Commitment<H> = <Fri<H> as Pcs<Challenge, Transcript<H>>>::Commitment;
type Proof<H> = <Fri<H> as Pcs<Challenge, Transcript<H>>>::Proof;
type ProverError<H> = <Fri<H> as Pcs<Challenge, Transcript<H>>>::ProverError;
type Domain = TwoAdicMultiplicativeCoset<KoalaBear>;
type Table = RowMajorMatrix<KoalaBear>;

/// Commits to tables whose constraints read one row at a time, never the next one.
pub struct TablePcs<H: ProofHash>(pub(crate) Fri<H>);

impl<H: ProofHash> Clone for TablePcs<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: ProofHash> Pcs<Challenge, Transcript<H>> for TablePcs<H> {
    type Domain = Domain;
    type Commitment = Commitment<H>;
    type ProverData = ProverData<H>;
    type Proof = Proof<H>;
    type Error = <Fri<H> as Pcs<Challenge, Transcript<H>>>::Error;
    type ProverError = ProverError<H>;

    fn natural_domain_for_degree(&self, degree: usize) -> Domain {
        Pcs::<Challenge, Transcript<H>>::natural_domain_for_degree(&self.0, degree)
    }

    fn commit(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, Table)>,
    ) -> Result<(Commitment<H>, ProverData<H>), ProverError<H>> {
        Pcs::<Challenge, Transcript<H>>::commit(&self.0, evaluations)
    }

    fn open(
        &self,
        requests: Vec<OpeningRequest<'_, ProverData<H>, Challenge>>,
        challenger: &mut Transcript<H>,
    ) -> Result<(OpenedValues<Challenge>, Proof<H>), ProverError<H>> {
        self.0.open(requests, challenger)
    }

    fn verify(
        &self,
        openings: Vec<CommitmentOpening<Challenge, Commitment<H>, Domain>>,
        proof: &Proof<H>,
        challenger: &mut Transcript<H>,
    ) -> Result<(), Self::Error> {
        self.0.verify(openings, proof, challenger)
    }
}

impl<H: ProofHash> UnivariateStarkPcs<Challenge, Transcript<H>> for TablePcs<H> {
    type EvaluationsOnDomain<'a> = Evaluations<'a>;

    const ZK: bool = <Fri<H> as UnivariateStarkPcs<Challenge, Transcript<H>>>::ZK;

    fn log_max_trace_height(&self) -> usize {
        UnivariateStarkPcs::<Challenge, Transcript<H>>::log_max_trace_height(&self.0)
    }

    fn log_min_trace_height(&self) -> usize {
        UnivariateStarkPcs::<Challenge, Transcript<H>>::log_min_trace_height(&self.0)
    }

    fn get_quotient_ldes(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, Table)>,
        chunks: usize,
    ) -> Result<Vec<Table>, ProverError<H>> {
        UnivariateStarkPcs::<Challenge, Transcript<H>>::get_quotient_ldes(&self.0, evaluations, chunks)
    }

    fn commit_ldes(&self, ldes: Vec<Table>) -> Result<(Commitment<H>, ProverData<H>), ProverError<H>> {
        UnivariateStarkPcs::<Challenge, Transcript<H>>::commit_ldes(&self.0, ldes)
    }

    fn get_evaluations_on_domain<'a>(
        &self,
        data: &'a ProverData<H>,
        at: usize,
        domain: Domain,
    ) -> Evaluations<'a> {
        let evaluations = UnivariateStarkPcs::<Challenge, Transcript<H>>::get_evaluations_on_domain(
            &self.0, data, at, domain,
        );
        Evaluations(evaluations.bit_reverse_rows())
    }

    fn build_periodic_lde_table(
        &self,
        columns: &[Vec<KoalaBear>],
        trace: Domain,
        quotient: Domain,
    ) -> PeriodicLdeTable<KoalaBear> {
        UnivariateStarkPcs::<Challenge, Transcript<H>>::build_periodic_lde_table(
            &self.0, columns, trace, quotient,
        )
    }
}

/// A table's extension, whose rows are stored in bit-reversed order.
///
/// What Plonky3's prover reads of it is written here. The trait's other methods are defined by each other, and by none
/// that safe code could write.
pub struct Evaluations<'a>(RowMajorMatrixCow<'a, KoalaBear>);

/// Columns of a tile: a line of the cache.
const TILE: usize = 16;

impl Evaluations<'_> {
    /// The row of this number, going round.
    fn at(&self, row: usize) -> &[KoalaBear] {
        let height = self.0.height();
        let bits = height.trailing_zeros();
        let stored = (row % height).reverse_bits().checked_shr(usize::BITS - bits).unwrap_or(0);
        &self.0.values[stored * self.0.width..][..self.0.width]
    }
}

impl Matrix<KoalaBear> for Evaluations<'_> {
    fn width(&self) -> usize {
        self.0.width
    }

    fn height(&self) -> usize {
        self.0.height()
    }

    fn get(&self, row: usize, column: usize) -> Option<KoalaBear> {
        if row < self.height() { self.at(row).get(column).copied() } else { None }
    }

    fn row(
        &self,
        row: usize,
    ) -> Option<impl IntoIterator<Item = KoalaBear, IntoIter = impl Iterator<Item = KoalaBear> + Send + Sync>>
    {
        (row < self.height()).then(|| self.at(row).iter().copied())
    }

    fn row_slice(&self, row: usize) -> Option<impl Deref<Target = [KoalaBear]>> {
        (row < self.height()).then(|| self.at(row))
    }

    fn wrapping_row_slices(&self, row: usize, count: usize) -> Vec<impl Deref<Target = [KoalaBear]>> {
        (row..row + count).map(|row| self.at(row)).collect()
    }

    fn vertically_packed_row<P: PackedValue<Value = KoalaBear>>(
        &self,
        row: usize,
    ) -> impl Iterator<Item = P> {
        // The prover asks for the rows of each group of lanes, and then for the rows after them, which no constraint
        // reads: they start between two groups.
        let read = row.is_multiple_of(P::WIDTH);
        let rows: Vec<&[KoalaBear]> =
            if read { (row..row + P::WIDTH).map(|row| self.at(row)).collect() } else { Vec::new() };
        let width = self.0.width;
        (0..width).step_by(TILE).flat_map(move |start| {
            let end = width.min(start + TILE);
            let mut tile = [P::broadcast(KoalaBear::ZERO); TILE];
            for (lane, row) in rows.iter().enumerate() {
                for (packed, &value) in tile.iter_mut().zip(&row[start..end]) {
                    packed.as_slice_mut()[lane] = value;
                }
            }
            tile.into_iter().take(end - start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p3_field::Field;

    #[test]
    fn lanes_hold_the_rows_in_natural_order() {
        type Lanes = <KoalaBear as Field>::Packing;
        for (log_height, width) in [(0, 1), (1, 5), (4, 16), (6, 17), (7, 100)] {
            let height = 1 << log_height;
            let natural = Table::new((0..height * width).map(KoalaBear::from_usize).collect(), width);
            let stored = natural.clone().bit_reverse_rows().to_row_major_matrix();
            let evaluations = Evaluations(stored.as_cow());
            for row in (0..height).step_by(Lanes::WIDTH) {
                let ours: Vec<Lanes> = evaluations.vertically_packed_row(row).collect();
                let expected: Vec<Lanes> = natural.vertically_packed_row(row).collect();
                assert_eq!(ours, expected, "2^{log_height} rows of {width}");
            }
            for row in 0..height {
                assert_eq!(&*evaluations.row_slice(row).unwrap(), &*natural.row_slice(row).unwrap());
                assert_eq!(evaluations.get(row, width - 1), natural.get(row, width - 1));
            }
            assert!(evaluations.get(height, 0).is_none() && evaluations.get(0, width).is_none());
        }
    }
}

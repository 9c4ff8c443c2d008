//! Poseidon over KoalaBear as constraints: `C16` and `C24` in the columns that they need and no more.
//!
//! ```text
//!            ┌ 4 full rounds ┐   ┌ partial rounds ┐   ┌ 3 full rounds ┐   ┌ last round, feed-forward ┐
//! input ───▶ │   4 × WIDTH   │──▶│  1 each, after │──▶│   3 × WIDTH   │──▶│  8: (state + input)[0..8]│
//! (given)    │ state after   │   │  its S-box     │   │ state after   │   │                          │
//!            └───────────────┘   └────────────────┘   └───────────────┘   └──────────────────────────┘
//! ```
//! The S-box is x³, so that each column is a cubic in those before it. The input has no columns here: it is whatever
//! expressions the row already has, and the last round's columns are the compression's output. `C24` takes
//! 7·24 + 23 + 8 = 199 columns, `C16` 7·16 + 20 + 8 = 140.

use crate::columns::Columns;
use core::array::from_fn;
use p3_air::AirBuilder;
use p3_field::Algebra;
use p3_koala_bear::{
    KOALABEAR_POSEIDON_HALF_FULL_ROUNDS, KOALABEAR_POSEIDON_PARTIAL_ROUNDS_16,
    KOALABEAR_POSEIDON_PARTIAL_ROUNDS_24, KOALABEAR_POSEIDON1_RC_16, KOALABEAR_POSEIDON1_RC_24, KoalaBear,
    MDSKoalaBearData,
};
use p3_mds::karatsuba_convolution::{mds_circulant_karatsuba_16, mds_circulant_karatsuba_24};
use p3_monty_31::MDSUtils;
use p3_poseidon1::{
    Poseidon1Constants,
    external::{FullRoundConstants, mds_multiply},
    internal::PartialRoundConstants,
};

/// Columns of one `C16`.
pub(crate) const C16_COLUMNS: usize = columns(16, KOALABEAR_POSEIDON_PARTIAL_ROUNDS_16);
/// Columns of one `C24`.
pub(crate) const C24_COLUMNS: usize = columns(24, KOALABEAR_POSEIDON_PARTIAL_ROUNDS_24);

const fn columns(width: usize, partial_rounds: usize) -> usize {
    (2 * KOALABEAR_POSEIDON_HALF_FULL_ROUNDS - 1) * width + partial_rounds + 8
}

/// The circulant matrix of the full rounds, by the fast convolution of its width.
pub(crate) trait Circulant<const WIDTH: usize> {
    /// `state ← M · state`, where `column` is the first column of M.
    fn multiply<A: Algebra<KoalaBear>>(state: &mut [A; WIDTH], column: &[KoalaBear; WIDTH]);
}

/// Marks what [`Circulant`] is implemented for.
#[derive(Clone, Debug)]
pub(crate) struct Karatsuba;

impl Circulant<16> for Karatsuba {
    fn multiply<A: Algebra<KoalaBear>>(state: &mut [A; 16], column: &[KoalaBear; 16]) {
        mds_circulant_karatsuba_16(state, column);
    }
}

impl Circulant<24> for Karatsuba {
    fn multiply<A: Algebra<KoalaBear>>(state: &mut [A; 24], column: &[KoalaBear; 24]) {
        mds_circulant_karatsuba_24(state, column);
    }
}

/// The constants of one width, its partial rounds in sparse form (Poseidon paper, appendix B).
#[derive(Clone, Debug)]
pub(crate) struct Poseidon<const WIDTH: usize> {
    full: FullRoundConstants<KoalaBear, WIDTH>,
    partial: PartialRoundConstants<KoalaBear, WIDTH>,
    column: [KoalaBear; WIDTH],
}

impl Poseidon<16> {
    /// `C16`.
    pub(crate) fn c16() -> Self {
        Self::new(&Poseidon1Constants {
            rounds_f: 2 * KOALABEAR_POSEIDON_HALF_FULL_ROUNDS,
            rounds_p: KOALABEAR_POSEIDON_PARTIAL_ROUNDS_16,
            mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_16_COL,
            round_constants: KOALABEAR_POSEIDON1_RC_16.to_vec(),
        })
    }
}

impl Poseidon<24> {
    /// `C24`.
    pub(crate) fn c24() -> Self {
        Self::new(&Poseidon1Constants {
            rounds_f: 2 * KOALABEAR_POSEIDON_HALF_FULL_ROUNDS,
            rounds_p: KOALABEAR_POSEIDON_PARTIAL_ROUNDS_24,
            mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_24_COL,
            round_constants: KOALABEAR_POSEIDON1_RC_24.to_vec(),
        })
    }
}

/// Sees each column of a compression in order: constrains it, or writes it down.
pub(crate) trait Visitor<A, const WIDTH: usize> {
    /// The state after a full round.
    fn full_round(&mut self, state: &mut [A; WIDTH]);
    /// The first element after a partial round's S-box.
    fn partial_round(&mut self, first: &mut A);
    /// The compression's output.
    fn output(&mut self, output: [A; 8]);
}

impl<const WIDTH: usize> Poseidon<WIDTH>
where
    Karatsuba: Circulant<WIDTH>,
{
    fn new(constants: &Poseidon1Constants<KoalaBear, WIDTH>) -> Self {
        let (full, partial) = constants.to_optimized();
        let column = from_fn(|i| full.dense_mds[i][0]);
        Self { full, partial, column }
    }

    /// Compresses `input` and shows the visitor every column on the way.
    pub(crate) fn compress<A: Algebra<KoalaBear>>(
        &self,
        input: [A; WIDTH],
        visitor: &mut impl Visitor<A, WIDTH>,
    ) {
        let first: [A; 8] = from_fn(|i| input[i].clone());
        let mut state = input;
        for constants in &self.full.initial {
            self.full_round(&mut state, constants);
            visitor.full_round(&mut state);
        }
        for (element, &constant) in state.iter_mut().zip(&self.partial.first_round_constants) {
            *element += constant;
        }
        mds_multiply(&mut state, &self.partial.m_i);
        for (round, (row, column)) in self.partial.sparse_first_row.iter().zip(&self.partial.v).enumerate() {
            state[0] = state[0].cube();
            visitor.partial_round(&mut state[0]);
            // There is one constant less than rounds: the last one's went into the first vector.
            if let Some(&constant) = self.partial.round_constants.get(round) {
                state[0] += constant;
            }
            let old_first = state[0].clone();
            state[0] = A::mixed_dot_product(&state, row);
            for (element, &factor) in state[1..].iter_mut().zip(column) {
                *element += old_first.clone() * factor;
            }
        }
        if let Some((last, others)) = self.full.terminal.split_last() {
            for constants in others {
                self.full_round(&mut state, constants);
                visitor.full_round(&mut state);
            }
            self.full_round(&mut state, last);
        }
        visitor.output(from_fn(|i| state[i].clone() + first[i].clone()));
    }

    fn full_round<A: Algebra<KoalaBear>>(&self, state: &mut [A; WIDTH], constants: &[KoalaBear; WIDTH]) {
        for (element, &constant) in state.iter_mut().zip(constants) {
            *element += constant;
            *element = element.cube();
        }
        Karatsuba::multiply(state, &self.column);
    }

    /// Requires that the next columns are those of the compression of `input`, and gives its output.
    pub(crate) fn constrain<AB: AirBuilder<F = KoalaBear>>(
        &self,
        builder: &mut AB,
        input: [AB::Expr; WIDTH],
        columns: &mut Columns<'_, AB::Var>,
    ) -> [AB::Var; 8] {
        let mut constrainer = Constrainer { builder, columns, output: None };
        self.compress(input, &mut constrainer);
        constrainer.output.expect("every compression ends with its output")
    }
}

/// Requires that each column holds what was computed from those before it, and goes on with the column.
struct Constrainer<'a, 'b, AB: AirBuilder> {
    builder: &'a mut AB,
    columns: &'a mut Columns<'b, AB::Var>,
    output: Option<[AB::Var; 8]>,
}

impl<AB: AirBuilder<F = KoalaBear>, const WIDTH: usize> Visitor<AB::Expr, WIDTH> for Constrainer<'_, '_, AB> {
    fn full_round(&mut self, state: &mut [AB::Expr; WIDTH]) {
        let committed: &[AB::Var; WIDTH] = self.columns.array();
        for (computed, &committed) in state.iter_mut().zip(committed) {
            let committed: AB::Expr = committed.into();
            self.builder.assert_eq(core::mem::replace(computed, committed.clone()), committed);
        }
    }

    fn partial_round(&mut self, first: &mut AB::Expr) {
        let committed: AB::Expr = self.columns.one().into();
        self.builder.assert_eq(core::mem::replace(first, committed.clone()), committed);
    }

    fn output(&mut self, output: [AB::Expr; 8]) {
        let committed: &[AB::Var; 8] = self.columns.array();
        for (computed, &committed) in output.into_iter().zip(committed) {
            self.builder.assert_eq(computed, committed);
        }
        self.output = Some(*committed);
    }
}

//! Range checks by digits.
//!
//! A digit d is 0, 1 or 2: d·(d−1)·(d−2) = 0, a cubic as every other constraint here, and a third fewer columns than
//! bits need. A number in a range is a sum of digits, each with its weight. The weights are powers of three, but for
//! the last one, which brings the sum's greatest value to the range's end exactly. No weight is more than one above
//! what the digits before it reach, so every number in the range has digits. The lowest weight is one, so that a row
//! which has the number needs no column for its lowest digit.

use p3_air::AirBuilder;
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;

/// The weights of `N` digits whose greatest sum is `max`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<const N: usize>([u32; N]);

impl<const N: usize> Weights<N> {
    /// For the range `0..=max`, which must be even; a `max` that `N` digits don't fit is a compile-time error.
    pub(crate) const fn up_to(max: u32) -> Self {
        let mut weights = [0; N];
        let (mut power, mut reached, mut i) = (1, 0, 0);
        while i + 1 < N {
            weights[i] = power;
            reached += 2 * power;
            power *= 3;
            i += 1;
        }
        assert!(max.is_multiple_of(2) && max > reached && (max - reached) / 2 <= reached + 1);
        weights[N - 1] = (max - reached) / 2;
        Self(weights)
    }

    /// The digits of `number`, lowest weight first; `number` is in the range.
    #[cfg(feature = "prover")]
    pub(crate) fn digits(&self, number: u32) -> [u32; N] {
        let mut left = number;
        let mut digits = [0; N];
        for (digit, &weight) in digits.iter_mut().zip(&self.0).rev() {
            *digit = (left / weight).min(2);
            left -= *digit * weight;
        }
        debug_assert_eq!(left, 0, "the number is in the range");
        digits
    }

    /// The number that the digits stand for, whatever they are.
    #[cfg(test)]
    pub(crate) fn sum(&self, digits: &[KoalaBear; N]) -> KoalaBear {
        digits.iter().zip(self.0).map(|(&digit, weight)| digit * KoalaBear::from_u32(weight)).sum()
    }

    /// Requires that each column is a digit, and gives the number.
    pub(crate) fn constrain<AB: AirBuilder<F = KoalaBear>>(
        &self,
        builder: &mut AB,
        digits: &[AB::Var; N],
    ) -> AB::Expr {
        let mut number = AB::Expr::ZERO;
        for (&digit, &weight) in digits.iter().zip(&self.0) {
            assert_digit(builder, digit.into());
            number += AB::Expr::from(digit) * KoalaBear::from_u32(weight);
        }
        number
    }

    /// Requires that `number`, which the row has already, is in the range: its digits but the lowest are columns, and
    /// what they leave is the lowest.
    pub(crate) fn constrain_number<AB: AirBuilder<F = KoalaBear>, const HIGHER: usize>(
        &self,
        builder: &mut AB,
        number: AB::Expr,
        higher: &[AB::Var; HIGHER],
    ) {
        const { assert!(HIGHER + 1 == N) };
        let mut lowest = number;
        for (&digit, &weight) in higher.iter().zip(&self.0[1..]) {
            assert_digit(builder, digit.into());
            lowest -= AB::Expr::from(digit) * KoalaBear::from_u32(weight);
        }
        assert_digit(builder, lowest);
    }
}

fn assert_digit<AB: AirBuilder>(builder: &mut AB, value: AB::Expr) {
    builder.assert_zero((value.clone().square() - value.clone()) * (value - AB::Expr::TWO));
}

//! Range checks by digits.
//!
//! A digit d is 0, 1 or 2: d·(d−1)·(d−2) = 0, a cubic as every other constraint here, and a third fewer columns than
//! bits need. A number in a range is a sum of digits, each with its weight. The weights are powers of three, but for
//! the last one, which brings the sum's greatest value to the range's end exactly. No weight is more than one above
//! what the digits before it reach, so every number in the range has digits.

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
            let value: AB::Expr = digit.into();
            builder.assert_zero((value.clone().square() - value.clone()) * (value.clone() - AB::Expr::TWO));
            number += value * KoalaBear::from_u32(weight);
        }
        number
    }
}

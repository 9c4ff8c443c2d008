//! The Grain LFSR that Poseidon's round constants and matrix come from.
//!
//! Source: Grassi et al., "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems"
//! (USENIX Security 2021), appendix E. Deriving them is 60 lines; carrying them is 860 numbers.

use alloc::vec::Vec;
use ark_bn254::Fr;
use ark_ff::{BigInteger, BigInteger256, Field, PrimeField};

/// Bits of one element of BN254's scalar field.
const FIELD_BITS: u128 = 254;

/// Round constants and matrix of one width.
pub(super) struct Parameters {
    pub(super) width: usize,
    pub(super) full_rounds: usize,
    pub(super) partial_rounds: usize,
    /// `width` constants a round, in the order of use.
    pub(super) round_constants: Vec<Fr>,
    /// Row-major, `width` × `width`.
    pub(super) mds: Vec<Fr>,
}

impl Parameters {
    /// Parameters for x⁵ over BN254's scalar field.
    pub(super) fn derive(width: usize, full_rounds: usize, partial_rounds: usize) -> Self {
        let mut grain = Grain::new(width, full_rounds, partial_rounds);
        let round_constants =
            (0..width * (full_rounds + partial_rounds)).map(|_| grain.element_by_rejection()).collect();
        let mds = grain.cauchy_matrix(width);
        Self { width, full_rounds, partial_rounds, round_constants, mds }
    }
}

/// An 80-bit shift register; bit 0 of `state` is the oldest.
struct Grain {
    state: u128,
}

impl Grain {
    fn new(width: usize, full_rounds: usize, partial_rounds: usize) -> Self {
        // Most significant first: prime field (2 bits), x^alpha (4), field bits (12), width (12),
        // full rounds (10), partial rounds (10), thirty ones.
        let fields = [
            (1, 2),
            (0, 4),
            (FIELD_BITS, 12),
            (width as u128, 12),
            (full_rounds as u128, 10),
            (partial_rounds as u128, 10),
            ((1 << 30) - 1, 30),
        ];
        let seed = fields.iter().fold(0u128, |seed, &(value, bits)| (seed << bits) | value);
        let mut grain = Self { state: seed.reverse_bits() >> (128 - 80) };
        for _ in 0..160 {
            grain.step();
        }
        grain
    }

    fn step(&mut self) -> bool {
        let bit = [62, 51, 38, 23, 13, 0].iter().fold(0, |bit, tap| bit ^ (self.state >> tap)) & 1;
        self.state = (self.state >> 1) | (bit << 79);
        bit == 1
    }

    /// Bits are taken in pairs: the second counts when the first is one.
    fn bit(&mut self) -> bool {
        loop {
            let keep = self.step();
            let bit = self.step();
            if keep {
                return bit;
            }
        }
    }

    /// The next 254 bits, most significant first, as a number.
    fn number(&mut self) -> BigInteger256 {
        let mut limbs = [0u64; 4];
        for at in (0..FIELD_BITS as usize).rev() {
            limbs[at / 64] |= u64::from(self.bit()) << (at % 64);
        }
        BigInteger256::new(limbs)
    }

    fn element_by_rejection(&mut self) -> Fr {
        loop {
            if let Some(element) = Fr::from_bigint(self.number()) {
                return element;
            }
        }
    }

    /// 1 / (xᵢ + yⱼ); here numbers are reduced, not rejected, as the reference script does.
    fn cauchy_matrix(&mut self, width: usize) -> Vec<Fr> {
        let points: Vec<Fr> = (0..2 * width).map(|_| reduce(self.number())).collect();
        let (rows, columns) = points.split_at(width);
        rows.iter()
            .flat_map(|x| {
                columns.iter().map(move |y| {
                    (*x + y)
                        .inverse()
                        .expect("the reference points have no x + y = 0; the tests compare the matrix")
                })
            })
            .collect()
    }
}

/// The number modulo the field's order, which has 254 bits too: at most one subtraction.
fn reduce(mut number: BigInteger256) -> Fr {
    loop {
        if let Some(element) = Fr::from_bigint(number) {
            return element;
        }
        number.sub_with_borrow(&Fr::MODULUS);
    }
}

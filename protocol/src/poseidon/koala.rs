//! `C16` and `C24`: compression by Poseidon over KoalaBear with feed-forward.
//!
//! ```text
//! C16(l, r) = (P16(l ‖ r) + (l ‖ r))[0..8]          tree nodes
//! C24(x)    = (P24(x) + x)[0..8]                    heads and account leaves
//! ```
//!
//! The permutations are Plonky3's with its default constants. Each compression has a plain form and one
//! over many inputs, which fills the lanes that the build's CPU has (8 with AVX2, 16 with AVX-512).

use crate::digest::Digest;
use alloc::{boxed::Box, vec::Vec};
use core::ops::Add;
use once_cell::race::OnceBox;
use p3_field::{Field, PackedValue, PrimeCharacteristicRing, integers::QuotientMap};
use p3_koala_bear::{
    KoalaBear, Poseidon1KoalaBear, default_koalabear_poseidon1_16, default_koalabear_poseidon1_24,
};
use p3_symmetric::Permutation;

type Lanes = <KoalaBear as Field>::Packing;
/// Inputs that one packed permutation takes.
pub(crate) const LANES: usize = <Lanes as PackedValue>::WIDTH;

fn p16() -> &'static Poseidon1KoalaBear<16> {
    static PERMUTATION: OnceBox<Poseidon1KoalaBear<16>> = OnceBox::new();
    PERMUTATION.get_or_init(|| Box::new(default_koalabear_poseidon1_16()))
}

fn p24() -> &'static Poseidon1KoalaBear<24> {
    static PERMUTATION: OnceBox<Poseidon1KoalaBear<24>> = OnceBox::new();
    PERMUTATION.get_or_init(|| Box::new(default_koalabear_poseidon1_24()))
}

fn compress<A, const WIDTH: usize>(permutation: &impl Permutation<[A; WIDTH]>, input: [A; WIDTH]) -> [A; 8]
where
    A: Copy + Add<Output = A>,
    [A; WIDTH]: Clone,
{
    let output = permutation.permute(input);
    core::array::from_fn(|i| output[i] + input[i])
}

/// `C16(left, right)`: a node of an accounts tree.
#[must_use]
pub fn node(left: Digest, right: Digest) -> Digest {
    let mut input = [KoalaBear::ZERO; 16];
    input[..8].copy_from_slice(&left.to_elements());
    input[8..].copy_from_slice(&right.to_elements());
    Digest::from_elements(compress(p16(), input))
}

/// [`node`] of each pair, in lanes.
#[must_use]
pub fn nodes(pairs: &[[Digest; 2]]) -> Vec<Digest> {
    let mut parents = Vec::with_capacity(pairs.len());
    let mut groups = pairs.chunks_exact(LANES);
    for group in &mut groups {
        let elements: [[[KoalaBear; 8]; 2]; LANES] =
            core::array::from_fn(|lane| group[lane].map(Digest::to_elements));
        let input = core::array::from_fn(|i| Lanes::from_fn(|lane| elements[lane][i / 8][i % 8]));
        unpack(compress(p16(), input), &mut parents);
    }
    parents.extend(groups.remainder().iter().map(|&[left, right]| node(left, right)));
    parents
}

/// The input of one `C24`: two digests and up to eight small numbers, each below the KoalaBear prime.
#[derive(Clone, Copy)]
pub(crate) struct Block24 {
    pub(crate) first: Digest,
    pub(crate) second: Digest,
    pub(crate) numbers: [u32; 8],
}

impl Block24 {
    fn to_elements(self) -> [KoalaBear; 24] {
        let mut input = [KoalaBear::ZERO; 24];
        input[..8].copy_from_slice(&self.first.to_elements());
        input[8..16].copy_from_slice(&self.second.to_elements());
        input[16..].copy_from_slice(&self.numbers.map(KoalaBear::from_int));
        input
    }
}

/// `C24` of one block.
pub(crate) fn compress24(block: Block24) -> Digest {
    Digest::from_elements(compress(p24(), block.to_elements()))
}

/// `C24` of up to [`LANES`] blocks at once; missing lanes are filled with the last block.
pub(crate) fn compress24_lanes(blocks: &[Block24]) -> Vec<Digest> {
    debug_assert!(blocks.len() <= LANES);
    let Some(last) = blocks.last() else { return Vec::new() };
    let elements: [[KoalaBear; 24]; LANES] =
        core::array::from_fn(|lane| blocks.get(lane).unwrap_or(last).to_elements());
    let input = core::array::from_fn(|i| Lanes::from_fn(|lane| elements[lane][i]));
    let mut digests = Vec::with_capacity(LANES);
    unpack(compress(p24(), input), &mut digests);
    digests.truncate(blocks.len());
    digests
}

fn unpack(output: [Lanes; 8], digests: &mut Vec<Digest>) {
    digests.extend(
        (0..LANES).map(|lane| Digest::from_elements(core::array::from_fn(|i| output[i].as_slice()[lane]))),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest() -> impl Strategy<Value = Digest> {
        any::<[u8; 32]>().prop_map(Digest::reduce)
    }

    proptest! {
        #[test]
        fn lanes_agree_with_one_by_one(pairs in proptest::collection::vec([digest(), digest()], 0..40), numbers: [u32; 8]) {
            let plain: Vec<Digest> = pairs.iter().map(|&[left, right]| node(left, right)).collect();
            prop_assert_eq!(nodes(&pairs), plain);

            let numbers = numbers.map(|number| number % crate::digest::KOALA_BEAR);
            let blocks: Vec<Block24> = pairs.iter().take(LANES).map(|&[first, second]| Block24 { first, second, numbers }).collect();
            let plain: Vec<Digest> = blocks.iter().map(|&block| compress24(block)).collect();
            prop_assert_eq!(compress24_lanes(&blocks), plain);
        }
    }
}

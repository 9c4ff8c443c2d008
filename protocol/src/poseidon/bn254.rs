//! `H`: Poseidon over BN254's scalar field with circom's parameters.
//!
//! x⁵, 8 full rounds, partial rounds by width, the first state element starts at zero and is the result:
//! the same function as circomlib's `Poseidon(n)` and `light-poseidon`'s `new_circom(n)`, against which the
//! tests compare every constant. It is our own because `light-poseidon` needs `std`.

use super::grain::Parameters;
use crate::field::FieldElement;
use alloc::{boxed::Box, vec::Vec};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use once_cell::race::OnceBox;

/// Full rounds at every width.
const FULL_ROUNDS: usize = 8;

/// Poseidon of 2, 3 or 5 inputs: the tree nodes, the state root and the shard leaf.
pub(crate) fn hash<const N: usize>(inputs: [FieldElement; N]) -> FieldElement {
    static TWO: OnceBox<Parameters> = OnceBox::new();
    static THREE: OnceBox<Parameters> = OnceBox::new();
    static FIVE: OnceBox<Parameters> = OnceBox::new();
    // circomlib's number of partial rounds for widths 3, 4 and 6.
    let (cache, partial_rounds) = match N {
        2 => (&TWO, 57),
        3 => (&THREE, 56),
        5 => (&FIVE, 60),
        _ => unreachable!("only these widths are used; a const assertion holds it"),
    };
    const { assert!(N == 2 || N == 3 || N == 5) };
    let parameters = cache.get_or_init(|| Box::new(Parameters::derive(N + 1, FULL_ROUNDS, partial_rounds)));
    FieldElement::from_fr(permute(parameters, inputs.map(FieldElement::to_fr)))
}

fn permute<const N: usize>(parameters: &Parameters, inputs: [Fr; N]) -> Fr {
    let mut state: Vec<Fr> = core::iter::once(Fr::ZERO).chain(inputs).collect();
    let first_partial = parameters.full_rounds / 2;
    let partial = first_partial..first_partial + parameters.partial_rounds;
    for (round, constants) in parameters.round_constants.chunks_exact(parameters.width).enumerate() {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element += constant;
        }
        let boxes = if partial.contains(&round) { 1 } else { state.len() };
        for element in &mut state[..boxes] {
            *element = element.square().square() * *element;
        }
        state = parameters
            .mds
            .chunks_exact(parameters.width)
            .map(|row| row.iter().zip(&state).map(|(entry, element)| *entry * element).sum())
            .collect();
    }
    state[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use light_poseidon::{Poseidon, PoseidonHasher, parameters::bn254_x5::get_poseidon_parameters};
    use proptest::prelude::*;

    #[test]
    fn derived_constants_are_circoms() {
        for (width, partial_rounds) in [(3u8, 57), (4, 56), (6, 60)] {
            let ours = Parameters::derive(usize::from(width), FULL_ROUNDS, partial_rounds);
            let theirs = get_poseidon_parameters::<Fr>(width).expect("a circom width");
            assert_eq!(ours.round_constants, theirs.ark);
            assert_eq!(ours.mds, theirs.mds.concat());
        }
    }

    /// Made with npm's circomlibjs 0.1.7: `(await buildPoseidon())([1, 2])` and so on.
    #[test]
    fn circomlibjs_vectors() {
        fn counting<const N: usize>() -> [FieldElement; N] {
            core::array::from_fn(|i| FieldElement::from(i as u64 + 1))
        }
        for (hash, expected) in [
            (hash::<2>(counting()), "0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a"),
            (hash::<3>(counting()), "0x0e7732d89e6939c0ff03d5e58dab6302f3230e269dc5b968f725df34ab36d732"),
            (hash::<5>(counting()), "0x0dab9449e4a1398a15224c0b15a49d598b2174d305a316c918125f8feeb123c0"),
        ] {
            assert_eq!(hash.to_string(), expected);
        }
    }

    fn element() -> impl Strategy<Value = FieldElement> {
        any::<[u8; 32]>().prop_map(FieldElement::reduce)
    }

    proptest! {
        #[test]
        fn agrees_with_light_poseidon(two: [[u8; 32]; 2], three: [[u8; 32]; 3], five in proptest::array::uniform5(element())) {
            fn theirs(inputs: &[FieldElement]) -> FieldElement {
                let inputs: Vec<Fr> = inputs.iter().map(|input| input.to_fr()).collect();
                FieldElement::from_fr(Poseidon::<Fr>::new_circom(inputs.len()).unwrap().hash(&inputs).unwrap())
            }
            let two = two.map(FieldElement::reduce);
            prop_assert_eq!(hash(two), theirs(&two));
            let three = three.map(FieldElement::reduce);
            prop_assert_eq!(hash(three), theirs(&three));
            prop_assert_eq!(hash(five), theirs(&five));
        }
    }
}

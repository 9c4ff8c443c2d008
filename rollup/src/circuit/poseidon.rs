//! Poseidon over BN254's scalar field with circom's parameters, in constraints.
//!
//! The twin of `arterial_protocol`'s `H`. Additions and the matrix are linear and so cost nothing; only the
//! s-boxes cost, three constraints each:
//!
//! | inputs | width | s-boxes | constraints | non-zero entries of A, B and C |
//! |---|---|---|---|---|
//! | 2 | 3 | 8·3 + 57 − 1 | 240 | 6,720 |
//! | 3 | 4 | 8·4 + 56 − 1 | 261 | 7,080 |
//! | 5 | 6 | 8·6 + 60 − 1 | 321 | 9,186 |
//!
//! One s-box less than the permutation has, since the first one's input is a constant (the capacity starts at
//! zero); the shard leaf's first input is a constant too and saves another.
//!
//! In the partial rounds every state element is a combination of all s-box outputs so far, so rows grow to
//! some 60 terms and no further: after the last partial round there is a full one, and a full round leaves
//! nothing but its own outputs. The sparse matrices of the paper's appendix B (eprint 2019/458) save a native
//! implementation multiplications; here they would give the very same rows. The rows are the same for
//! every hash of a width, so they are worked out once.

use super::constraints::{Constraints, Wire};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use light_poseidon::parameters::bn254_x5::get_poseidon_parameters;
use std::sync::OnceLock;

/// Poseidon of 2, 3 or 5 inputs.
pub(super) fn hash<C: Constraints, const N: usize>(constraints: &mut C, inputs: [&Wire; N]) -> Wire {
    const { assert!(N == 2 || N == 3 || N == 5, "the tree nodes, the state root and the shard leaf") };
    static PERMUTATIONS: [OnceLock<Permutation>; 6] = [const { OnceLock::new() }; 6];
    #[expect(clippy::cast_possible_truncation, reason = "N is at most 5")]
    let permutation = PERMUTATIONS[N].get_or_init(|| Permutation::derive(N as u8 + 1));

    let mut outputs: Vec<Wire> = Vec::with_capacity(permutation.boxes.len());
    for (index, row) in permutation.boxes.iter().enumerate() {
        let mut input = row.apply(constraints, &outputs);
        // The first round's boxes take the inputs, after the capacity.
        if let Some(element) = index.checked_sub(1).and_then(|element| inputs.get(element)) {
            input = constraints.linear([(Fr::ONE, &input), (Fr::ONE, element)]);
        }
        outputs.push(fifth_power(constraints, &input));
    }
    permutation.output.apply(constraints, &outputs)
}

fn fifth_power<C: Constraints>(constraints: &mut C, x: &Wire) -> Wire {
    if x.is_fixed() {
        return Wire::constant(x.value().square().square() * x.value());
    }
    let square = constraints.product(x, x);
    let fourth = constraints.product(&square, &square);
    constraints.product(&fourth, x)
}

/// A permutation of one width, unrolled: what goes into each s-box, in terms of the boxes before it.
struct Permutation {
    boxes: Vec<Row>,
    /// The first element of the last state.
    output: Row,
}

/// constant + Σ coefficient·output of an earlier box.
struct Row {
    constant: Fr,
    terms: Vec<(Fr, usize)>,
}

impl Row {
    /// `dense` has the boxes' coefficients and, last, the constant.
    fn from_dense(dense: &[Fr]) -> Self {
        let (constant, coefficients) = dense.split_last().expect("a row has at least its constant");
        let terms = coefficients.iter().enumerate().filter(|(_, coefficient)| **coefficient != Fr::ZERO);
        Self { constant: *constant, terms: terms.map(|(index, coefficient)| (*coefficient, index)).collect() }
    }

    fn apply<C: Constraints>(&self, constraints: &C, outputs: &[Wire]) -> Wire {
        let constant = Wire::constant(self.constant);
        let terms = self.terms.iter().map(|&(coefficient, index)| (coefficient, &outputs[index]));
        constraints.linear(terms.chain([(Fr::ONE, &constant)]))
    }
}

impl Permutation {
    fn derive(width: u8) -> Self {
        let parameters = get_poseidon_parameters::<Fr>(width).expect("circom has this width");
        let width = usize::from(width);
        let rounds = parameters.full_rounds + parameters.partial_rounds;
        let first_partial = parameters.full_rounds / 2;
        let partial = first_partial..first_partial + parameters.partial_rounds;
        let constant_at = parameters.full_rounds * width + parameters.partial_rounds;

        let mut boxes = Vec::with_capacity(constant_at);
        let mut state = vec![vec![Fr::ZERO; constant_at + 1]; width];
        for (round, constants) in parameters.ark.chunks_exact(width).take(rounds).enumerate() {
            for (element, constant) in state.iter_mut().zip(constants) {
                element[constant_at] += constant;
            }
            let active = if partial.contains(&round) { 1 } else { width };
            for element in &mut state[..active] {
                let mut output = vec![Fr::ZERO; constant_at + 1];
                output[boxes.len()] = Fr::ONE;
                boxes.push(Row::from_dense(&std::mem::replace(element, output)));
            }
            state = parameters.mds.iter().map(|entries| combine(entries, &state)).collect();
        }
        Self { boxes, output: Row::from_dense(&state[0]) }
    }
}

/// Σ entry·row.
fn combine(entries: &[Fr], rows: &[Vec<Fr>]) -> Vec<Fr> {
    (0..rows[0].len()).map(|at| entries.iter().zip(rows).map(|(entry, row)| *entry * row[at]).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::constraints::{Arkworks, Assignment, testing::movable};
    use ark_ff::{BigInteger, PrimeField};
    use ark_relations::gr1cs::{ConstraintSystem, ConstraintSystemRef, R1CS_PREDICATE_LABEL};
    use arterial_protocol::{
        BlockNumber, DataDigest, Digest, Domain, FieldElement, ShardId, ShardLeaf, StateRoot,
    };
    use light_poseidon::{Poseidon, PoseidonHasher};
    use proptest::prelude::*;

    fn fr(element: FieldElement) -> Fr {
        Fr::from_be_bytes_mod_order(&element.to_be_bytes())
    }

    fn value<const N: usize>(inputs: [Fr; N]) -> Fr {
        let mut assignment = Assignment::default();
        let inputs = inputs.map(|input| assignment.witness(input));
        hash(&mut assignment, inputs.each_ref()).value()
    }

    fn system<const N: usize>(inputs: [Fr; N]) -> (ConstraintSystemRef<Fr>, Fr) {
        let system = ConstraintSystem::new_ref();
        let mut constraints = Arkworks::new(system.clone());
        let inputs = inputs.map(|input| constraints.witness(input));
        let result = hash(&mut constraints, inputs.each_ref()).value();
        constraints.finish().unwrap();
        (system, result)
    }

    fn light<const N: usize>(inputs: [Fr; N]) -> Fr {
        Poseidon::<Fr>::new_circom(N).unwrap().hash(&inputs).unwrap()
    }

    /// circomlibjs 0.1.7, `poseidon([1, 2])`: the value its own test expects.
    #[test]
    fn circomlib_vector() {
        let hash = value([1u64, 2].map(Fr::from));
        assert_eq!(
            hex::encode(hash.into_bigint().to_bytes_be()),
            "115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a"
        );
    }

    #[test]
    fn sizes_are_pinned() {
        fn sizes<const N: usize>() -> (usize, usize) {
            let (system, _) = system([Fr::ONE; N]);
            let matrices = &system.to_matrices().unwrap()[R1CS_PREDICATE_LABEL];
            (system.num_constraints(), matrices.iter().flatten().map(Vec::len).sum())
        }
        assert_eq!([sizes::<2>(), sizes::<3>(), sizes::<5>()], [(240, 6720), (261, 7080), (321, 9186)]);
    }

    #[test]
    fn every_intermediate_is_determined() {
        let free = movable(|constraints| {
            let inputs = [1u64, 2].map(|input| constraints.witness(Fr::from(input)));
            hash(constraints, inputs.each_ref());
        });
        assert!(free.is_empty(), "{free:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn agrees_with_light_poseidon(bytes: [[u8; 32]; 5]) {
            let inputs = bytes.map(|bytes| Fr::from_le_bytes_mod_order(&bytes));
            let [a, b, c, ..] = inputs;
            prop_assert_eq!(value([a, b]), light([a, b]));
            prop_assert_eq!(value([a, b, c]), light([a, b, c]));
            prop_assert_eq!(value(inputs), light(inputs));
            let (system, result) = system(inputs);
            prop_assert!(system.is_satisfied().unwrap());
            prop_assert_eq!(result, light(inputs));
        }

        #[test]
        fn agrees_with_the_protocol(shard: u32, root: [u8; 32], total: u64, data: [u8; 32], salt: [u8; 32], number: u64) {
            let leaf = ShardLeaf {
                shard: ShardId(shard),
                accounts_root: Digest::reduce(root),
                total_records: total,
                data: DataDigest(data),
            };
            let leaf_hash = value(leaf.elements().map(fr));
            prop_assert_eq!(leaf_hash, fr(leaf.hash()));

            let leaves = [ShardLeaf { shard: ShardId(0), ..leaf }, ShardLeaf { shard: ShardId(1), ..leaf }];
            let domain = Domain::derive(1, &salt);
            let tree = value(leaves.map(|leaf| fr(leaf.hash())));
            let root = value([fr(domain.0), Fr::from(number), tree]);
            prop_assert_eq!(root, fr(StateRoot::compute(domain, BlockNumber(number), &leaves).0));
        }
    }
}

//! Groth16 of one insertion after the other, as semaphore-mtb has it: the leaf was empty, and the same path leads from the
//! empty leaf to the old root and from the new one to the new root. semaphore-mtb hashes its public inputs into one with
//! Keccak, in the circuit; that is left out here, in its favour.

use super::{Proven, Prover};
use crate::Error;
use ::arterial::telemetry::peak_resident_bytes;
use ark_bn254::{Bn254, Fr};
use ark_crypto_primitives::{
    crh::{
        TwoToOneCRHScheme, TwoToOneCRHSchemeGadget,
        poseidon::{
            TwoToOneCRH,
            constraints::{CRHParametersVar, TwoToOneCRHGadget},
        },
    },
    sponge::poseidon::{PoseidonConfig, find_poseidon_ark_and_mds},
};
use ark_ff::{AdditiveGroup, PrimeField};
use ark_groth16::Groth16;
use ark_r1cs_std::{
    alloc::AllocVar, boolean::Boolean, eq::EqGadget as _, fields::fp::FpVar, select::CondSelectGadget as _,
};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use ark_serialize::CanonicalSerialize as _;
use ark_snark::SNARK as _;
use ark_std::rand::{SeedableRng as _, rngs::StdRng};
use std::time::{Duration, Instant};

pub(super) const PROVER: Prover = Prover {
    name: "ark-groth16",
    package: Some("ark-groth16"),
    setup: "one leaf a proof, inserted into a Poseidon tree of 20 levels, as semaphore-mtb does; all cores",
    lacks: "no device's order, count or chain; one leaf moves a root, nothing else is said",
};

/// As deep as Arterial's trees of accounts.
const DEPTH: usize = 20;

/// Proves insertions for about so many seconds.
pub(super) fn measure(seconds: u64) -> Result<Proven, Error> {
    let mut random = StdRng::seed_from_u64(1);
    let mut tree = Tree::empty(poseidon());
    let (proving, verifying) =
        Groth16::<Bn254>::circuit_specific_setup(tree.insertion(Fr::from(1)), &mut random)?;
    let (mut proofs, mut verify, mut proof_bytes) = (0u32, Duration::ZERO, 0);
    let mut prove = Duration::ZERO;
    while prove < Duration::from_secs(seconds) {
        let begun = Instant::now();
        let insertion = tree.insert(Fr::from(2 + proofs));
        let public = insertion.public();
        let proof = Groth16::<Bn254>::prove(&proving, insertion, &mut random)?;
        prove += begun.elapsed();
        proofs += 1;

        let begun = Instant::now();
        if !Groth16::<Bn254>::verify(&verifying, &public, &proof)? {
            return Err("an honest insertion's proof is not accepted".into());
        }
        verify += begun.elapsed();
        proof_bytes = proof.uncompressed_size();
    }
    Ok(Proven {
        records_per_second: f64::from(proofs) / prove.as_secs_f64(),
        proof_bytes: Some(proof_bytes as f64),
        verify_ms: Some(verify.as_secs_f64() * 1e3 / f64::from(proofs)),
        rss_bytes: peak_resident_bytes().map(|bytes| bytes as f64),
    })
}

/// Poseidon of two inputs over BN254, of the rounds that circom has.
fn poseidon() -> PoseidonConfig<Fr> {
    let (full, partial, rate) = (8, 57, 2);
    let (ark, mds) = find_poseidon_ark_and_mds::<Fr>(u64::from(Fr::MODULUS_BIT_SIZE), rate, full, partial, 0);
    PoseidonConfig::new(full as usize, partial as usize, 5, mds, ark, rate, 1)
}

/// A tree that grows by one leaf at a time.
struct Tree {
    poseidon: PoseidonConfig<Fr>,
    leaves: u64,
    root: Fr,
    /// The root of an empty subtree of each height.
    empty: [Fr; DEPTH],
    /// The newest left node of each height.
    left: [Fr; DEPTH],
}

impl Tree {
    fn empty(poseidon: PoseidonConfig<Fr>) -> Self {
        let mut node = Fr::ZERO;
        let empty = std::array::from_fn(|_| {
            let parent = hash(&poseidon, node, node);
            std::mem::replace(&mut node, parent)
        });
        Self { poseidon, leaves: 0, root: node, empty, left: empty }
    }

    /// The next leaf's insertion; the tree stays as it is.
    fn insertion(&self, leaf: Fr) -> Insertion {
        let right: [bool; DEPTH] = std::array::from_fn(|level| self.leaves >> level & 1 == 1);
        let siblings: [Fr; DEPTH] =
            std::array::from_fn(|level| if right[level] { self.left[level] } else { self.empty[level] });
        let mut insertion = Insertion {
            poseidon: self.poseidon.clone(),
            old_root: self.root,
            new_root: Fr::ZERO,
            index: Fr::from(self.leaves),
            leaf,
            right,
            siblings,
        };
        insertion.new_root = insertion.nodes().last().map_or(leaf, |(_, parent)| parent);
        insertion
    }

    fn insert(&mut self, leaf: Fr) -> Insertion {
        let insertion = self.insertion(leaf);
        for (level, (node, _)) in insertion.nodes().enumerate() {
            if !insertion.right[level] {
                self.left[level] = node;
            }
        }
        self.root = insertion.new_root;
        self.leaves += 1;
        insertion
    }
}

fn hash(poseidon: &PoseidonConfig<Fr>, left: Fr, right: Fr) -> Fr {
    TwoToOneCRH::compress(poseidon, left, right).expect("two elements are hashed")
}

/// The statement and its witness.
#[derive(Clone)]
struct Insertion {
    poseidon: PoseidonConfig<Fr>,
    old_root: Fr,
    new_root: Fr,
    index: Fr,
    leaf: Fr,
    /// Whether the path's node is the right child, from the leaf upwards.
    right: [bool; DEPTH],
    siblings: [Fr; DEPTH],
}

impl Insertion {
    const fn public(&self) -> [Fr; 4] {
        [self.old_root, self.new_root, self.index, self.leaf]
    }

    /// Each node of the new path below the root, with its parent.
    fn nodes(&self) -> impl Iterator<Item = (Fr, Fr)> {
        let mut node = self.leaf;
        self.right.iter().zip(self.siblings).map(move |(&right, sibling)| {
            let (left, right) = if right { (sibling, node) } else { (node, sibling) };
            let parent = hash(&self.poseidon, left, right);
            (std::mem::replace(&mut node, parent), parent)
        })
    }
}

impl ConstraintSynthesizer<Fr> for Insertion {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let [old_root, new_root, index, leaf] =
            self.public().map(|value| FpVar::new_input(system.clone(), || Ok(value)));
        let poseidon = CRHParametersVar { parameters: self.poseidon };
        let bits = self.right.iter().map(|&right| Boolean::new_witness(system.clone(), || Ok(right)));
        let bits: Vec<Boolean<Fr>> = bits.collect::<Result<_, _>>()?;
        Boolean::le_bits_to_fp(&bits)?.enforce_equal(&index?)?;
        let (mut old, mut new) = (FpVar::Constant(Fr::ZERO), leaf?);
        for (right, sibling) in bits.iter().zip(self.siblings) {
            let sibling = FpVar::new_witness(system.clone(), || Ok(sibling))?;
            for node in [&mut old, &mut new] {
                let first = FpVar::conditionally_select(right, &sibling, node)?;
                let second = FpVar::conditionally_select(right, node, &sibling)?;
                *node = TwoToOneCRHGadget::compress(&poseidon, &first, &second)?;
            }
        }
        old.enforce_equal(&old_root?)?;
        new.enforce_equal(&new_root?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_relations::gr1cs::ConstraintSystem;

    fn satisfied(insertion: Insertion) -> bool {
        let system = ConstraintSystem::new_ref();
        insertion.generate_constraints(system.clone()).unwrap();
        system.is_satisfied().unwrap()
    }

    #[test]
    fn insertions_follow_each_other_and_each_rule_binds() {
        let mut tree = Tree::empty(poseidon());
        for leaf in 1..6u64 {
            let before = tree.root;
            let insertion = tree.insert(Fr::from(leaf));
            assert_eq!((insertion.old_root, insertion.new_root), (before, tree.root));
            assert!(satisfied(insertion.clone()));
            assert!(!satisfied(Insertion { old_root: insertion.new_root, ..insertion.clone() }));
            assert!(!satisfied(Insertion { new_root: insertion.old_root, ..insertion.clone() }));
            assert!(!satisfied(Insertion { index: Fr::from(leaf), ..insertion.clone() }));
            assert!(!satisfied(Insertion { leaf: Fr::from(9), ..insertion }));
        }
    }

    #[test]
    fn two_paths_of_twenty_hashes_are_most_of_the_circuit() {
        let system = ConstraintSystem::new_ref();
        Tree::empty(poseidon()).insertion(Fr::from(1)).generate_constraints(system.clone()).unwrap();
        let constraints = system.num_constraints();
        assert!((9_600..10_000).contains(&constraints), "{constraints}");
    }
}

//! Groth16 of one insertion after the other, as semaphore-mtb has it: the leaf was empty, and the same path leads from the
//! empty leaf to the root before and from the new one to the root after. semaphore-mtb hashes its public inputs into one
//! with Keccak, in the circuit; that is left out here, in its favour.

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
    setup: "13 leaves a proof, inserted one by one into a Poseidon tree of 20 levels, as semaphore-mtb does; all cores, its assembly",
    lacks: "no device's order, count or chain; leaves move a root, nothing else is said",
};

/// As deep as Arterial's trees of accounts.
const DEPTH: usize = 20;
/// Leaves of a proof. Proving pays for a power of two of constraints, and these fill one nearly.
const LEAVES: usize = 13;

/// Proves insertions for about so many seconds.
pub(super) fn measure(seconds: u64) -> Result<Proven, Error> {
    let mut random = StdRng::seed_from_u64(1);
    let mut tree = Tree::empty(poseidon());
    let any = Tree::empty(poseidon()).insert(leaves(0));
    let (proving, verifying) = Groth16::<Bn254>::circuit_specific_setup(any, &mut random)?;
    let (mut proofs, mut verify, mut proof_bytes) = (0u32, Duration::ZERO, 0);
    let mut prove = Duration::ZERO;
    while prove < Duration::from_secs(seconds) {
        let begun = Instant::now();
        let insertions = tree.insert(leaves(proofs));
        let public = insertions.public();
        let proof = Groth16::<Bn254>::prove(&proving, insertions, &mut random)?;
        prove += begun.elapsed();
        proofs += 1;

        let begun = Instant::now();
        if !Groth16::<Bn254>::verify(&verifying, &public, &proof)? {
            return Err("the proof of honest insertions is not accepted".into());
        }
        verify += begun.elapsed();
        proof_bytes = proof.uncompressed_size();
    }
    Ok(Proven {
        records_per_second: f64::from(proofs) * LEAVES as f64 / prove.as_secs_f64(),
        proof_bytes: Some(proof_bytes as f64),
        verify_ms: Some(verify.as_secs_f64() * 1e3 / f64::from(proofs)),
        rss_bytes: peak_resident_bytes().map(|bytes| bytes as f64),
    })
}

/// The leaves of the n-th proof, none of them empty.
fn leaves(n: u32) -> [Fr; LEAVES] {
    std::array::from_fn(|at| Fr::from(1 + u64::from(n) * LEAVES as u64 + at as u64))
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

    fn insert(&mut self, leaves: [Fr; LEAVES]) -> Insertions {
        let (old_root, index, poseidon) = (self.root, Fr::from(self.leaves), self.poseidon.clone());
        let insertions = leaves.map(|leaf| self.insert_one(leaf));
        Insertions { poseidon, old_root, new_root: self.root, index, insertions }
    }

    fn insert_one(&mut self, leaf: Fr) -> Insertion {
        let right: [bool; DEPTH] = std::array::from_fn(|level| self.leaves >> level & 1 == 1);
        let siblings: [Fr; DEPTH] =
            std::array::from_fn(|level| if right[level] { self.left[level] } else { self.empty[level] });
        let mut node = leaf;
        for level in 0..DEPTH {
            let (first, second) =
                if right[level] { (siblings[level], node) } else { (node, siblings[level]) };
            if !right[level] {
                self.left[level] = node;
            }
            node = hash(&self.poseidon, first, second);
        }
        self.root = node;
        self.leaves += 1;
        Insertion { leaf, right, siblings }
    }
}

fn hash(poseidon: &PoseidonConfig<Fr>, left: Fr, right: Fr) -> Fr {
    TwoToOneCRH::compress(poseidon, left, right).expect("two elements are hashed")
}

/// The statement and its witness: these leaves, from this index on, lead from one root to the other.
#[derive(Clone)]
struct Insertions {
    poseidon: PoseidonConfig<Fr>,
    old_root: Fr,
    new_root: Fr,
    /// Of the first leaf.
    index: Fr,
    insertions: [Insertion; LEAVES],
}

#[derive(Clone)]
struct Insertion {
    leaf: Fr,
    /// Whether the path's node is the right child, from the leaf upwards.
    right: [bool; DEPTH],
    siblings: [Fr; DEPTH],
}

impl Insertions {
    fn public(&self) -> Vec<Fr> {
        let leaves = self.insertions.iter().map(|insertion| insertion.leaf);
        [self.old_root, self.new_root, self.index].into_iter().chain(leaves).collect()
    }
}

impl ConstraintSynthesizer<Fr> for Insertions {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let input = |value: Fr| FpVar::new_input(system.clone(), || Ok(value));
        let (mut root, new_root, mut index) =
            (input(self.old_root)?, input(self.new_root)?, input(self.index)?);
        let poseidon = CRHParametersVar { parameters: self.poseidon };
        for insertion in self.insertions {
            let leaf = input(insertion.leaf)?;
            root = insertion.constrain(&system, &poseidon, leaf, &root, &index)?;
            index += Fr::from(1);
        }
        root.enforce_equal(&new_root)
    }
}

impl Insertion {
    /// The root after it.
    fn constrain(
        self,
        system: &ConstraintSystemRef<Fr>,
        poseidon: &CRHParametersVar<Fr>,
        leaf: FpVar<Fr>,
        root: &FpVar<Fr>,
        index: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let bits = self.right.iter().map(|&right| Boolean::new_witness(system.clone(), || Ok(right)));
        let bits: Vec<Boolean<Fr>> = bits.collect::<Result<_, _>>()?;
        Boolean::le_bits_to_fp(&bits)?.enforce_equal(index)?;
        let (mut old, mut new) = (FpVar::Constant(Fr::ZERO), leaf);
        for (right, sibling) in bits.iter().zip(self.siblings) {
            let sibling = FpVar::new_witness(system.clone(), || Ok(sibling))?;
            for node in [&mut old, &mut new] {
                let first = FpVar::conditionally_select(right, &sibling, node)?;
                let second = FpVar::conditionally_select(right, node, &sibling)?;
                *node = TwoToOneCRHGadget::compress(poseidon, &first, &second)?;
            }
        }
        old.enforce_equal(root)?;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_relations::gr1cs::ConstraintSystem;

    fn satisfied(insertions: Insertions) -> bool {
        let system = ConstraintSystem::new_ref();
        insertions.generate_constraints(system.clone()).unwrap();
        system.is_satisfied().unwrap()
    }

    #[test]
    fn insertions_follow_each_other_and_each_rule_binds() {
        let mut tree = Tree::empty(poseidon());
        tree.insert(leaves(0));
        let before = tree.root;
        let insertions = tree.insert(leaves(1));
        assert_eq!((insertions.old_root, insertions.new_root), (before, tree.root));
        assert!(satisfied(insertions.clone()));
        assert!(!satisfied(Insertions { old_root: insertions.new_root, ..insertions.clone() }));
        assert!(!satisfied(Insertions { new_root: insertions.old_root, ..insertions.clone() }));
        assert!(!satisfied(Insertions { index: insertions.index + Fr::from(1), ..insertions.clone() }));
        // Another leaf, one that is inserted twice, and two in each other's place.
        let attacked = |attack: fn(&mut [Insertion; LEAVES])| {
            let mut insertions = insertions.clone();
            attack(&mut insertions.insertions);
            satisfied(insertions)
        };
        assert!(!attacked(|insertions| insertions[LEAVES - 1].leaf = Fr::from(9_999)));
        assert!(!attacked(|insertions| insertions[1] = insertions[0].clone()));
        assert!(!attacked(|insertions| insertions.swap(3, 4)));
    }

    #[test]
    fn the_circuit_fills_nine_tenths_of_a_power_of_two_at_least() {
        let system = ConstraintSystem::new_ref();
        Tree::empty(poseidon()).insert(leaves(0)).generate_constraints(system.clone()).unwrap();
        let rows = system.num_constraints() + system.num_instance_variables();
        assert!(rows * 10 >= rows.next_power_of_two() * 9, "{rows}");
    }
}

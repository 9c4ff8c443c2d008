//! Groth16 without a circuit, for tests of what checks proofs.
//!
//! Who knows a key's trapdoor can prove any statement: choose A and B and solve the verification equation for C. That
//! is the simulator by which Groth16 is shown to be zero-knowledge (eprint 2016/260, section 3.2), so to a verifier
//! these proofs are as good as any, and they cost microseconds.

use ark_bn254::{Bn254, Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, PrimeGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use ark_groth16::VerifyingKey;
use arterial_protocol::{BlockNumber, BlockProof, BlockStatement, FieldElement, StateRoot};

/// A key with its trapdoor: the discrete logarithms of all its points.
pub(crate) struct StandIn {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    inputs: [Fr; 4],
    label: &'static str,
}

impl StandIn {
    /// The key with this name; the same one every time.
    pub(crate) fn new(label: &'static str) -> Self {
        let [alpha, beta, gamma, delta, i0, i1, i2, i3] =
            std::array::from_fn(|at| scalar(label, &[at as u64]));
        Self { alpha, beta, gamma, delta, inputs: [i0, i1, i2, i3], label }
    }

    pub(crate) fn key(&self) -> VerifyingKey<Bn254> {
        VerifyingKey {
            alpha_g1: g1(self.alpha),
            beta_g2: g2(self.beta),
            gamma_g2: g2(self.gamma),
            delta_g2: g2(self.delta),
            gamma_abc_g1: self.inputs.map(g1).to_vec(),
        }
    }

    /// The key as the contract's constructor takes it.
    pub(crate) fn key_words(&self) -> [[u8; 32]; 22] {
        let key = self.key();
        let mut words = g1_words(key.alpha_g1).to_vec();
        for point in [key.beta_g2, key.gamma_g2, key.delta_g2] {
            words.extend(g2_words(point));
        }
        for point in key.gamma_abc_g1 {
            words.extend(g1_words(point));
        }
        words.try_into().unwrap()
    }

    pub(crate) fn prove(&self, statement: &BlockStatement) -> BlockProof {
        let (a, b, c) = self.prove_points(statement);
        proof_of([g1_words(a).as_slice(), &g2_words(b), &g1_words(c)].concat())
    }

    pub(crate) fn prove_points(&self, statement: &BlockStatement) -> (G1Affine, G2Affine, G1Affine) {
        let public = public_inputs(statement);
        let sum = self.inputs[0] + (0..3).map(|at| self.inputs[at + 1] * public[at]).sum::<Fr>();
        let [a, b] =
            [100, 101].map(|at| scalar(self.label, &[at, statement.number.0, statement.record_count]));
        // a·b = alpha·beta + sum·gamma + c·delta
        let c = (a * b - self.alpha * self.beta - sum * self.gamma) * self.delta.inverse().unwrap();
        (g1(a), g2(b), g1(c))
    }
}

pub(crate) fn public_inputs(statement: &BlockStatement) -> [Fr; 3] {
    statement.public_inputs().map(|element| Fr::from_be_bytes_mod_order(&element.to_be_bytes()))
}

/// The root of the block with this number on a made-up chain of blocks.
pub(crate) fn root(number: u64) -> StateRoot {
    StateRoot(FieldElement::reduce(*blake3::hash(&number.to_le_bytes()).as_bytes()))
}

/// The block with this number on that chain.
pub(crate) fn statement(number: u64) -> BlockStatement {
    BlockStatement {
        old_state_root: root(number - 1),
        new_state_root: root(number),
        number: BlockNumber(number),
        record_count: 1_000_000 + number % 1_000,
    }
}

pub(crate) fn proof_of(words: Vec<[u8; 32]>) -> BlockProof {
    BlockProof(words.as_flattened().try_into().unwrap())
}

pub(crate) fn g1_words(point: G1Affine) -> [[u8; 32]; 2] {
    point.xy().map_or([[0; 32]; 2], |(x, y)| [word(x), word(y)])
}

pub(crate) fn g2_words(point: G2Affine) -> [[u8; 32]; 4] {
    point.xy().map_or([[0; 32]; 4], |(x, y)| [word(x.c1), word(x.c0), word(y.c1), word(y.c0)])
}

fn word(coordinate: Fq) -> [u8; 32] {
    coordinate.into_bigint().to_bytes_be().try_into().unwrap()
}

fn g1(scalar: Fr) -> G1Affine {
    (G1Projective::generator() * scalar).into()
}

fn g2(scalar: Fr) -> G2Affine {
    (G2Projective::generator() * scalar).into()
}

fn scalar(label: &str, numbers: &[u64]) -> Fr {
    let mut hasher = blake3::Hasher::new();
    hasher.update(label.as_bytes());
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    Fr::from_be_bytes_mod_order(hasher.finalize().as_bytes())
}

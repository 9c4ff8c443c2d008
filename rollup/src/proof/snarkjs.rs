//! Keys and proofs as snarkjs has them, so that anybody can check a block without this code:
//! `snarkjs groth16 verify verification_key.json public.json proof.json`.
//!
//! Numbers are decimal strings, points projective with z = 1, elements of the quadratic extension real part
//! first.
//! The key lacks `vk_alphabeta_12`, a precomputed pairing that snarkjs 0.7 writes and never reads.

use super::{VerificationKey, verification_key::decode_proof};
use crate::block::ProvenBlock;
use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ff::PrimeField;
use serde_json::{Value, json};

/// The three files that `snarkjs groth16 verify` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnarkjsFiles {
    /// `verification_key.json`
    pub verification_key: Value,
    /// `public.json`
    pub public: Value,
    /// `proof.json`
    pub proof: Value,
}

impl SnarkjsFiles {
    /// The files of a proven block.
    ///
    /// # Errors
    /// None for a block proven under this key; [`ProofError`](super::ProofError) for one of another key.
    pub fn export(key: &VerificationKey, block: &ProvenBlock) -> Result<Self, super::ProofError> {
        key.verify(block.statement(), block.proof())?;
        let proof = decode_proof(block.proof())?;
        let inputs = block.statement().public_inputs();
        let public = inputs.map(|input| Fr::from_be_bytes_mod_order(&input.to_be_bytes()).to_string());
        let vk = key.as_ark();
        Ok(Self {
            verification_key: json!({
                "protocol": "groth16",
                "curve": "bn128",
                "nPublic": inputs.len(),
                "vk_alpha_1": g1(&vk.alpha_g1),
                "vk_beta_2": g2(&vk.beta_g2),
                "vk_gamma_2": g2(&vk.gamma_g2),
                "vk_delta_2": g2(&vk.delta_g2),
                "IC": vk.gamma_abc_g1.iter().map(g1).collect::<Vec<_>>(),
            }),
            public: json!(public),
            proof: json!({
                "pi_a": g1(&proof.a),
                "pi_b": g2(&proof.b),
                "pi_c": g1(&proof.c),
                "protocol": "groth16",
                "curve": "bn128",
            }),
        })
    }
}

fn g1(point: &G1Affine) -> [String; 3] {
    [point.x.to_string(), point.y.to_string(), "1".into()]
}

fn g2(point: &G2Affine) -> [[String; 2]; 3] {
    let pair = |c0: Fq, c1: Fq| [c0.to_string(), c1.to_string()];
    [pair(point.x.c0, point.x.c1), pair(point.y.c0, point.y.c1), ["1".into(), "0".into()]]
}

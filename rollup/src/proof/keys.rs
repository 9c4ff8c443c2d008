//! Making the keys of a deployment.

use super::{ProofError, VerificationKey};
use crate::circuit::{CircuitDigest, block::BlockCircuit};
use ark_bn254::{Bn254, Fr};
use ark_ff::PrimeField;
use ark_groth16::Groth16;
use ark_std::rand::{SeedableRng, rngs::StdRng};
use arterial_protocol::ShardCount;
use std::fmt;

/// The keys of one deployment: blocks are proven with one half and checked with the other.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// For the prover.
    pub proving: ProvingKey,
    /// For everybody, and for the contract.
    pub verifying: VerificationKey,
}

/// What blocks are proven with: some 500 KB per shard, not secret.
#[derive(Clone)]
pub struct ProvingKey {
    pub(super) shards: ShardCount,
    pub(super) key: ark_groth16::ProvingKey<Bn254>,
}

impl KeyPair {
    /// Makes new keys for blocks of this many shards.
    ///
    /// **This is a development setup.** The keys come from secret numbers that are drawn here and forgotten. Whoever
    /// runs this can keep them instead and then forge a proof of any statement, without anybody noticing. A
    /// deployment whose proofs must convince others than the one who made its keys needs keys made by many parties
    /// (a ceremony, eprint 2017/1050), one honest one among whom is enough.
    ///
    /// # Errors
    /// [`ProofError::Randomness`].
    pub fn generate(shards: ShardCount) -> Result<Self, ProofError> {
        tracing::warn!(
            shards = shards.get(),
            "making development keys: whoever runs this could forge proofs"
        );
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(ProofError::Randomness)?;
        let mut random = StdRng::from_seed(seed);
        let circuit = BlockCircuit::blank(shards);
        let key = Groth16::<Bn254>::generate_random_parameters_with_reduction(circuit, &mut random)
            .map_err(|error| ProofError::Prover(error.to_string()))?;
        let verifying = VerificationKey::from_ark(&key.vk);
        Ok(Self { proving: ProvingKey { shards, key }, verifying })
    }
}

impl ProvingKey {
    /// How many shards the blocks have that it proves.
    #[must_use]
    pub const fn shards(&self) -> ShardCount {
        self.shards
    }
}

impl fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProvingKey(of {} shards)", self.shards.get())
    }
}

/// Which circuit proves blocks of this many shards: a key of any other is of no use.
#[must_use]
pub fn circuit_digest(shards: ShardCount) -> CircuitDigest {
    BlockCircuit::shape(shards).digest
}

/// A uniform scalar from the operating system.
pub(super) fn random_scalar() -> Result<Fr, ProofError> {
    // 512 bits modulo a number of 254: the bias is below 2^-258.
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).map_err(ProofError::Randomness)?;
    Ok(Fr::from_le_bytes_mod_order(&bytes))
}

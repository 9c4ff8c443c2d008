//! From a block's witness to a proven block.

use super::{
    KeyPair, ProofError, ProvingKey, VerificationKey, keys::random_scalar, verification_key::encode_proof,
};
use crate::{
    block::ProvenBlock,
    circuit::{BlockWitness, block::BlockCircuit, constraints::Assignment},
};
use ark_bn254::Bn254;
use ark_groth16::Groth16;
use arterial_protocol::{BlockStatement, ShardCount};

/// Proves blocks of one deployment, and checks every proof before it hands it out.
pub trait BlockProver: Send + Sync {
    /// How many shards its blocks have.
    fn shards(&self) -> ShardCount;

    /// What its proofs are checked with.
    fn verification_key(&self) -> &VerificationKey;

    /// Proves a block.
    ///
    /// # Errors
    /// [`ProofError::Rule`] and [`ProofError::Shards`] before any work if the witness can have no proof,
    /// [`ProofError::Randomness`], and [`ProofError::Prover`] if the keys don't belong to the circuit.
    fn prove(&self, witness: &BlockWitness) -> Result<ProvenBlock, ProofError>;
}

/// Proves by Groth16.
///
/// It works in rayon's current pool: `install` it in one to bound its threads or lower their priority.
#[derive(Debug)]
pub struct Prover {
    proving: ProvingKey,
    verifying: VerificationKey,
}

impl Prover {
    /// A prover with these keys.
    #[must_use]
    pub fn new(keys: KeyPair) -> Self {
        Self { proving: keys.proving, verifying: keys.verifying }
    }
}

impl BlockProver for Prover {
    fn shards(&self) -> ShardCount {
        self.proving.shards
    }

    fn verification_key(&self) -> &VerificationKey {
        &self.verifying
    }

    fn prove(&self, witness: &BlockWitness) -> Result<ProvenBlock, ProofError> {
        let statement = statement(witness, self.shards())?;

        let mut assignment = Assignment::default();
        BlockCircuit::new(witness, &statement).synthesize(&mut assignment);
        let proof = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
            &self.proving.key,
            random_scalar()?,
            random_scalar()?,
            assignment.product_matrices(),
            assignment.inputs(),
            assignment.constraints(),
            &assignment.variables(),
        )
        .map_err(|error| ProofError::Prover(error.to_string()))?;

        ProvenBlock::verify(statement, encode_proof(&proof), &self.verifying)
            .map_err(|error| ProofError::Prover(error.to_string()))
    }
}

/// What a witness of this many shards proves.
pub(super) fn statement(witness: &BlockWitness, shards: ShardCount) -> Result<BlockStatement, ProofError> {
    let (expected, got) = (shards.get(), witness.shards()?.get());
    if got != expected {
        return Err(ProofError::Shards { expected, got });
    }
    Ok(witness.statement()?)
}

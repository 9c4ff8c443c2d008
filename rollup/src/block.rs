//! A block whose proof has been checked.

use crate::proof::{ProofError, VerificationKey};
use arterial_protocol::{BlockProof, BlockStatement};

/// A block with a proof that verifies: there is no other way to have one, so nothing else is ever posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenBlock {
    statement: BlockStatement,
    proof: BlockProof,
}

impl ProvenBlock {
    /// Checks a proof made here or read back from disk.
    ///
    /// # Errors
    /// The proof is malformed or doesn't prove the statement under this key.
    pub fn verify(
        statement: BlockStatement,
        proof: BlockProof,
        key: &VerificationKey,
    ) -> Result<Self, ProofError> {
        key.verify(&statement, &proof)?;
        Ok(Self { statement, proof })
    }

    /// What it proves.
    #[must_use]
    pub const fn statement(&self) -> &BlockStatement {
        &self.statement
    }

    /// The proof.
    #[must_use]
    pub const fn proof(&self) -> &BlockProof {
        &self.proof
    }
}

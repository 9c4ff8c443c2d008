//! From a block's batches to their proof.

use arterial_stark::{Blake3, Options, Soundness, StarkError, Statement, Verified, Witness, prove, verify};

/// Proves a block's batches, and checks every proof before it hands it out.
pub trait BatchProver: Send + Sync {
    /// Proves them.
    ///
    /// # Errors
    /// The rule that a batch breaks; [`StarkError::Cancelled`].
    fn prove(&self, witness: &Witness<'_>, options: &Options<'_>) -> Result<ProvenBatches, StarkError>;

    /// Checks a proof and says how sure each segment of it makes.
    ///
    /// # Errors
    /// Why it does not prove the statement.
    fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<Vec<Soundness>, StarkError>;
}

/// A block's batches with a proof that holds: there is no other way to have them.
#[derive(Clone, PartialEq, Debug)]
pub struct ProvenBatches {
    statement: Statement,
    soundness: Vec<Soundness>,
    proof: Vec<u8>,
    trace_cells: Option<usize>,
}

impl ProvenBatches {
    /// Checks a proof made elsewhere or read back from disk.
    ///
    /// # Errors
    /// Why it does not prove the statement.
    pub fn verify(
        statement: &Statement,
        proof: Vec<u8>,
        verifier: &dyn BatchProver,
    ) -> Result<Self, StarkError> {
        let soundness = verifier.verify(statement, &proof)?;
        Ok(Self { statement: statement.clone(), soundness, proof, trace_cells: None })
    }

    /// What is proven.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// How sure each segment of the proof makes; none if no shard has a batch.
    #[must_use]
    pub fn soundness(&self) -> &[Soundness] {
        &self.soundness
    }

    /// Bits proven by all segments together: a false statement passes with probability at most 2⁻ᵇⁱᵗˢ a try.
    #[must_use]
    pub fn bits(&self) -> f64 {
        Soundness::together(&self.soundness)
    }

    /// Cells of all tables that were proven, padding included, if the proof was made here.
    #[must_use]
    pub const fn trace_cells(&self) -> Option<usize> {
        self.trace_cells
    }

    /// The proof's bytes.
    #[must_use]
    pub fn proof(&self) -> &[u8] {
        &self.proof
    }
}

/// Proves by a STARK over KoalaBear, with BLAKE3 for its trees and transcript.
///
/// It works in rayon's current pool: `install` it in one to bound its threads or lower their priority.
#[derive(Clone, Copy, Default, Debug)]
pub struct StarkProver;

impl BatchProver for StarkProver {
    fn prove(&self, witness: &Witness<'_>, options: &Options<'_>) -> Result<ProvenBatches, StarkError> {
        let proof = prove::<Blake3>(witness, options)?;
        let Verified { statement, segments: soundness, .. } = proof.verified;
        let trace_cells = Some(proof.trace_cells);
        Ok(ProvenBatches { statement, soundness, proof: proof.bytes, trace_cells })
    }

    fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<Vec<Soundness>, StarkError> {
        Ok(verify::<Blake3>(statement, proof)?.segments)
    }
}

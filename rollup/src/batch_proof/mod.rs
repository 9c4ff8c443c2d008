//! The proof of a block's batches: that every record of them follows the rules.
//!
//! The proof system is the crate `arterial_stark`. Here a block's batches and the accounts before them become its
//! witness, its proof a file beside the block's, and its statement is held against the block.

mod error;
mod file;
mod moves;
mod prover;
#[cfg(feature = "testing")]
pub mod testing;

pub use arterial_stark::{
    BatchStatement, BatchWitness, Options, Phase, Regime, Soundness, StarkError, Statement, Verified, Witness,
};
pub use error::BatchProofError;
pub use file::BatchProofs;
pub use moves::check_moves;
pub use prover::{BatchProver, ProvenBatches, StarkProver};

#[cfg(test)]
mod tests;

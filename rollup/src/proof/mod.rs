//! Groth16 over BN254: keys, proofs, and their encodings.
//!
//! The circuit is in [`circuit`](crate::circuit). [`KeyPair::generate`] makes the keys of a deployment, once;
//! [`BlockProver::prove`] turns a block's witness into a [`ProvenBlock`](crate::block::ProvenBlock);
//! [`VerificationKey::verify`] checks one; [`SnarkjsFiles::export`] lets others check it with their tools.

mod error;
mod key_file;
mod keys;
mod points;
mod prover;
mod snarkjs;
#[cfg(feature = "testing")]
pub mod testing;
mod verification_key;

pub use error::ProofError;
pub use keys::{KeyPair, ProvingKey, circuit_digest};
pub use prover::{BlockProver, Prover};
pub use snarkjs::SnarkjsFiles;
pub use verification_key::VerificationKey;

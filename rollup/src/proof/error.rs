//! What can go wrong with keys and proofs, by whose fault it is.

use crate::circuit::{BrokenRule, CircuitDigest};
use std::path::PathBuf;

/// Why there is no proof, or a proof or key is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    // The caller's misuse.
    /// A block that breaks a rule cannot be proven.
    #[error("the block cannot be proven: {0}")]
    Rule(#[from] BrokenRule),
    /// The block has another number of shards than the key.
    #[error("the key is for {expected} shards, the block has {got}")]
    Shards {
        /// The key's.
        expected: u32,
        /// The block's.
        got: u32,
    },
    /// The key file is of a deployment with another number of shards.
    #[error("key file {path} is for {got} shards, not {expected}: give the deployment's own key file")]
    KeyFileShards {
        /// The file.
        path: PathBuf,
        /// The deployment's.
        expected: u32,
        /// The file's.
        got: u32,
    },

    // Bad input.
    /// A point of a proof or key is not a valid one.
    #[error("{point} {fault}")]
    Point {
        /// Which one.
        point: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The proof is well formed and doesn't prove the statement.
    #[error("the proof does not prove this statement under this key")]
    NotProven,
    /// The file is something else.
    #[error("{path} is not a key file: check the path")]
    NotAKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another version of the format.
    #[error(
        "key file {path} has format version {got}, this program reads {expected}: use the program that wrote it, or generate new keys"
    )]
    KeyFileVersion {
        /// The file.
        path: PathBuf,
        /// The version that is read here.
        expected: u32,
        /// The file's.
        got: u32,
    },
    /// The key is of another circuit.
    #[error(
        "key file {path} is of circuit {got}, this program proves {expected}: use the program that wrote it, or generate new keys and deploy a contract with them"
    )]
    KeyFileCircuit {
        /// The file.
        path: PathBuf,
        /// The circuit that is proven here.
        expected: CircuitDigest,
        /// The file's.
        got: CircuitDigest,
    },

    // The environment.
    /// Reading or writing failed.
    #[error("cannot {action} key file {path}: {source}")]
    KeyFileIo {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[source] getrandom::Error),

    // Corruption.
    /// The file is not what was written.
    #[error("key file {path} is damaged ({fault}): restore it from a copy")]
    KeyFileDamaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        fault: &'static str,
    },
    /// The prover refused its input or made a proof that doesn't verify: key and circuit don't belong together.
    #[error("the prover failed with a block that breaks no rule: {0}")]
    Prover(String),
}

//! What a block proof proves, as rank-1 constraints.
//!
//! `block` is the statement, `poseidon` the hash it is made of, `constraints` what both are written in, `witness`
//! what a prover brings.

pub(crate) mod block;
pub(crate) mod constraints;
mod poseidon;
mod witness;

pub use constraints::CircuitDigest;
pub use witness::{BlockWitness, BrokenRule};

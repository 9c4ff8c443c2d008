//! Making a batch proof.

pub(crate) mod plan;
pub(crate) mod prove;
pub(crate) mod trace;
mod witness;

pub use prove::{Options, Phase, Proof, prove};
pub use witness::{BatchWitness, OldTree, Witness};

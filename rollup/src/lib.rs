//! The proof side of Arterial: accounts, the block circuit, Groth16, settlement.
//!
//! ```text
//! Batch ─▶ AccountsTree ─▶ ShardLeaf ─▶ BlockWitness ─▶ Prover ─▶ ProvenBlock ─▶ BaseChain
//! ```
//!
//! A [`ProvenBlock`] can only be had by checking its proof, so nothing else is ever stored or posted.

pub mod accounts;
mod block;
mod block_store;
pub mod chain;
pub mod circuit;
pub mod proof;

pub use arterial_storage::{Clock, ManualClock, SystemClock};
pub use block::ProvenBlock;
pub use block_store::{BlockStore, BlockStoreError, ShardState, StoredBlock};

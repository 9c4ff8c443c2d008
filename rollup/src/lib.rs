//! The proof side of Arterial: accounts, the block circuit, Groth16, settlement.
//!
//! ```text
//! Batch ─▶ AccountsTree ─▶ ShardLeaf ─▶ BlockWitness ─▶ Prover ─▶ ProvenBlock ─▶ BaseChain
//!   └───────────▶ Before ─▶ BatchProver ─▶ ProvenBatches ─────────────┘ checked before anything is posted
//! ```
//!
//! [`ProvenBatches`] and a [`ProvenBlock`] can only be had by checking their proofs, so nothing else is ever stored or
//! posted.

pub mod accounts;
pub mod batch_proof;
mod block;
mod block_store;
pub mod chain;
pub mod circuit;
pub mod delta;
pub mod proof;
mod published;

pub use arterial_storage::{Clock, ManualClock, SystemClock};
pub use batch_proof::ProvenBatches;
pub use block::ProvenBlock;
pub use block_store::{BlockStore, BlockStoreError, ShardState, StoredBlock};
pub use published::{Published, PublishedBlock, PublishedError};

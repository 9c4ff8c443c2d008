//! Types, commitments, encodings and the receipt verifier of Arterial.
//!
//! Whoever holds a [`Receipt`] checks it with [`Receipt::verify`] against the [`StateRoot`] that the settlement
//! contract holds for its block, with this crate alone: it is `no_std` + `alloc`, has no disk, no threads, no
//! clock and no prover.
//!
//! ```text
//! Write ─ salt ─▶ Record ─ BLAKE3 ─▶ digest ─ C24 ─▶ head ─ C24 ─▶ account ─ C16 tree ─▶ accounts root
//!                                                                                           │
//!                             StateRoot ◀─ H ─ tree with H over the shards ◀─ H ─ shard leaf ┘
//! ```
//!
//! `C16` and `C24` are Poseidon over KoalaBear ([`poseidon::koala`]), `H` is circom's Poseidon over BN254.
//!
//! ```
//! use arterial_protocol::{Receipt, StateRoot};
//!
//! fn check(receipt: &[u8], root_from_the_chain: &StateRoot) -> Result<(), Box<dyn std::error::Error>> {
//!     let verified = Receipt::decode(receipt)?.verify(root_from_the_chain)?;
//!     println!("{} wrote seq {} before block {}", verified.device, verified.seq, verified.number);
//!     Ok(())
//! }
//! ```
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod account;
mod batch;
mod block;
pub mod bundle;
mod device;
mod digest;
mod field;
pub mod lanes;
pub mod limits;
mod link;
pub mod poseidon;
mod receipt;
mod record;
mod state;
mod write;

pub use account::{Account, AccountError, Link, Run, extend_runs, leaves};
pub use batch::{AccountRun, Batch, BatchError};
pub use block::{BlockProof, BlockStatement};
pub use bundle::{BundleProof, BundleTree};
pub use device::{Credential, DeviceId, ShardCount, ShardId};
pub use digest::{Digest, KOALA_BEAR};
pub use field::{FieldElement, MODULUS};
pub use receipt::{Authorship, Evidence, Receipt, ReceiptDecodeError, Stage, Step, Verified, VerifyError};
pub use record::{Record, RecordError, Salt, digest};
pub use state::{BlockNumber, DataDigest, Domain, ShardLeaf, StateRoot, empty_subtree, shards_tree};
pub use write::{AuthorshipError, SIGNING_DOMAIN, Tag, Write, WriteError};

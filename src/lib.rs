//! A rollup for medical-device data.
//!
//! Devices' writes are partitioned across shards, made durable, hashed, and committed with SNARK-friendly hashes; each
//! block of them moves one state root, and a proof of 256 bytes on a proof-of-stake chain says that the move followed
//! the rules. Whoever holds a [`Receipt`] can check it years later with the receipt, a state root and nothing else.
//!
//! ```text
//! submit ─▶ shard ─ authenticate ─ log ─ fdatasync ─▶ durable
//!                                   │
//!                     every shard ─ seal ─ apply ─ prove ─ store ─ post ─▶ final
//!                                                            │
//!                                             receipt ◀──────┘
//! ```
//!
//! [`Engine`] is the whole of it, for embedding in a node:
//!
//! ```no_run
//! use arterial::{DeviceId, Engine, Enrolment, Lane, Stage, Tag, Write};
//! # fn sign(_: &Write<'_>) -> Tag { Tag::Mac([0; 32]) }
//!
//! let engine = Engine::builder("/var/lib/arterial").open()?;
//! let device = DeviceId::from_label("ward 3, bed 12");
//! engine.enroll(Enrolment::mac(device, [7; 32]))?;
//! let write = Write { device, seq: 0, observed_at_ms: 1_735_689_600_000, kind: 1, payload: b"72 bpm" };
//! engine.submit(Lane::Routine, &write, sign(&write))?.wait()?; // durable from here on
//! engine.flush(Stage::Final)?;
//! let receipt = engine.receipt(device, 0)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The parts can be used alone: [`protocol`] has the types and the verifier (`no_std`), [`shards`] the write side,
//! [`rollup`] the proof side; [`telemetry`] lists what an engine reports through the `metrics` crate.

mod audit;
mod builder;
#[cfg(feature = "ethereum")]
mod deltas;
mod engine;
mod error;
#[cfg(feature = "ethereum")]
mod ethereum;
mod genesis;
mod inspect;
mod lock;
mod measures;
mod observer;
mod pipeline;
mod proving;
mod receipts;
mod repair;
mod settle;
mod stages;
mod stepped;

pub use arterial_protocol as protocol;
pub use arterial_rollup as rollup;
pub use arterial_shards as shards;
pub use arterial_storage as storage;
pub use arterial_telemetry as telemetry;

pub use arterial_protocol::{
    BlockNumber, BlockStatement, Credential, DeviceId, Domain, Receipt, Stage, StateRoot, Step, Tag,
    Verified, VerifyError, Write,
};
pub use arterial_rollup::chain::{At, BaseChain};
pub use arterial_shards::{
    Ack, DeviceKey, EnrolError, Enrolled, Enrolment, Lane, ShardError, ShardStatus, SignedBundle,
    SubmitError, Ticket, Tickets,
};
pub use audit::{Audit, AuditError, AuditStep, audit};
pub use builder::{Contract, EngineBuilder};
pub use engine::{BlockSummary, Engine, EngineState};
pub use error::EngineError;
pub use genesis::Deployment;
pub use inspect::{BlockReport, Inspection, inspect};
pub use repair::repair;
pub use stages::{Proving, ProvingStep};
pub use stepped::SteppedEngine;

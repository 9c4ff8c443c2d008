//! The write side of Arterial: a device's write becomes a durable record, and records become batches.
//!
//! ```text
//! submit ─▶ route ─▶ inbox ─────▶ writer: check ─▶ hash ─▶ admit ─▶ log ─ fdatasync ─▶ acknowledge
//!           by       groups, in   in batches  in lanes             │
//!           device   three lanes                                  cut ─▶ batch ─▶ seal
//! ```
//!
//! A write is laid out as the log's frame by whoever submits it, in its shard's next group, and stays there: the writer
//! completes it in place, and the group goes to the disk as it is. [`Shards`] is every shard of a deployment. Writers of
//! different shards share nothing that is written, but for the thread that looks old writes up.

mod accounts;
mod check;
mod checkpoint;
mod config;
mod directory;
mod enrolment;
mod error;
mod group;
mod hash;
mod inbox;
mod inspect;
mod keys;
mod lane;
pub mod limits;
mod log;
mod lookup;
mod measures;
mod pace;
mod repair;
mod replay;
mod route;
mod sealed;
mod sealing;
mod shard;
mod shards;
mod signatures;
mod ticket;
mod writer;

pub use arterial_storage::{run_promptly, yield_to_writers};
pub use config::ShardsConfig;
pub use enrolment::{DeviceKey, Enrolment};
pub use error::{EnrolError, ShardError, SubmitError};
pub use inspect::{FileReport, SegmentReport, ShardReport, check_segment, inspect, published_batch};
pub use lane::Lane;
pub use log::LogPosition;
pub use repair::{Loss, Mended, Repair};
pub use route::SignedBundle;
pub use shard::{Ack, Enrolled, Located, SealedBatch, SealedRecord};
pub use shards::{ShardStatus, Shards};
pub use ticket::{Ticket, Tickets};

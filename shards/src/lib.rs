//! The write side of Arterial: a device's write becomes a durable record, and records become batches.
//!
//! ```text
//! submit ─▶ router ─▶ queue ─▶ writer: authenticate ─▶ admit ─▶ log ─ fdatasync ─▶ acknowledge
//!           by device  one a shard, bounded                       │
//!                                                          seal ─▶ batch
//! ```
//!
//! [`Shards`] is every shard of a deployment. Writers of different shards share nothing that is written.

mod accounts;
mod authenticate;
mod config;
mod enrolment;
mod error;
mod inspect;
mod keys;
pub mod limits;
mod log;
mod queue;
mod sealed;
mod shard;
mod shards;
mod ticket;
mod writer;

pub use config::ShardsConfig;
pub use enrolment::{DeviceKey, Enrolment};
pub use error::{EnrolError, ShardError, SubmitError};
pub use inspect::{FileReport, SegmentReport, ShardReport, check_segment, inspect};
pub use log::LogPosition;
pub use shard::{Ack, Enrolled, Located, SealedBatch, SealedRecord};
pub use shards::{ShardStatus, Shards};
pub use ticket::{Abandoned, Ticket, Tickets};

//! What can go wrong on the write side, grouped by blame.

use crate::log::LogPosition;
use arterial_protocol::{
    BatchError, BlockNumber, DeviceId, Digest, RecordError, ShardId, WriteError, limits::BUNDLE_WRITES_MAX,
};
use std::{io, path::PathBuf, sync::Arc};

/// Why a write was not accepted, or not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    // The caller's misuse.
    /// The shard's lane is full; only `try_submit` says so.
    #[error("the queue of shard {shard} is full: try again, or use `submit`, which waits")]
    Busy {
        /// The shard.
        shard: ShardId,
    },
    /// The engine is closed.
    #[error("closed: no more writes are taken")]
    Closed,

    // Bad input.
    /// A field is out of range.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A bundle of no size.
    #[error("a bundle of {got} writes: expected 1 to {BUNDLE_WRITES_MAX}")]
    BundleSize {
        /// Writes given.
        got: usize,
    },
    /// The signature is not the gateway's over these writes. Nobody knows which of them is to blame, so none is taken.
    #[error(
        "the bundle's signature is not the gateway's over these {writes} writes: none of them is accepted"
    )]
    BundleSignature {
        /// Writes given.
        writes: usize,
    },
    /// The device is not enrolled.
    #[error("device {device} is not enrolled: enrol it first")]
    UnknownDevice {
        /// The device.
        device: DeviceId,
    },
    /// The device's keys were destroyed.
    #[error("the keys of device {device} were destroyed: it can write no more")]
    KeysDestroyed {
        /// The device.
        device: DeviceId,
    },
    /// The tag is not the device's.
    #[error("seq {seq} of device {device}: the tag does not authenticate the write under the enrolled key")]
    Unauthentic {
        /// The device.
        device: DeviceId,
        /// The write.
        seq: u64,
    },
    /// The write steps back over a gap: it was never accepted and can't be any more.
    #[error("seq {got} of device {device} is before its next, {next_seq}, and was never accepted")]
    SeqRegressed {
        /// The device.
        device: DeviceId,
        /// The lowest that would do.
        next_seq: u32,
        /// The write's.
        got: u64,
    },
    /// The device wrote two different things under one number.
    #[error(
        "equivocation: device {device} already wrote seq {seq} with digest {accepted} at {position}; \
         this write has digest {refused}"
    )]
    Equivocation {
        /// The device.
        device: DeviceId,
        /// The number.
        seq: u64,
        /// Digest of what stands.
        accepted: Digest,
        /// Where it stands.
        position: LogPosition,
        /// Digest of what was refused.
        refused: Digest,
    },

    // The environment, and corruption.
    /// The shard could not make the write durable, or find out whether it is a repeat.
    #[error(transparent)]
    Shard(#[from] Arc<ShardError>),
}

/// Why a device was not enrolled.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The device is enrolled with another credential.
    #[error("device {device} is already enrolled with another credential")]
    AlreadyEnrolled {
        /// The device.
        device: DeviceId,
    },
    /// The public key is no point of the curve.
    #[error("the Ed25519 public key of device {device} is not a valid point")]
    InvalidKey {
        /// The device.
        device: DeviceId,
    },
    /// Every slot of the shard is taken.
    #[error("shard {shard} has no free slot: a deployment with more shards is needed")]
    ShardFull {
        /// The shard.
        shard: ShardId,
    },
    /// The engine is closed.
    #[error("closed: no more devices are enrolled")]
    Closed,
    /// The shard could not make the enrolment durable.
    #[error(transparent)]
    Shard(#[from] Arc<ShardError>),
}

/// Why a shard can't go on, or a record can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    // The caller's misuse.
    /// A configuration that can't work.
    #[error("{what}: expected {expected}, got {got}")]
    Config {
        /// Which setting.
        what: &'static str,
        /// What would do.
        expected: String,
        /// What was given.
        got: String,
    },
    /// Blocks are sealed one after the other.
    #[error("shard {shard} can seal block {expected} next, not {got}")]
    SealOrder {
        /// The shard.
        shard: ShardId,
        /// The block after the last sealed one.
        expected: BlockNumber,
        /// The block asked for.
        got: BlockNumber,
    },
    /// No such record.
    #[error("device {device} has no accepted record with seq {seq}")]
    UnknownRecord {
        /// The device.
        device: DeviceId,
        /// The number asked for.
        seq: u64,
    },
    /// The device is not enrolled.
    #[error("device {device} is not enrolled")]
    UnknownDevice {
        /// The device.
        device: DeviceId,
    },
    /// Without its keys, a device's records can't be linked to their commitments any more.
    #[error("the keys of device {device} were destroyed: its records can be shown to nobody any more")]
    KeysDestroyed {
        /// The device.
        device: DeviceId,
    },
    /// The shard is closed.
    #[error("closed")]
    Closed,

    // The environment.
    /// The operating system refused something. Nothing is in doubt: it can be tried again.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// An append or its sync failed. What it held is in doubt, so the shard takes no more writes.
    #[error(
        "shard {shard} could not make writes durable ({reason}) and takes no more: \
         mend the disk and open the directory again; whatever was acknowledged is there"
    )]
    Poisoned {
        /// The shard.
        shard: ShardId,
        /// The operating system's answer.
        reason: String,
    },

    // Corruption.
    /// A file is not what was written.
    #[error("{} is corrupt at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The log's records do not make a batch.
    #[error("shard {shard}: the log breaks a batch rule: {source}")]
    Batch {
        /// The shard.
        shard: ShardId,
        /// The rule.
        source: BatchError,
    },
    /// The log holds a record that is none.
    #[error("the record at {position} is none: {source}")]
    Record {
        /// Where.
        position: LogPosition,
        /// Why.
        source: RecordError,
    },
}

/// Adds what was being done, and to which file, to an operating system's error.
pub(crate) trait IoContext<T> {
    fn context(self, what: &'static str, path: &std::path::Path) -> Result<T, ShardError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, what: &'static str, path: &std::path::Path) -> Result<T, ShardError> {
        self.map_err(|source| ShardError::Io { what, path: path.to_owned(), source })
    }
}

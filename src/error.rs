//! What can go wrong with an engine, grouped by blame.

use arterial_protocol::{BlockNumber, DeviceId, StateRoot};
use arterial_rollup::{
    BlockStoreError, PublishedError,
    accounts::AccountsError,
    batch_proof::{BatchProofError, StarkError},
    chain::ChainError,
    proof::ProofError,
};
use arterial_shards::ShardError;
use std::{io, path::PathBuf};

/// Why an engine can't be opened, or can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    // The caller's misuse.
    /// A setting that can't work, or not with what is in the directory.
    #[error("{what}: expected {expected}, got {got}")]
    Config {
        /// Which setting.
        what: &'static str,
        /// What would do.
        expected: String,
        /// What was given.
        got: String,
    },
    /// The directory has no deployment in it.
    #[error("{} holds no deployment: there is no file `genesis` in it", dir.display())]
    NoDeployment {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory has something else in it.
    #[error("{} is not empty and holds no deployment: give an empty or new directory", dir.display())]
    ForeignDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// Another engine has the directory open.
    #[error("{} is in use by another process", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The record waits for its block.
    #[error(
        "seq {seq} of device {device} is durable but in no proven block yet: flush, or wait for the next block"
    )]
    NotProven {
        /// The device.
        device: DeviceId,
        /// The record.
        seq: u64,
    },
    /// There is no such block.
    #[error("block {number} does not exist yet: the newest is {newest}")]
    UnknownBlock {
        /// The block asked for.
        number: BlockNumber,
        /// The newest.
        newest: BlockNumber,
    },
    /// The engine was closed meanwhile.
    #[error("closed")]
    Closed,

    // The environment.
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The block pipeline has stopped for good.
    #[error("no more blocks are made: {reason}")]
    Halted {
        /// Why.
        reason: String,
    },

    // One of the parts.
    /// The write side.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The accounts.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The blocks on disk.
    #[error(transparent)]
    Blocks(#[from] BlockStoreError),
    /// The keys or the prover.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof of a block's batches, on disk or against the block.
    #[error(transparent)]
    Batches(#[from] BatchProofError),
    /// What was published of a block.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// The prover of batches.
    #[error("the batches can't be proven: {0}")]
    Stark(#[from] StarkError),
    /// The base chain.
    #[error(transparent)]
    Chain(#[from] ChainError),

    // Corruption.
    /// A file is not what was written.
    #[error("{} is corrupt: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The files of a deployment don't belong together.
    #[error("the files of this deployment do not fit together: {what}")]
    Inconsistent {
        /// How.
        what: String,
    },
    /// The contract holds another root than this engine's.
    #[error("block {number} stands on the base chain with state root {theirs}, here it has {ours}")]
    Diverged {
        /// The block.
        number: BlockNumber,
        /// This engine's root.
        ours: StateRoot,
        /// The contract's.
        theirs: StateRoot,
    },
}

impl EngineError {
    /// Whether trying again can help: the operating system or the base chain refused, and nothing is in doubt.
    pub(crate) const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Io { .. }
                | Self::Shard(ShardError::Io { .. })
                | Self::Accounts(AccountsError::Io { .. })
                | Self::Blocks(BlockStoreError::Io { .. })
                | Self::Batches(BatchProofError::Io { .. })
                | Self::Chain(ChainError::Io { .. })
        )
    }
}

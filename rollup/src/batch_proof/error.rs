//! Why a block's batch proof is not there or not taken.

use arterial_protocol::{BlockNumber, ShardId};
use arterial_stark::StarkError;
use std::{io, path::PathBuf};

/// Why a block's batch proof can't be kept, read back or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchProofError {
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
    /// The file is not what was written.
    #[error("batch proof {} is corrupt: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The proof in the file does not hold.
    #[error("batch proof {}: {source}", path.display())]
    Proof {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<StarkError>,
    },
    /// The batches are of another block.
    #[error("the batch proof is of block {got}, not of block {expected}")]
    Number {
        /// The block.
        expected: BlockNumber,
        /// Whose batches are proven.
        got: BlockNumber,
    },
    /// A shard moved and its batch is not proven, or the other way round, or the batch moves it otherwise.
    #[error("block {number}, shard {shard}: the batch proof and the block differ in {what}")]
    Moves {
        /// The block.
        number: BlockNumber,
        /// The shard.
        shard: ShardId,
        /// What differs.
        what: &'static str,
    },
}

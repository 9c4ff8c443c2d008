//! Why there is no proof, or a proof is not taken, by whose fault it is.

use arterial_protocol::{AccountError, BlockNumber, Digest, ShardId};

/// Why a batch can't be proven, or a proof is refused.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StarkError {
    // The caller's misuse.
    /// The batches are not of one block, one of each shard, in the shards' order.
    #[error("the batches are not those of block {number} in order of their shards")]
    Batches {
        /// The block.
        number: BlockNumber,
    },
    /// There is more in the block than one proof can have.
    #[error("the block takes {got} segments: a proof has {max} at most")]
    TooMuch {
        /// The limit.
        max: usize,
        /// What the block would take.
        got: usize,
    },
    /// The witness has another number of accounts than the batch touches.
    #[error("the batch of shard {shard} touches {expected} accounts, the witness has {got}")]
    Accounts {
        /// The batch's shard.
        shard: ShardId,
        /// Touched by the batch.
        expected: usize,
        /// In the witness.
        got: usize,
    },
    /// A record's account does not exist, and the batch does not open it.
    #[error("slot {slot} of shard {shard} has records but no account")]
    UnknownAccount {
        /// The shard.
        shard: ShardId,
        /// The slot.
        slot: u32,
    },
    /// The batch opens an account where there is one.
    #[error("slot {slot} of shard {shard} is enrolled but has an account")]
    SlotTaken {
        /// The shard.
        shard: ShardId,
        /// The slot.
        slot: u32,
    },
    /// A record breaks a rule.
    #[error("slot {slot} of shard {shard}: {source}")]
    Rule {
        /// The shard.
        shard: ShardId,
        /// The record's account.
        slot: u32,
        /// The rule.
        source: AccountError,
    },
    /// The tree has another digest than its nodes and the accounts hash to.
    #[error("node {index} of level {level} of shard {shard} is {expected}, but its children hash to {got}")]
    Tree {
        /// The shard.
        shard: ShardId,
        /// Levels above the leaves.
        level: usize,
        /// Among the nodes of its level.
        index: u32,
        /// What the tree says.
        expected: Digest,
        /// What follows from what is below.
        got: Digest,
    },
    /// The work was cancelled.
    #[error("proving was cancelled")]
    Cancelled,

    // Bad input.
    /// The bytes are longer than a proof can be.
    #[error("the proof is {got} bytes long: at most {max} are taken")]
    TooLong {
        /// The limit.
        max: usize,
        /// Given.
        got: usize,
    },
    /// The bytes are not a proof's one encoding.
    #[error("the bytes are not a proof: {fault}")]
    Malformed {
        /// What is wrong with them.
        fault: &'static str,
    },
    /// The proof's tables are of sizes at which less is proven than must be.
    #[error("the proof's tables allow for {got:.1} proven bits only: {expected} are needed")]
    Soundness {
        /// Needed.
        expected: f64,
        /// Of these sizes.
        got: f64,
    },
    /// The proof's segments claim something else than the statement.
    #[error("the proof's segments do not add up to the {what} that is stated of shard {shard}")]
    Claim {
        /// The shard.
        shard: ShardId,
        /// What they differ in.
        what: &'static str,
    },
    /// The proof is well formed and doesn't prove the statement.
    #[error("the proof does not prove this statement: {fault}")]
    NotProven {
        /// The first check that fails.
        fault: String,
    },

    // Our own fault.
    /// The prover made a proof that doesn't verify, or none, of a witness that breaks no rule.
    #[error("the prover failed with a witness that breaks no rule: {fault}")]
    Prover {
        /// What it said.
        fault: String,
    },
}

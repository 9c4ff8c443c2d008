//! Where blocks are settled: the [`BaseChain`] trait and its implementations.

use crate::block::ProvenBlock;
use arterial_protocol::{BlockNumber, StateRoot};

pub mod contract;
#[cfg(feature = "embedded-chain")]
pub mod embedded;
#[cfg(feature = "ethereum")]
pub mod ethereum;

/// A proof-of-stake chain with the settlement contract on it.
///
/// Calls block; a networked implementation answers within its own time limit.
pub trait BaseChain: Send + Sync {
    /// The EIP-155 id of the chain.
    fn chain_id(&self) -> u64;

    /// Submits a block for inclusion. Submitting the same block again is harmless: it is posted once.
    ///
    /// # Errors
    /// [`ChainError::Rejected`] when the contract would not take it, said before anything is spent.
    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError>;

    /// Does what has become due for the blocks that were submitted: sends again what was dropped, pays more for what is
    /// stuck. Whoever follows the chain calls this between its questions; a chain that needs no care does nothing.
    ///
    /// # Errors
    /// As for [`Self::post`]: a block that was submitted can't be posted any more, or not at the moment.
    fn tend(&self) -> Result<(), ChainError> {
        Ok(())
    }

    /// How far a block has come here. Genesis is final from the contract's deployment on.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn status(&self, number: BlockNumber) -> Result<PostStatus, ChainError>;

    /// The chain's own progress.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn head(&self) -> Result<Head, ChainError>;

    /// The state root that the contract itself answers for a block, or `None` when the block has not come as far as `at`.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError>;
}

/// Which of the chain's states is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The newest one, which a reorganisation can still undo.
    Latest,
    /// The finalised one.
    Finalized,
}

/// How far the base chain and the contract on it have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The newest base-chain block.
    pub height: u64,
    /// The newest finalised base-chain block.
    pub finalized_height: u64,
    /// The newest rollup block that the contract holds at `height`.
    pub settled: BlockNumber,
}

/// How far one rollup block has come on the base chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostStatus {
    /// Never submitted here, or forgotten since.
    Unknown,
    /// Submitted, in no base-chain block yet.
    Pending,
    /// In a base-chain block that is not final.
    Posted(Inclusion),
    /// In a final base-chain block.
    Final(Inclusion),
    /// Included, and reverted by the contract.
    Reverted(contract::ContractError),
}

/// Where a block was included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inclusion {
    /// The base-chain block.
    pub height: u64,
    /// Gas the whole transaction used.
    pub gas_used: u64,
}

/// Why the base chain did not answer as hoped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The contract would revert.
    #[error("the contract rejects block {number}: {error}")]
    Rejected {
        /// The block.
        number: BlockNumber,
        /// The contract's own reason.
        error: contract::ContractError,
    },
    /// So many of the chain's validators won't vote for it that it can't be posted.
    #[error("the validators refuse block {number}: {what}")]
    Refused {
        /// The block.
        number: BlockNumber,
        /// What one of them found.
        what: String,
    },
    /// The chain's validators have decided two blocks for one height, which a third of the stake that votes twice can bring
    /// about. Nothing goes on there.
    #[error("the chain has forked: {what}")]
    Forked {
        /// What was decided.
        what: String,
    },
    /// The chain's history on disk is damaged, and not as a crash damages it.
    #[error("the chain's history {path} is damaged: {what}")]
    Corrupt {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// What stands on the base chain is not this deployment's contract.
    #[error("{address} on chain {chain_id}: {what}")]
    WrongContract {
        /// Where.
        address: contract::Address,
        /// On which chain.
        chain_id: u64,
        /// What is there instead.
        what: String,
    },
    /// Two nodes answer different roots for one block: one of them lies, or follows another chain. Neither is believed.
    #[error(
        "two nodes contradict each other on block {number}: {} says {}, {} says {}; take the one out that lies",
        claims[0].0, claims[0].1, claims[1].0, claims[1].1
    )]
    Disagreement {
        /// The block.
        number: BlockNumber,
        /// Each node, and the root that it answers.
        claims: Box<[(String, StateRoot); 2]>,
    },
    /// The base chain's price for gas is over the limit that the operator set. Posting goes on once it is below.
    #[error("{of} costs {needed} wei, the limit is {limit}: wait, or raise the limit")]
    FeeTooHigh {
        /// Gas, or that for blobs.
        of: &'static str,
        /// Wei for a gas that would do.
        needed: u128,
        /// The most that may be paid.
        limit: u128,
    },
    /// The posting account can't pay.
    #[error("the account {account} has {got} wei, a transaction may take {needed}: send it some")]
    Funds {
        /// The account.
        account: contract::Address,
        /// Wei that it must have.
        needed: u128,
        /// Wei that it has.
        got: u128,
    },
    /// Nothing was signed.
    #[error("a transaction can't be signed: {what}")]
    Signer {
        /// Why.
        what: String,
    },
    /// A node of the base chain can't be reached, or refuses what was asked.
    #[error("{endpoint}: {what}")]
    Node {
        /// The node, without what is secret in its URL.
        endpoint: String,
        /// What happened, in its own words where it has some.
        what: String,
    },
    /// What was asked cannot be done here: the files are missing, in use or of another deployment, the chain is read-only,
    /// or a limit is exceeded.
    #[error("{0}")]
    Misuse(String),
    /// The environment failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

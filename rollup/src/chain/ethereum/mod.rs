//! Ethereum, and chains that speak as it does, over JSON-RPC.
//!
//! ```text
//! connect ─▶ Connection ─ deploy ─▶ address
//!                 │                   │
//!                 ├────── open ◀──────┘   checks code, key and genesis; follows and posts
//!                 └────── read            follows only
//! ```
//!
//! The newest state that was read counts for [`EthereumSettings::poll`]; what is said of a block is said of that state,
//! read at one height. A block is final when the contract's state in the finalised block has it, never by a number of
//! blocks on top. Nothing is kept on disk: which blocks stand is the contract's to say, and posting one again that is
//! on its way already is harmless. Nobody waits for what another thread asks a node: whoever finds the state being read
//! goes by the one before it, and what is on its way is told as the poster left it.
//!
//! Of alloy there are the transactions and their encoding; HTTP is a blocking client (`ureq`), so that no async runtime
//! comes into the host's process, and answers have bounds.

mod beacon;
mod blobs;
mod deploy;
mod endpoint;
mod fees;
mod key;
mod measures;
mod node;
mod nodes;
mod poster;
mod queue;
mod rpc;
mod settings;
mod view;

pub use beacon::{Beacon, PublishedDelta};
pub use blobs::Deltas;
pub use endpoint::{Endpoint, EndpointError};
pub use key::{Account, Password};
pub use settings::EthereumSettings;
pub use view::Standing;

use super::{
    At, BaseChain, ChainError, Head, Inclusion, PostStatus,
    contract::{self, Call, ContractError},
};
use crate::{block::ProvenBlock, proof::VerificationKey};
use alloy_primitives::Address;
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_storage::Clock;
use measures::Measures;
use node::{Simulated, Tag};
use nodes::Nodes;
use parking_lot::Mutex;
use queue::{Queue, Waiting};
use rpc::RpcError;
use std::{fmt, sync::Arc};
use view::View;

/// A chain that can be reached.
pub struct Connection {
    nodes: Nodes,
    chain_id: u64,
    settings: EthereumSettings,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("chain_id", &self.chain_id)
            .field("settings", &self.settings)
            .finish()
    }
}

impl Connection {
    /// Asks the nodes which chain they are of.
    ///
    /// # Errors
    /// None answers, or they are of different chains.
    pub fn new(settings: EthereumSettings, clock: Arc<dyn Clock>) -> Result<Self, ChainError> {
        let nodes = Nodes::new(&settings);
        let chain_id = nodes.chain_id()?;
        Ok(Self { nodes, chain_id, settings, clock })
    }

    /// To a chain whose id is known from before: no node has to answer yet. When one does, it is held to that id.
    #[must_use]
    pub fn known(settings: EthereumSettings, clock: Arc<dyn Clock>, chain_id: u64) -> Self {
        Self { nodes: Nodes::new(&settings), chain_id, settings, clock }
    }

    /// The EIP-155 id of the chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Attaches to the contract of a deployment, to post blocks from an account. Where no node answers, what stands there is
    /// looked at when one does, before anything else is asked or sent.
    ///
    /// # Errors
    /// The chain has another id, or what stands at the address has other code, another verification key or another genesis.
    pub fn open(
        self,
        account: Account,
        contract: contract::Address,
        key: &[[u8; 32]; VerificationKey::WORDS],
        genesis: StateRoot,
    ) -> Result<EthereumChain, ChainError> {
        let chain = EthereumChain::new(self, Some(account), contract);
        *chain.unseen.lock() = Some(Deployed { key: *key, genesis });
        match chain.see() {
            Err(error @ ChainError::Node { .. }) => {
                tracing::warn!(%error, "the chain can't be asked; the contract is looked at when it can");
                Ok(chain)
            }
            seen => seen.map(|()| chain),
        }
    }

    /// Attaches to a contract to read what it holds.
    ///
    /// # Errors
    /// What stands at the address is no settlement contract, or the chain can't be asked.
    pub fn read(self, contract: contract::Address) -> Result<EthereumChain, ChainError> {
        let chain = EthereumChain::new(self, None, contract);
        chain.key()?;
        Ok(chain)
    }
}

/// What a deployment's contract was deployed with.
struct Deployed {
    key: [[u8; 32]; VerificationKey::WORDS],
    genesis: StateRoot,
}

/// The contract on a chain; see the [module](self).
pub struct EthereumChain {
    connection: Connection,
    account: Option<Account>,
    contract: Address,
    /// What goes out beside each block, in blobs.
    deltas: Option<Arc<dyn Deltas>>,
    /// What must stand there, until it was seen to. Held while a node is asked for it.
    unseen: Mutex<Option<Deployed>>,
    /// The newest state of the chain that was read, and when. Held for a moment only.
    view: Mutex<Option<(View, u64)>>,
    /// Held by whoever reads a newer one.
    looking: Mutex<()>,
    /// The poster's, held while it asks and sends.
    queue: Mutex<Queue>,
    /// How the queue was left. Held for a moment only.
    waiting: Mutex<Waiting>,
    measures: Measures,
}

impl fmt::Debug for EthereumChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EthereumChain")
            .field("connection", &self.connection)
            .field("account", &self.account)
            .field("contract", &self.contract)
            .finish_non_exhaustive()
    }
}

impl EthereumChain {
    fn new(connection: Connection, account: Option<Account>, contract: contract::Address) -> Self {
        Self {
            connection,
            account,
            contract: contract.0.into(),
            deltas: None,
            unseen: Mutex::default(),
            view: Mutex::default(),
            looking: Mutex::default(),
            queue: Mutex::default(),
            waiting: Mutex::default(),
            measures: Measures::new(),
        }
    }

    /// Publishes what each block does to the accounts beside it, in blobs, where the chain has them. The account's key must
    /// be in a keystore.
    #[must_use]
    pub fn with_blobs(self, deltas: Arc<dyn Deltas>) -> Self {
        Self { deltas: Some(deltas), ..self }
    }

    /// Looks once whether what stands there is this deployment's.
    fn see(&self) -> Result<(), ChainError> {
        let mut unseen = self.unseen.lock();
        let Some(Deployed { key, genesis }) = &*unseen else { return Ok(()) };
        let chain_id = self.nodes().chain_id()?;
        if chain_id != self.connection.chain_id {
            return Err(self.wrong_contract(&format!("the nodes are of chain {chain_id}")));
        }
        if self.key()? != *key {
            return Err(
                self.wrong_contract("it checks proofs with another verification key than this deployment's")
            );
        }
        let found =
            self.nodes().ask(|node| node.state_root(self.contract, BlockNumber::GENESIS, Tag::Latest))?;
        if found != Some(*genesis) {
            return Err(self.wrong_contract("it began with another state than this deployment's"));
        }
        *unseen = None;
        Ok(())
    }

    const fn nodes(&self) -> &Nodes {
        &self.connection.nodes
    }

    const fn settings(&self) -> &EthereumSettings {
        &self.connection.settings
    }

    /// The contract's address.
    #[must_use]
    pub fn contract(&self) -> contract::Address {
        contract::Address(self.contract.into_array())
    }

    /// The verification key in the contract's code.
    ///
    /// # Errors
    /// What stands there is no settlement contract, or the chain can't be asked.
    pub fn key(&self) -> Result<[[u8; 32]; VerificationKey::WORDS], ChainError> {
        let code = self.nodes().ask(|node| node.code(self.contract, Tag::Latest))?;
        contract::key_in_code(&code).ok_or_else(|| {
            self.wrong_contract(match code.len() {
                0 => "there is no contract: give the address that `deploy` printed, on this chain",
                _ => "the code there is not the settlement contract's",
            })
        })
    }

    fn wrong_contract(&self, what: &str) -> ChainError {
        ChainError::WrongContract {
            address: self.contract(),
            chain_id: self.connection.chain_id,
            what: what.into(),
        }
    }

    /// What the contract would say to a block in its state at `height`, from its own sequencer. Nothing is sent.
    ///
    /// # Errors
    /// The chain can't be asked.
    pub fn would_take(
        &self,
        block: &ProvenBlock,
        height: u64,
    ) -> Result<Result<(), ContractError>, ChainError> {
        let from = self.sequencer(Tag::Height(height))?;
        let calldata = Call::post_block(block.statement(), block.proof()).encode();
        self.simulate(from, &calldata, height)
    }

    /// What the contract would say in the state that made somebody ask: in a newer one the block may stand already, which
    /// is no refusal.
    fn simulate(
        &self,
        from: Address,
        calldata: &[u8],
        height: u64,
    ) -> Result<Result<(), ContractError>, ChainError> {
        let call =
            Simulated { from: Some(from), to: self.contract, calldata, gas: self.settings().gas_limit };
        Ok(self.nodes().ask(|node| node.call(&call, Tag::Height(height)))?.map(|_| ()))
    }

    /// Where a block was included, by the contract's event.
    fn inclusion(&self, number: BlockNumber, view: &View) -> Result<Inclusion, ChainError> {
        // It is behind the node that said so, or a reorganisation came in between.
        let lacks =
            || RpcError::Unreachable(format!("it has no event for block {number}, which stands there"));
        let receipt = self.nodes().ask(|node| {
            let hash = node.posted_by(self.contract, number, view.height)?.ok_or_else(lacks)?;
            node.receipt(hash)?.ok_or_else(lacks)
        });
        let receipt = receipt.inspect_err(|_| *self.view.lock() = None)?;
        Ok(Inclusion { height: receipt.block_number.to(), gas_used: receipt.gas_used.to() })
    }
}

impl BaseChain for EthereumChain {
    fn chain_id(&self) -> u64 {
        self.connection.chain_id
    }

    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError> {
        self.with_queue(|queue, view| {
            self.enqueue(queue, view, block)?;
            self.drive(queue, view)
        })
    }

    fn tend(&self) -> Result<(), ChainError> {
        self.with_queue(|queue, view| self.drive(queue, view))
    }

    fn status(&self, number: BlockNumber) -> Result<PostStatus, ChainError> {
        let view = self.look()?;
        if number > view.settled {
            return Ok(self.waiting.lock().status(number, view.settled));
        }
        // No block of ours made genesis, so there is no place of it to tell.
        let inclusion = match number {
            BlockNumber::GENESIS => Inclusion { height: 0, gas_used: 0 },
            number => self.inclusion(number, &view)?,
        };
        // One node's word for it would not do.
        let is_final = view.settled_final.is_some_and(|settled| number <= settled)
            && inclusion.height <= view.finalized_height
            && self.nodes().state_root(self.contract, number, At::Finalized)?.is_some();
        Ok(if is_final { PostStatus::Final(inclusion) } else { PostStatus::Posted(inclusion) })
    }

    fn head(&self) -> Result<Head, ChainError> {
        let View { height, finalized_height, settled, .. } = self.look()?;
        Ok(Head { height, finalized_height, settled })
    }

    fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        let view = self.look()?;
        let newest = match at {
            At::Latest => Some(view.settled),
            At::Finalized => view.settled_final,
        };
        if newest.is_none_or(|newest| newest < number) {
            return Ok(None);
        }
        self.nodes().state_root(self.contract, number, at)
    }
}

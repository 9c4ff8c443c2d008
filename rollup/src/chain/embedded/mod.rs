//! A base chain in this process: the settlement contract's own bytecode in an EVM, slots, finality, and a history on
//! disk. It is for running Arterial without a network, for benchmarks, and as the model that other chains are held
//! against. It is no network: whoever runs the process runs all of it, its validators too.
//!
//! There is no thread behind this: every call first does what has become due by its clock. A clock that runs backwards
//! stops the chain until it has caught up.
//!
//! # One node
//! Time is cut into slots, counted from the chain's creation; every slot has one block, whose height is the slot's
//! number. A transaction goes into the block of the slot after the one in which it was submitted, and a block is final
//! when the clock is [`EmbeddedConfig::finality_slots`] past it. [`EmbeddedChain::reorganise`] takes newer ones away.
//!
//! # Validators
//! With [`EmbeddedConfig::validators`] the chain is a proof-of-stake chain whose validators are all in this process. They
//! agree by Tendermint (<https://arxiv.org/abs/1807.04938>): proposers take turns by stake, everybody checks a block and
//! votes with Ed25519, and a block is decided by more than two thirds of the stake. What is decided is final at once, so
//! a post is [pending](PostStatus::Pending) and then [final](PostStatus::Final); there is nothing to reorganise, and with
//! a third of the stake offline nothing is decided at all. The state machine is Malachite's, `arc-malachitebft-core-driver`,
//! pinned to an alpha: it is for consortia to start from, for demonstrations and for tests.
//!
//! Before it votes for a block with a post, each validator [checks](Check) for itself what was published of the rollup's
//! block, with the proof that every record of its batches follows the rules, as the validators of a consortium's chain
//! would; the contract alone knows nothing of accounts. They check in whichever call finds a block due, which then takes
//! as long as that. A block that more than a third refuses is [never posted](ChainError::Refused).
//!
//! Who says two things where it may say one is convicted by its own signatures in the next block, and loses all its stake.
//! [`Conduct`] lets a validator be offline, late, two-faced, a censor or careless. Everything follows from the seed, the
//! clock, and the calls.
//!
//! Heights are counted by what is decided, not by slots: the validators begin with a height in the slot after something
//! was submitted, and rest while nothing is. Messages between them take from a 64th to a 16th of a slot.
//!
//! # History
//! `history.log`, little-endian; blocks without transactions are not in it, but for those of validators. Numbers of the
//! contract's own (roots, key, storage) are big-endian as the EVM has them.
//!
//! ```text
//! header  "ARTCHAIN" │ version u32 │ chain_id u64 │ slot_ms u64 │ finality_slots u64 │ seed u64 │ genesis_ms u64
//!         │ BLAKE3 of the contract's bytecode [32] │ genesis state root [32] │ verification key 22 × [32]
//!         │ 128 × stake u64, 0 where there is no such validator │ crc u32
//! frame   length u32 │ crc of length u32 │ crc of content u32 │ content
//! content = 1u8 │ block
//!         | 2u8 │ height u64                                                 every block up to here is final
//!         | 3u8 │ height u64                                                 every block above it was taken away
//!         | 4u8 │ records, one or more                                       what validators did
//! block       = height u64 │ n u32 │ n × transaction │ m u32 │ m × account
//! transaction = caller [20] │ calldata: text │ success u8 │ gas u64 │ answer: text
//! account     = address [20] │ nonce u64 │ k u32 │ k × (place [32], value [32])        after the block
//! text        = length u32 │ bytes
//!
//! record  = 1u8 │ ballot │ if it is a proposal: candidate                    a validator says something
//!         | 2u8 │ validator u32 │ 0u8                                        it begins with the height
//!         | 2u8 │ validator u32 │ 1u8 invalid, 2u8 valid │ message u32       it hears the height's message with this number
//!         | 2u8 │ validator u32 │ 3u8 propose, 4u8 prevote, 5u8 precommit │ round u32      it has waited
//!         | 3u8 │ ballot │ ballot                                            two that convict
//!         | 4u8 │ validator u32 │ number u64 │ root [32] │ why: text         it won't vote for a block of the rollup
//!         | 5u8 │ certificate                                                the height is decided
//!         | 6u8 │ text                                                       the chain has forked
//! ballot      = validator u32 │ height u64 │ round u32 │ 0u8 proposal, 1u8 prevote, 2u8 precommit
//!             │ 0u8, [0; 32] or 1u8, block id [32] │ 0u8, 0u32 or 1u8, earlier round u32 │ signature [64]
//! candidate   = parent's block id [32] │ slot u64 │ n u32 │ n × (ballot, ballot) │ block
//! certificate = height u64 │ round u32 │ block id [32] │ n u32 │ n × (validator u32, signature [64])
//! ```
//!
//! Checksums are CRC-32C. A frame is appended and synced before anybody is told of the block, or of its finality; and of
//! what validators say, before it is sent. Opening deploys the contract again from the header and applies the accounts of
//! every block; it runs no transaction again, but checks every certificate, which is of the accounts too. Then it tells every
//! validator again what it heard of the height that's not decided, so that it goes on as if nothing had been and never says
//! two things. What a crash tore off the end is cut; damage before the end is [`ChainError::Corrupt`]. Transactions that are
//! in no block yet are forgotten at a restart, as a node forgets its pool.

mod check;
mod consensus;
mod evm;
mod frame;
mod history;
mod ledger;
mod standing;
#[cfg(test)]
mod tests;

pub use check::{Check, Verdict};
pub use consensus::{Conduct, STAKE_MAX, VALIDATORS_MAX};
pub use standing::{Decided, Standing, ValidatorStanding};

use super::{
    At, BaseChain, ChainError, Head, PostStatus,
    contract::{Address, Call, ContractError},
};
use crate::{block::ProvenBlock, proof::VerificationKey};
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_storage::{Clock, Storage};
use consensus::{Agreed, Consensus, Consortium, ReadOnly, Slots, pending_post};
use evm::Executed;
use frame::Header;
use history::{History, Writer};
use ledger::Ledger;
use parking_lot::{Mutex, MutexGuard};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The account that posts blocks here, and the contract's first sequencer.
pub const SEQUENCER: Address = Address(*b"arterial sequencer  ");

/// Transactions in one block.
pub const TRANSACTIONS_MAX: usize = 256;
/// Calldata of one transaction; a block's proof takes 356 bytes.
pub const CALLDATA_BYTES_MAX: usize = 16 << 10;
/// Content of one frame of the history.
const FRAME_BYTES_MAX: usize = 8 << 20;
// Beside its calldata, a transaction has a short answer and changes a few words.
const _: () = assert!(TRANSACTIONS_MAX * (CALLDATA_BYTES_MAX + 4096) <= FRAME_BYTES_MAX);

/// What makes one embedded chain differ from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmbeddedConfig {
    /// Its EIP-155 id.
    pub chain_id: u64,
    /// Milliseconds from one block to the next; at least 1.
    pub slot_ms: u64,
    /// Slots from a block to its finality. With validators, what is decided is final.
    pub finality_slots: u64,
    /// The stake of each validator, from 1 to [`STAKE_MAX`]; at most [`VALIDATORS_MAX`] of them, none by default.
    pub validators: Vec<u64>,
    /// What the validators' keys follow from, and the order of what happens between them. Nothing here is secret: all of
    /// them are in this process.
    pub seed: u64,
}

impl Default for EmbeddedConfig {
    /// One second to a block, two blocks to finality, chain 1337 as development chains have it, no validators.
    fn default() -> Self {
        Self { chain_id: 1337, slot_ms: 1000, finality_slots: 2, validators: Vec::new(), seed: 0 }
    }
}

impl EmbeddedConfig {
    /// Whether there can be such a chain, or what is wrong.
    fn check(&self) -> Result<(), ChainError> {
        if self.slot_ms == 0 {
            return Err(ChainError::Misuse("slot_ms: expected at least 1, got 0".into()));
        }
        let got = self.validators.len();
        if got > VALIDATORS_MAX {
            let what = format!("validators: expected at most {VALIDATORS_MAX}, got {got}");
            return Err(ChainError::Misuse(what));
        }
        match self.validators.iter().find(|stake| !(1..=STAKE_MAX).contains(*stake)) {
            Some(got) => {
                let what = format!("the stake of a validator: expected 1 to {STAKE_MAX}, got {got}");
                Err(ChainError::Misuse(what))
            }
            None => Ok(()),
        }
    }
}

/// A call of the contract by somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Who sends it.
    pub caller: Address,
    /// What the contract gets, at most [`CALLDATA_BYTES_MAX`] bytes.
    pub calldata: Vec<u8>,
}

/// What came of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Gas of the whole transaction, calldata and the base price included.
    pub gas_used: u64,
    /// The contract's answer.
    pub result: Result<Vec<u8>, ContractError>,
}

impl Transaction {
    fn digest(&self) -> [u8; 32] {
        *blake3::Hasher::new().update(&self.caller.0).update(&self.calldata).finalize().as_bytes()
    }
}

/// What a transaction that was sent is known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransactionId {
    digest: [u8; 32],
    /// How many like it were sent before.
    copy: usize,
}

/// The base chain in this process; see the [module](self).
pub struct EmbeddedChain {
    config: EmbeddedConfig,
    node: Mutex<Node>,
}

/// The chain as it is, and what makes its next blocks.
struct Node {
    ledger: Ledger,
    consensus: Box<dyn Consensus>,
}

impl Node {
    fn simulate(&self, transaction: &Transaction) -> Result<Executed, ChainError> {
        self.ledger.simulate(self.consensus.pool(), transaction)
    }

    fn submit(&mut self, transaction: Transaction, executed: Executed) -> Result<TransactionId, ChainError> {
        let id = self.ledger.identify(self.consensus.pool(), &transaction);
        self.consensus.submit(&self.ledger, transaction, executed)?;
        Ok(id)
    }
}

impl EmbeddedChain {
    /// Starts a chain in a directory that has none, with the contract deployed at height 0 for a verification key by its
    /// [words](VerificationKey::words).
    ///
    /// # Errors
    /// There is a chain already, the contract refuses key or root, or the disk fails.
    pub fn create(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        config: EmbeddedConfig,
        genesis_state_root: StateRoot,
        key: &[[u8; 32]; VerificationKey::WORDS],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChainError> {
        config.check()?;
        let genesis_ms = clock.now_ms();
        let code = Header::own_code();
        let header =
            Header { config: config.clone(), genesis_ms, code, genesis: genesis_state_root, key: *key };
        let ledger = Ledger::new(&header)?;
        storage.create_dir(dir).map_err(|source| history::failure("creating", dir, source))?;
        let writer = Writer::create(Arc::clone(storage), dir, &header)?;
        let consensus =
            consensus(&header, Agreed::genesis(&header), writer, clock).map_err(ChainError::Misuse)?;
        Ok(Self { config, node: Mutex::new(Node { ledger, consensus }) })
    }

    /// Gives every validator of the chain what it checks blocks with; until then, a chain that has any posts nothing.
    #[must_use]
    pub fn with_check(self, check: Box<dyn Check>) -> Self {
        if let Some(consortium) = self.node.lock().consensus.consortium() {
            consortium.check_with(check);
        }
        self
    }

    /// Lets a validator behave in some way from now on. False if there is no such one in this process.
    pub fn set_conduct(&self, validator: u32, conduct: Conduct) -> bool {
        let mut node = self.node.lock();
        node.consensus.consortium().is_some_and(|consortium| consortium.set_conduct(validator, conduct))
    }

    /// How the validators stand, by what is on record; `None` of a chain that has none.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.node.lock().consensus.agreed().map(Agreed::standing)
    }

    /// Where a chain's history is.
    #[must_use]
    pub fn history_path(dir: &Path) -> PathBuf {
        history::path(dir)
    }

    /// The configuration of the chain in a directory.
    ///
    /// # Errors
    /// There is none, or its header is damaged.
    pub fn stored_config(storage: &dyn Storage, dir: &Path) -> Result<EmbeddedConfig, ChainError> {
        History::open(storage, dir).map(|(header, _)| header.config)
    }

    /// Whether a directory has a chain.
    ///
    /// # Errors
    /// The storage can't tell.
    pub fn exists(storage: &dyn Storage, dir: &Path) -> Result<bool, ChainError> {
        let path = history::path(dir);
        storage.exists(&path).map_err(|source| history::failure("opening", &path, source))
    }

    /// Goes on with a chain from its history.
    ///
    /// # Errors
    /// The history is another chain's, was made with another contract, is damaged, missing or in use.
    pub fn open(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChainError> {
        if !Self::exists(&**storage, dir)? {
            return Err(history::missing(&history::path(dir)));
        }
        let lock = history::take_lock(&**storage, dir)?;
        let (header, mut history) = History::open(&**storage, dir)?;
        if header.config != config {
            let got = &header.config;
            return Err(ChainError::Misuse(format!(
                "{} is of another chain: expected {config:?}, got {got:?}",
                dir.display()
            )));
        }
        let (ledger, agreed) = Ledger::replay(&header, &mut history, u64::MAX)?;
        let writer = Writer::resume(Arc::clone(storage), dir, lock, &history)?;
        let consensus = consensus(&header, agreed, writer, clock).map_err(|what| history.corrupt(&what))?;
        Ok(Self { config, node: Mutex::new(Node { ledger, consensus }) })
    }

    /// Reads a chain's history as it is now, also while another process writes it: what an auditor does.
    ///
    /// Takes no lock, writes nothing, follows nothing that is appended later. It has no clock: final is what the writer
    /// recorded as final. Nothing can be sent to it.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_read_only(storage: &dyn Storage, dir: &Path) -> Result<Self, ChainError> {
        let (header, mut history) = History::open(storage, dir)?;
        let (ledger, agreed) = Ledger::replay(&header, &mut history, u64::MAX)?;
        let consensus = Box::new(ReadOnly::new(agreed));
        Ok(Self { config: header.config, node: Mutex::new(Node { ledger, consensus }) })
    }

    /// Submits a transaction of any account, as anybody can on any chain. It is included even when the contract reverts it.
    ///
    /// # Errors
    /// It or its block is over the limits, the chain is read-only, or its disk failed.
    pub fn send(&self, transaction: Transaction) -> Result<TransactionId, ChainError> {
        let mut node = self.node()?;
        let executed = node.simulate(&transaction)?;
        node.submit(transaction, executed)
    }

    /// What would come of a transaction in the next block, after those submitted already. Nothing is sent.
    ///
    /// # Errors
    /// It is over the limits, or the chain's disk failed.
    pub fn simulate(&self, transaction: &Transaction) -> Result<Outcome, ChainError> {
        Ok(self.node()?.simulate(transaction)?.receipt.outcome())
    }

    /// Takes the newest `depth` blocks away, but no final one, as a reorganisation of a chain with more nodes
    /// would, and forgets what is in no block yet. Those who follow a chain must bear it.
    ///
    /// # Errors
    /// The chain is read-only, or its disk failed.
    pub fn reorganise(&self, depth: u64) -> Result<(), ChainError> {
        let mut node = self.node()?;
        let Node { ledger, consensus } = &mut *node;
        consensus.reorganise(ledger, depth)
    }

    /// What came of a transaction, or `None` while it is in no block.
    ///
    /// # Errors
    /// The chain's disk failed.
    pub fn outcome(&self, id: TransactionId) -> Result<Option<Outcome>, ChainError> {
        Ok(self.node()?.ledger.outcome(id))
    }

    /// The chain as it is now by its clock.
    fn node(&self) -> Result<MutexGuard<'_, Node>, ChainError> {
        let mut node = self.node.lock();
        let Node { ledger, consensus } = &mut *node;
        consensus.advance(ledger)?;
        Ok(node)
    }
}

/// How the blocks of a chain come to be, from where its history ends; or what does not fit in that.
fn consensus(
    header: &Header,
    agreed: Option<Agreed>,
    writer: Writer,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Consensus>, String> {
    Ok(match agreed {
        None => Box::new(Slots::new(header, writer, clock)),
        Some(agreed) => Box::new(Consortium::new(header, agreed, writer, clock)?),
    })
}

impl BaseChain for EmbeddedChain {
    fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError> {
        let (statement, proof) = (block.statement(), block.proof());
        let (number, root) = (statement.number, statement.new_state_root);
        let mut node = self.node()?;
        if pending_post(node.consensus.pool(), number) == Some(root.0.to_be_bytes())
            || node.ledger.state_root(number, At::Latest)? == Some(root)
        {
            return Ok(());
        }
        let calldata = Call::post_block(statement, proof).encode();
        let transaction = Transaction { caller: SEQUENCER, calldata };
        let executed = node.simulate(&transaction)?;
        executed.receipt.outcome().result.map_err(|error| ChainError::Rejected { number, error })?;
        node.submit(transaction, executed).map(|_| ())
    }

    fn status(&self, number: BlockNumber) -> Result<PostStatus, ChainError> {
        let node = self.node()?;
        Ok(match node.ledger.status(number) {
            PostStatus::Unknown | PostStatus::Reverted(_)
                if pending_post(node.consensus.pool(), number).is_some() =>
            {
                PostStatus::Pending
            }
            status => status,
        })
    }

    fn head(&self) -> Result<Head, ChainError> {
        self.node()?.ledger.head()
    }

    fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        self.node()?.ledger.state_root(number, at)
    }
}

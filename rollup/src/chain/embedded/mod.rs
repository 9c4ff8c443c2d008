//! A base chain in this process: the settlement contract's own bytecode in an EVM, slots, finality, and a history on
//! disk. It is for running Arterial without a network, for benchmarks, and as the model that other chains are held
//! against. It is no network: whoever runs the process runs all of it, its validators too.
//!
//! Time is cut into slots, counted from the chain's creation; every slot has one block, whose height is the slot's
//! number. A transaction goes into the block of the slot after the one in which it was submitted, and a block is final
//! when the clock is [`EmbeddedConfig::finality_slots`] past it. There is no thread behind this: every call first does
//! what has become due by its clock. A clock that runs backwards stops the chain until it has caught up.
//!
//! # Validators
//! With [`EmbeddedConfig::validators`] a block becomes final only when, besides, two thirds of so many validators of equal
//! stake attest it. Each checks for itself what was published of the rollup's blocks in it, with the proof that every
//! record of their batches follows the rules, as the validators of a consortium's chain would; the contract alone knows
//! nothing of accounts. They check in whichever call finds a block due, which then takes as long as that. What they said is
//! not on disk: after a restart they check again what is not final.
//!
//! # History
//! `history.log`, little-endian; blocks without transactions are not in it. Numbers of the contract's own (roots,
//! key, storage) are big-endian as the EVM has them.
//!
//! ```text
//! header  "ARTCHAIN" │ version u32 │ chain_id u64 │ slot_ms u64 │ finality_slots u64 │ validators u64 │ genesis_ms u64
//!         │ BLAKE3 of the contract's bytecode [32] │ genesis state root [32] │ verification key 22 × [32] │ crc u32
//! frame   length u32 │ crc of length u32 │ crc of content u32 │ content
//! content = 1u8 │ height u64 │ n u32 │ n × transaction │ m u32 │ m × account                     a block
//!         | 2u8 │ height u64                                                 every block up to here is final
//!         | 3u8 │ height u64                                                 every block above it was taken away
//! transaction = caller [20] │ calldata: length u32, bytes │ success u8 │ gas u64 │ answer: length u32, bytes
//! account     = address [20] │ nonce u64 │ k u32 │ k × (place [32], value [32])        after the block
//! ```
//!
//! Checksums are CRC-32C. A frame is appended and synced before anybody is told of the block, or of its finality.
//! Opening deploys the contract again from the header and applies the accounts of every frame; it runs no transaction
//! again. What a crash tore off the end is cut; damage before the end is [`ChainError::Corrupt`]. Transactions that are
//! in no block yet are forgotten at a restart, as a node forgets its pool.

mod evm;
mod frame;
mod history;
mod ledger;
#[cfg(test)]
mod tests;
mod validators;

pub use validators::{Check, VALIDATORS_MAX, Verdict};

use super::{
    At, BaseChain, ChainError, Head, PostStatus,
    contract::{Address, Call, ContractError},
};
use crate::{block::ProvenBlock, proof::VerificationKey};
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_storage::{Clock, Storage};
use frame::Header;
use history::{History, Writer};
use ledger::Ledger;
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use validators::Validators;

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EmbeddedConfig {
    /// Its EIP-155 id.
    pub chain_id: u64,
    /// Milliseconds from one block to the next; at least 1.
    pub slot_ms: u64,
    /// Slots from a block to its finality.
    pub finality_slots: u64,
    /// Validators that must attest a block, by two thirds, before it is final; none by default, at most
    /// [`VALIDATORS_MAX`].
    pub validators: u32,
}

impl Default for EmbeddedConfig {
    /// One second to a block, two blocks to finality, chain 1337 as development chains have it, no validators.
    fn default() -> Self {
        Self { chain_id: 1337, slot_ms: 1000, finality_slots: 2, validators: 0 }
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

/// Where a transaction will be found once its block exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransactionId {
    height: u64,
    index: usize,
}

/// The base chain in this process; see the [module](self).
pub struct EmbeddedChain {
    config: EmbeddedConfig,
    ledger: Mutex<Ledger>,
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
        if config.slot_ms == 0 {
            return Err(ChainError::Misuse("slot_ms: expected at least 1, got 0".into()));
        }
        if config.validators > VALIDATORS_MAX {
            let got = config.validators;
            return Err(ChainError::Misuse(format!(
                "validators: expected at most {VALIDATORS_MAX}, got {got}"
            )));
        }
        let genesis_ms = clock.now_ms();
        let code = Header::own_code();
        let header = Header { config, genesis_ms, code, genesis: genesis_state_root, key: *key };
        let mut ledger = Ledger::new(&header)?;
        storage.create_dir(dir).map_err(|source| history::failure("creating", dir, source))?;
        ledger.write_with(Writer::create(Arc::clone(storage), dir, &header)?, clock);
        Ok(Self { config, ledger: Mutex::new(ledger) })
    }

    /// Gives every validator of the chain what it checks blocks with; until then, a chain that has any finalises nothing.
    #[must_use]
    pub fn with_check(self, check: Box<dyn Check>) -> Self {
        self.ledger.lock().validate_with(Validators::new(self.config.validators, check));
        self
    }

    /// Lets a validator take part or stay away; all take part at first. False if there is no such one.
    pub fn set_online(&self, validator: u32, online: bool) -> bool {
        self.ledger.lock().validators().is_some_and(|validators| validators.set_online(validator, online))
    }

    /// Why the validators refuse a block, if they do: neither it nor any after it becomes final.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.ledger.lock().validators()?.refusal().map(str::to_owned)
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
            let got = header.config;
            return Err(ChainError::Misuse(format!(
                "{} is of another chain: expected {config:?}, got {got:?}",
                dir.display()
            )));
        }
        let mut ledger = Ledger::replay(&header, &mut history, u64::MAX)?;
        ledger.write_with(Writer::resume(Arc::clone(storage), dir, lock, &history)?, clock);
        Ok(Self { config, ledger: Mutex::new(ledger) })
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
        let ledger = Ledger::replay(&header, &mut history, u64::MAX)?;
        Ok(Self { config: header.config, ledger: Mutex::new(ledger) })
    }

    /// Submits a transaction of any account, as anybody can on any chain, and says where it will be included. It is
    /// included even when the contract reverts it.
    ///
    /// # Errors
    /// It or its block is over the limits, the chain is read-only, or its disk failed.
    pub fn send(&self, transaction: Transaction) -> Result<TransactionId, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        let executed = ledger.simulate(&transaction)?;
        ledger.submit(transaction, executed)
    }

    /// What would come of a transaction in the next block, after those submitted already. Nothing is sent.
    ///
    /// # Errors
    /// It is over the limits, or the chain's disk failed.
    pub fn simulate(&self, transaction: &Transaction) -> Result<Outcome, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        Ok(ledger.simulate(transaction)?.receipt.outcome())
    }

    /// Takes the newest `depth` blocks away, but no final one, as a reorganisation of a chain with more validators
    /// would, and forgets what is in no block yet. Those who follow a chain must bear it.
    ///
    /// # Errors
    /// The chain is read-only, or its disk failed.
    pub fn reorganise(&self, depth: u64) -> Result<(), ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        ledger.reorganise(depth)
    }

    /// What came of a transaction, or `None` while it is in no block.
    ///
    /// # Errors
    /// The chain's disk failed.
    pub fn outcome(&self, id: TransactionId) -> Result<Option<Outcome>, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        Ok(ledger.receipt(id).map(frame::Receipt::outcome))
    }
}

impl BaseChain for EmbeddedChain {
    fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError> {
        let (statement, proof) = (block.statement(), block.proof());
        let number = statement.number;
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        if ledger.is_posted(number, statement.new_state_root)? {
            return Ok(());
        }
        let calldata = Call::post_block(statement, proof).encode();
        let transaction = Transaction { caller: SEQUENCER, calldata };
        let executed = ledger.simulate(&transaction)?;
        executed.receipt.outcome().result.map_err(|error| ChainError::Rejected { number, error })?;
        ledger.submit(transaction, executed).map(|_| ())
    }

    fn status(&self, number: BlockNumber) -> Result<PostStatus, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        Ok(ledger.status(number))
    }

    fn head(&self) -> Result<Head, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        ledger.head()
    }

    fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        let mut ledger = self.ledger.lock();
        ledger.advance()?;
        ledger.state_root(number, at)
    }
}

//! The chain itself, given the time: what is pending, included, final.

use super::{
    CALLDATA_BYTES_MAX, EmbeddedConfig, SEQUENCER, TRANSACTIONS_MAX, Transaction, TransactionId,
    evm::{Executed, Place, State, unreadable},
    frame::{Block, Frame, Header, Receipt},
    history::{History, Writer},
    validators::Validators,
};
use crate::chain::{
    At, ChainError, Head, Inclusion, PostStatus,
    contract::{self, Call},
};
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_storage::Clock;
use std::{collections::BTreeMap, sync::Arc};

/// The last slot that a clock can reach, so that counting on from there never overflows.
const SLOT_MAX: u64 = u64::MAX / 2;

pub(super) struct Ledger {
    config: EmbeddedConfig,
    genesis_ms: u64,
    state: State,
    /// What came of every transaction, by height; so memory grows by some hundred bytes a transaction.
    receipts: BTreeMap<u64, Vec<Receipt>>,
    /// Where the contract took each block, or where it last reverted one from [`SEQUENCER`].
    posts: BTreeMap<BlockNumber, TransactionId>,
    /// The newest height; it never goes back, whatever the clock does.
    height: u64,
    finalized_height: u64,
    /// Transactions for the block of height `pending_height`, run on the state that they will meet there.
    pending: Vec<(Transaction, Executed)>,
    pending_height: u64,
    /// Whose word makes blocks final, once they have what they check with.
    validators: Option<Validators>,
    /// A read-only chain has none.
    writer: Option<(Writer, Arc<dyn Clock>)>,
}

impl Ledger {
    /// The chain at height 0.
    pub(super) fn new(header: &Header) -> Result<Self, ChainError> {
        let Header { config, genesis_ms, genesis, key, .. } = header;
        let place = Place { chain_id: config.chain_id, height: 0, timestamp_s: genesis_ms / 1000 };
        let state = State::deploy(place, key, *genesis, SEQUENCER)?;
        let deployment = Receipt { success: true, gas_used: state.deployment_gas, answer: Vec::new() };
        Ok(Self {
            config: *config,
            genesis_ms: *genesis_ms,
            state,
            receipts: BTreeMap::from([(0, vec![deployment])]),
            posts: BTreeMap::from([(BlockNumber::GENESIS, TransactionId { height: 0, index: 0 })]),
            height: 0,
            finalized_height: 0,
            pending: Vec::new(),
            pending_height: 0,
            validators: None,
            writer: None,
        })
    }

    /// The chain as its history says, but for blocks above `kept`; the history is read to its end.
    pub(super) fn replay(header: &Header, history: &mut History, kept: u64) -> Result<Self, ChainError> {
        if header.code != Header::own_code() {
            let [expected, got] = [Header::own_code(), header.code].map(hex::encode);
            let what =
                format!("the history was made with another contract: expected code {expected}, got {got}");
            return Err(ChainError::Misuse(what));
        }
        let mut ledger = Self::new(header)?;
        // Blocks that a reorganisation may take away again wait until it can't.
        let mut undecided: Vec<Block> = Vec::new();
        while let Some(frame) = history.next()? {
            match frame {
                Frame::Block(block) => undecided.push(block),
                Frame::Final(height) => {
                    ledger.finalized_height = ledger.finalized_height.max(height);
                    let first_open = undecided.partition_point(|block| block.height <= height);
                    undecided.drain(..first_open).for_each(|block| ledger.include(block));
                }
                Frame::Reorganised(height) if height < ledger.finalized_height => {
                    return Err(history.corrupt("a reorganisation takes final blocks away"));
                }
                Frame::Reorganised(height) => undecided.retain(|block| block.height <= height),
            }
        }
        undecided.into_iter().filter(|block| block.height <= kept).for_each(|block| ledger.include(block));
        ledger.height = ledger.height.max(ledger.finalized_height).max(history.last_height());
        Ok(ledger)
    }

    /// Takes the newest blocks away, but no final one, and forgets what is pending. Their heights stay empty.
    pub(super) fn reorganise(&mut self, depth: u64) -> Result<(), ChainError> {
        let kept = self.height.saturating_sub(depth).max(self.finalized_height);
        self.pending.clear();
        let writer = &mut self.writer.as_mut().ok_or_else(read_only)?.0;
        if self.receipts.range(kept + 1..).next().is_none() {
            return Ok(());
        }
        let (header, mut history) = writer.history()?;
        let Self { state, receipts, posts, .. } = Self::replay(&header, &mut history, kept)?;
        writer.append(&Frame::Reorganised(kept))?;
        if let Some(validators) = &mut self.validators {
            validators.reorganise(kept);
        }
        (self.state, self.receipts, self.posts) = (state, receipts, posts);
        Ok(())
    }

    /// From here on the chain follows a clock and records what happens.
    pub(super) fn write_with(&mut self, writer: Writer, clock: Arc<dyn Clock>) {
        self.writer = Some((writer, clock));
    }

    pub(super) fn validate_with(&mut self, validators: Validators) {
        self.validators = Some(validators);
    }

    pub(super) const fn validators(&mut self) -> Option<&mut Validators> {
        self.validators.as_mut()
    }

    /// Does what is due by the clock: the pending block, then finality. Every frame is on disk before it counts.
    pub(super) fn advance(&mut self) -> Result<(), ChainError> {
        let Some((writer, clock)) = &mut self.writer else { return Ok(()) };
        writer.check()?;
        let slot = (clock.now_ms().saturating_sub(self.genesis_ms) / self.config.slot_ms).min(SLOT_MAX);
        let height = slot.max(self.height);
        if !self.pending.is_empty() && self.pending_height <= height {
            let frame = Frame::Block(block_of(self.pending_height, &self.pending));
            writer.append(&frame)?;
            self.pending.clear();
            if let Frame::Block(block) = frame {
                self.include(block);
            }
        }
        self.height = height;
        self.finalize()
    }

    fn finalize(&mut self) -> Result<(), ChainError> {
        let finalized = self.attested(self.height.saturating_sub(self.config.finality_slots))?;
        let Some((writer, _)) = &mut self.writer else { return Ok(()) };
        if finalized <= self.finalized_height {
            return Ok(());
        }
        // Recorded only where a block with transactions becomes final: it must stay so whatever a later clock says.
        if self.receipts.range(self.finalized_height + 1..=finalized).next().is_some() {
            writer.append(&Frame::Final(finalized))?;
        }
        self.finalized_height = finalized;
        if let Some(validators) = &mut self.validators {
            validators.finalize(finalized);
        }
        Ok(())
    }

    /// How far two thirds of the validators attest the chain, up to a height; if it has none, all the way.
    fn attested(&mut self, height: u64) -> Result<u64, ChainError> {
        if self.config.validators == 0 || height <= self.finalized_height {
            return Ok(height);
        }
        // Taken out, so that they can check while the state is asked.
        let Some(mut validators) = self.validators.take_if(|validators| validators.has_quorum()) else {
            return Ok(self.finalized_height);
        };
        let attested = self.first_unattested(&mut validators, height);
        self.validators = Some(validators);
        Ok(attested?.map_or(height, |refused| refused - 1))
    }

    fn first_unattested(&self, validators: &mut Validators, height: u64) -> Result<Option<u64>, ChainError> {
        let mut posts = BTreeMap::<u64, Vec<(BlockNumber, StateRoot)>>::new();
        for (&number, id) in &self.posts {
            let open = (self.finalized_height + 1..=height).contains(&id.height);
            if open && self.inclusion(number).is_some_and(|(_, success)| success) {
                let root = self.state_root(number, At::Latest)?;
                posts.entry(id.height).or_default().extend(root.map(|root| (number, root)));
            }
        }
        Ok(posts
            .into_iter()
            .find(|(height, posted)| !validators.attest(*height, posted))
            .map(|(height, _)| height))
    }

    fn include(&mut self, block: Block) {
        let Block { height, transactions, changes } = block;
        self.state.apply(&changes);
        let receipts = transactions.iter().map(|(_, receipt)| receipt.clone()).collect();
        self.receipts.insert(height, receipts);
        self.height = self.height.max(height);
        for (index, (Transaction { caller, calldata }, receipt)) in transactions.iter().enumerate() {
            let Some(Call::PostBlock { number, .. }) = Call::decode(calldata) else { continue };
            // A stranger's revert says nothing of the block, and no revert undoes a post.
            let taken = self.inclusion(number).is_some_and(|(_, success)| success);
            if receipt.success || (*caller == SEQUENCER && !taken) {
                self.posts.insert(number, TransactionId { height, index });
            }
        }
    }

    /// What would come of a transaction in the block that is pending.
    pub(super) fn simulate(&self, transaction: &Transaction) -> Result<Executed, ChainError> {
        let got = transaction.calldata.len();
        if got > CALLDATA_BYTES_MAX {
            let what = format!("calldata: expected at most {CALLDATA_BYTES_MAX} bytes, got {got}");
            return Err(ChainError::Misuse(what));
        }
        let changes = self.pending.iter().map(|(_, executed)| executed.changes.as_slice());
        self.state.execute(changes, self.place(self.height + 1), transaction)
    }

    /// Takes a simulated transaction into the pending block.
    pub(super) fn submit(
        &mut self,
        transaction: Transaction,
        executed: Executed,
    ) -> Result<TransactionId, ChainError> {
        if self.writer.is_none() {
            return Err(read_only());
        }
        let index = self.pending.len();
        if index == TRANSACTIONS_MAX {
            let what = format!("{TRANSACTIONS_MAX} transactions are pending; send again in the next slot");
            return Err(ChainError::Misuse(what));
        }
        // What was pending before this slot is in its block: every call advances first.
        self.pending_height = self.height + 1;
        self.pending.push((transaction, executed));
        Ok(TransactionId { height: self.pending_height, index })
    }

    pub(super) fn receipt(&self, id: TransactionId) -> Option<&Receipt> {
        self.receipts.get(&id.height)?.get(id.index)
    }

    /// Whether the contract has this root for this block, or will have once the pending block exists.
    pub(super) fn is_posted(&self, number: BlockNumber, root: StateRoot) -> Result<bool, ChainError> {
        Ok(self.pending_post(number) == Some(root.0.to_be_bytes())
            || self.state_root(number, At::Latest)? == Some(root))
    }

    fn pending_post(&self, number: BlockNumber) -> Option<[u8; 32]> {
        let taken = self.pending.iter().filter(|(_, executed)| executed.receipt.success);
        let mut calls = taken.filter_map(|(transaction, _)| Call::decode(&transaction.calldata));
        calls.find_map(|call| match call {
            Call::PostBlock { number: posted, new_state_root, .. } if posted == number => {
                Some(new_state_root)
            }
            _ => None,
        })
    }

    pub(super) fn status(&self, number: BlockNumber) -> PostStatus {
        let included = self.inclusion(number);
        match included {
            Some((inclusion, true)) if inclusion.height <= self.finalized_height => {
                PostStatus::Final(inclusion)
            }
            Some((inclusion, true)) => PostStatus::Posted(inclusion),
            _ if self.pending_post(number).is_some() => PostStatus::Pending,
            _ => self.reverted(number).unwrap_or(PostStatus::Unknown),
        }
    }

    /// Where a block was last included, and whether the contract took it.
    fn inclusion(&self, number: BlockNumber) -> Option<(Inclusion, bool)> {
        let id = self.posts.get(&number)?;
        let receipt = self.receipt(*id)?;
        Some((Inclusion { height: id.height, gas_used: receipt.gas_used }, receipt.success))
    }

    fn reverted(&self, number: BlockNumber) -> Option<PostStatus> {
        let outcome = self.receipt(*self.posts.get(&number)?)?.outcome();
        outcome.result.err().map(PostStatus::Reverted)
    }

    pub(super) fn head(&self) -> Result<Head, ChainError> {
        let answer = self.state.ask(self.place(self.height), Call::Latest)?;
        let settled = contract::decode_latest(&answer).map_err(|error| unreadable(&error))?;
        Ok(Head { height: self.height, finalized_height: self.finalized_height, settled })
    }

    pub(super) fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        if at == At::Finalized && !matches!(self.status(number), PostStatus::Final(_)) {
            return Ok(None);
        }
        let answer = self.state.ask(self.place(self.height), Call::StateRoot(number))?;
        contract::decode_state_root(&answer).map_err(|error| unreadable(&error))
    }

    fn place(&self, height: u64) -> Place {
        let EmbeddedConfig { chain_id, slot_ms, .. } = self.config;
        let timestamp_s = self.genesis_ms.saturating_add(height.saturating_mul(slot_ms)) / 1000;
        Place { chain_id, height, timestamp_s }
    }
}

fn read_only() -> ChainError {
    ChainError::Misuse("this chain was opened read-only; open it to send to it".into())
}

/// The block that transactions make, in order; where several changed an account, it ends as the last one left it.
fn block_of(height: u64, pending: &[(Transaction, Executed)]) -> Block {
    let transactions =
        pending.iter().map(|(transaction, executed)| (transaction.clone(), executed.receipt.clone()));
    let changes = pending.iter().flat_map(|(_, executed)| executed.changes.iter().cloned());
    Block { height, transactions: transactions.collect(), changes: changes.collect() }
}

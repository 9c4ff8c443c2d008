//! What the chain's blocks made of it: state, receipts, how far it is final. How blocks come to be is not its business.

use super::{
    CALLDATA_BYTES_MAX, Outcome, SEQUENCER, Transaction, TransactionId,
    consensus::Agreed,
    evm::{Executed, Place, State, unreadable},
    frame::{Block, Frame, Header, Receipt},
    history::History,
};
use crate::chain::{
    At, ChainError, Head, Inclusion, PostStatus,
    contract::{self, Call},
};
use arterial_protocol::{BlockNumber, StateRoot};
use std::{collections::BTreeMap, ops::RangeBounds};

/// Where a transaction stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Position {
    height: u64,
    index: usize,
}

pub(super) struct Ledger {
    chain_id: u64,
    slot_ms: u64,
    genesis_ms: u64,
    state: State,
    /// What came of every transaction, by height; so memory grows by some hundred bytes a transaction.
    receipts: BTreeMap<u64, Vec<Receipt>>,
    /// Where the contract took each block, or where it last reverted one from [`SEQUENCER`].
    posts: BTreeMap<BlockNumber, Position>,
    /// By what a transaction is, everywhere that it stands; the same one may be sent again.
    positions: BTreeMap<[u8; 32], Vec<Position>>,
    /// The newest height; it never goes back, whatever the clock does.
    pub(super) height: u64,
    /// The slot of that; where the clock alone makes blocks, each has its height.
    slot: u64,
    pub(super) finalized_height: u64,
}

impl Ledger {
    /// The chain at height 0.
    pub(super) fn new(header: &Header) -> Result<Self, ChainError> {
        let Header { config, genesis_ms, genesis, key, .. } = header;
        let place = Place { chain_id: config.chain_id, height: 0, timestamp_s: genesis_ms / 1000 };
        let state = State::deploy(place, key, *genesis, SEQUENCER)?;
        let deployment = Receipt { success: true, gas_used: state.deployment_gas, answer: Vec::new() };
        Ok(Self {
            chain_id: config.chain_id,
            slot_ms: config.slot_ms,
            genesis_ms: *genesis_ms,
            state,
            receipts: BTreeMap::from([(0, vec![deployment])]),
            posts: BTreeMap::from([(BlockNumber::GENESIS, Position { height: 0, index: 0 })]),
            positions: BTreeMap::new(),
            height: 0,
            slot: 0,
            finalized_height: 0,
        })
    }

    /// The chain as its history says, but for blocks above `kept`; the history is read to its end.
    /// With it comes what its validators are agreed on, if it has any.
    pub(super) fn replay(
        header: &Header,
        history: &mut History,
        kept: u64,
    ) -> Result<(Self, Option<Agreed>), ChainError> {
        if header.code != Header::own_code() {
            let [expected, got] = [Header::own_code(), header.code].map(hex::encode);
            let what =
                format!("the history was made with another contract: expected code {expected}, got {got}");
            return Err(ChainError::Misuse(what));
        }
        let (mut ledger, mut agreed) = (Self::new(header)?, Agreed::genesis(header));
        // Blocks that a reorganisation may take away again wait until it can't.
        let mut undecided: Vec<Block> = Vec::new();
        while let Some(frame) = history.next()? {
            // Validators make blocks in another way than a clock does.
            if matches!(frame, Frame::Consensus(_)) != agreed.is_some() {
                return Err(history.corrupt("a frame that this kind of chain does not have"));
            }
            match frame {
                Frame::Consensus(records) => {
                    let mut agreed = agreed.iter_mut();
                    let agreed = agreed.next().expect("only such a chain has such frames");
                    for record in records {
                        agreed.apply(record, &mut ledger).map_err(|what| history.corrupt(&what))?;
                    }
                }
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
        let height = ledger.finalized_height.max(history.last_height());
        if agreed.is_none() {
            ledger.rise_to(height, height);
        }
        Ok((ledger, agreed))
    }

    /// Goes back to what a shorter replay of its history came to.
    pub(super) fn go_back(&mut self, shorter: Self) {
        let Self { height, slot, .. } = *self;
        *self = Self { height, slot, ..shorter };
    }

    /// Time passes, be there blocks or not.
    pub(super) fn rise_to(&mut self, height: u64, slot: u64) {
        (self.height, self.slot) = (self.height.max(height), self.slot.max(slot));
    }

    /// Includes a block of a slot that is final from the start.
    pub(super) fn include_final(&mut self, block: Block, slot: u64) {
        let height = block.height;
        self.include(block);
        self.rise_to(height, slot);
        self.finalized_height = height;
    }

    /// Whether some block within these heights has transactions.
    pub(super) fn has_blocks(&self, heights: impl RangeBounds<u64>) -> bool {
        self.receipts.range(heights).next().is_some()
    }

    pub(super) fn include(&mut self, block: Block) {
        let Block { height, transactions, changes } = block;
        self.state.apply(&changes);
        let receipts = transactions.iter().map(|(_, receipt)| receipt.clone()).collect();
        self.receipts.insert(height, receipts);
        for (index, (transaction, receipt)) in transactions.iter().enumerate() {
            let Transaction { caller, calldata } = transaction;
            let position = Position { height, index };
            self.positions.entry(transaction.digest()).or_default().push(position);
            let Some(Call::PostBlock { number, .. }) = Call::decode(calldata) else { continue };
            // A stranger's revert says nothing of the block, and no revert undoes a post.
            let taken = self.is_taken(number);
            if receipt.success || (*caller == SEQUENCER && !taken) {
                self.posts.insert(number, position);
            }
        }
    }

    /// What would come of a transaction in the next block, after what waits for it.
    pub(super) fn simulate(
        &self,
        pending: &[(Transaction, Executed)],
        transaction: &Transaction,
    ) -> Result<Executed, ChainError> {
        self.simulate_at(self.slot + 1, pending, transaction)
    }

    /// The same in a block of a given slot.
    pub(super) fn simulate_at(
        &self,
        slot: u64,
        pending: &[(Transaction, Executed)],
        transaction: &Transaction,
    ) -> Result<Executed, ChainError> {
        let got = transaction.calldata.len();
        if got > CALLDATA_BYTES_MAX {
            let what = format!("calldata: expected at most {CALLDATA_BYTES_MAX} bytes, got {got}");
            return Err(ChainError::Misuse(what));
        }
        let changes = pending.iter().map(|(_, executed)| executed.changes.as_slice());
        self.state.execute(changes, self.place(self.height + 1, slot), transaction)
    }

    /// What a transaction will be known by once it was submitted, behind what waits already.
    pub(super) fn identify(
        &self,
        pending: &[(Transaction, Executed)],
        transaction: &Transaction,
    ) -> TransactionId {
        let digest = transaction.digest();
        let waiting = pending.iter().filter(|(other, _)| other == transaction).count();
        TransactionId { digest, copy: self.positions.get(&digest).map_or(0, Vec::len) + waiting }
    }

    pub(super) fn outcome(&self, id: TransactionId) -> Option<Outcome> {
        let position = self.positions.get(&id.digest)?.get(id.copy)?;
        self.receipt(*position).map(Receipt::outcome)
    }

    fn receipt(&self, position: Position) -> Option<&Receipt> {
        self.receipts.get(&position.height)?.get(position.index)
    }

    pub(super) fn status(&self, number: BlockNumber) -> PostStatus {
        let included = self.inclusion(number);
        match included {
            Some((inclusion, true)) if inclusion.height <= self.finalized_height => {
                PostStatus::Final(inclusion)
            }
            Some((inclusion, true)) => PostStatus::Posted(inclusion),
            _ => self.reverted(number).unwrap_or(PostStatus::Unknown),
        }
    }

    /// Where a block was last included, and whether the contract took it.
    fn inclusion(&self, number: BlockNumber) -> Option<(Inclusion, bool)> {
        let position = *self.posts.get(&number)?;
        let receipt = self.receipt(position)?;
        Some((Inclusion { height: position.height, gas_used: receipt.gas_used }, receipt.success))
    }

    /// Whether the contract has taken a block with this number.
    pub(super) fn is_taken(&self, number: BlockNumber) -> bool {
        self.inclusion(number).is_some_and(|(_, success)| success)
    }

    fn reverted(&self, number: BlockNumber) -> Option<PostStatus> {
        let outcome = self.receipt(*self.posts.get(&number)?)?.outcome();
        outcome.result.err().map(PostStatus::Reverted)
    }

    pub(super) fn head(&self) -> Result<Head, ChainError> {
        let answer = self.state.ask(self.place(self.height, self.slot), Call::Latest)?;
        let settled = contract::decode_latest(&answer).map_err(|error| unreadable(&error))?;
        Ok(Head { height: self.height, finalized_height: self.finalized_height, settled })
    }

    pub(super) fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        if at == At::Finalized && !matches!(self.status(number), PostStatus::Final(_)) {
            return Ok(None);
        }
        let answer = self.state.ask(self.place(self.height, self.slot), Call::StateRoot(number))?;
        contract::decode_state_root(&answer).map_err(|error| unreadable(&error))
    }

    fn place(&self, height: u64, slot: u64) -> Place {
        let timestamp_s = self.genesis_ms.saturating_add(slot.saturating_mul(self.slot_ms)) / 1000;
        Place { chain_id: self.chain_id, height, timestamp_s }
    }
}

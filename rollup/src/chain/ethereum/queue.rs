//! The blocks that are to be posted, and the transactions that post them.
//!
//! A block's transaction is a function of the chain's state: with the contract at block s and the account at nonce n, block
//! s + 1 + i goes out with nonce n + i. Whatever happened meanwhile (a reorganisation, a transaction of somebody else with
//! the same key, a drop, a restart), the next turn sends what is missing and replaces what has another nonce than it must
//! have. Which of two transactions wins does not matter: the contract takes each block once.

use super::{blobs::Sidecar, fees::Fees};
use crate::chain::{PostStatus, contract::ContractError};
use alloy_primitives::B256;
use arterial_protocol::{BlockNumber, BlockStatement};
use std::collections::VecDeque;

/// Blocks that wait for inclusion.
pub(super) const QUEUE_BLOCKS_MAX: usize = 64;
/// Replacements of a transaction that are looked for later: the newest.
const HASHES_MAX: usize = 8;
/// Transactions of one block that were included and reverted, before no more are sent.
const REVERTS_MAX: u32 = 3;

/// A block on its way.
pub(super) struct Item {
    pub(super) statement: BlockStatement,
    pub(super) calldata: Vec<u8>,
    pub(super) sidecar: Option<Sidecar>,
    pub(super) transaction: Option<Transaction>,
    reverts: u32,
    /// Why the newest included transaction of it reverted.
    pub(super) reverted: Option<ContractError>,
}

/// What was sent for a block.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) nonce: u64,
    pub(super) fees: Fees,
    pub(super) bytes: Vec<u8>,
    /// Its hash, and those of what it replaced.
    pub(super) hashes: Vec<B256>,
    /// When its price was set, and when it was sent last.
    pub(super) priced_ms: u64,
    pub(super) sent_ms: u64,
}

impl Item {
    pub(super) const fn new(statement: BlockStatement, calldata: Vec<u8>, sidecar: Option<Sidecar>) -> Self {
        Self { statement, calldata, sidecar, transaction: None, reverts: 0, reverted: None }
    }

    /// Takes note of a transaction that was included and reverted.
    pub(super) fn revert(&mut self, error: ContractError) {
        self.transaction = None;
        // The fault of a block before it.
        if !matches!(error, ContractError::WrongBlockNumber { .. }) {
            self.reverts += 1;
            self.reverted = Some(error);
        }
    }

    /// Why nothing more is sent for this block.
    pub(super) fn given_up(&self) -> Option<&ContractError> {
        self.reverted.as_ref().filter(|_| self.reverts >= REVERTS_MAX)
    }

    pub(super) fn sent(&mut self, mut transaction: Transaction) {
        if let Some(before) = self.transaction.take() {
            let room = HASHES_MAX - transaction.hashes.len().min(HASHES_MAX);
            let from = before.hashes.len().saturating_sub(room);
            transaction.hashes.splice(0..0, before.hashes[from..].iter().copied());
            transaction.hashes.dedup();
        }
        self.transaction = Some(transaction);
    }
}

/// Blocks in order, the first of them the one that the contract takes next.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Item>);

impl Queue {
    /// Forgets what stands in the contract, and everything where the contract went back: what is missing now is
    /// submitted again by whoever follows the chain.
    pub(super) fn settle(&mut self, settled: BlockNumber) {
        while self.0.front().is_some_and(|item| item.statement.number <= settled) {
            self.0.pop_front();
        }
        if self.0.front().is_some_and(|item| item.statement.number != settled.next()) {
            self.0.clear();
        }
    }

    /// The number that can be added next, after so many settled ones.
    pub(super) fn next(&self, settled: BlockNumber) -> BlockNumber {
        self.0.back().map_or(settled, |item| item.statement.number).next()
    }

    pub(super) fn last(&self) -> Option<&Item> {
        self.0.back()
    }

    pub(super) fn get(&self, number: BlockNumber) -> Option<&Item> {
        self.0.iter().find(|item| item.statement.number == number)
    }

    /// How it stands, for those who don't post.
    pub(super) fn waiting(&self) -> Waiting {
        let waiting = self.0.iter().map(|item| (item.statement.number, item.given_up().cloned()));
        Waiting(waiting.collect())
    }

    pub(super) fn items(&mut self) -> &mut VecDeque<Item> {
        &mut self.0
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= QUEUE_BLOCKS_MAX
    }

    /// Forgets the blocks at the end for which nothing was sent.
    pub(super) fn forget_unsent(&mut self) {
        while self.0.back().is_some_and(|item| item.transaction.is_none() && item.reverted.is_none()) {
            self.0.pop_back();
        }
    }

    /// The most that any transaction in the queue pays: what has another nonce than it should must pay more.
    pub(super) fn highest(&self) -> Option<Fees> {
        let paid = self.0.iter().filter_map(|item| item.transaction.as_ref()).map(|sent| sent.fees);
        paid.reduce(|a, b| Fees {
            max: a.max.max(b.max),
            priority: a.priority.max(b.priority),
            blob: a.blob.max(b.blob),
        })
    }
}

/// The blocks of a queue, each with why nothing more is sent for it, if so.
#[derive(Default)]
pub(super) struct Waiting(Vec<(BlockNumber, Option<ContractError>)>);

impl Waiting {
    /// How a block stands that does not stand in the contract, with so many that do. Where the contract went back, the queue
    /// is of no use any more.
    pub(super) fn status(&self, number: BlockNumber, settled: BlockNumber) -> PostStatus {
        let Self(waiting) = self;
        if waiting.first().is_none_or(|(first, _)| *first > settled.next()) {
            return PostStatus::Unknown;
        }
        match waiting.iter().find(|(waits, _)| *waits == number) {
            Some((_, Some(error))) => PostStatus::Reverted(error.clone()),
            Some((_, None)) => PostStatus::Pending,
            None => PostStatus::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arterial_protocol::{FieldElement, StateRoot};

    fn item(number: u64) -> Item {
        let root = |n: u64| StateRoot(FieldElement::from(n + 1));
        let statement = BlockStatement {
            old_state_root: root(number - 1),
            new_state_root: root(number),
            number: BlockNumber(number),
            record_count: 1,
        };
        Item::new(statement, vec![], None)
    }

    fn transaction(nonce: u64, hash: u8) -> Transaction {
        let fees = Fees { max: u128::from(hash), priority: 1, blob: 0 };
        let hashes = vec![B256::repeat_byte(hash)];
        Transaction { nonce, fees, bytes: vec![], hashes, priced_ms: 0, sent_ms: 0 }
    }

    #[test]
    fn what_stands_is_forgotten_and_so_is_what_a_step_back_tore_off() {
        let mut queue = Queue::default();
        queue.items().extend((3..=6).map(item));
        queue.settle(BlockNumber(4));
        assert_eq!((queue.next(BlockNumber(4)), queue.items().len()), (BlockNumber(7), 2));
        assert!(queue.get(BlockNumber(4)).is_none() && queue.get(BlockNumber(5)).is_some());
        queue.settle(BlockNumber(2));
        assert_eq!((queue.next(BlockNumber(2)), queue.items().len()), (BlockNumber(3), 0));
    }

    #[test]
    fn what_waits_is_told_until_the_contract_goes_back_behind_it() {
        let mut queue = Queue::default();
        queue.items().extend((3..=4).map(item));
        (0..REVERTS_MAX).for_each(|_| queue.items()[1].revert(ContractError::InvalidProof));
        let waiting = queue.waiting();
        let at = |number, settled| waiting.status(BlockNumber(number), BlockNumber(settled));
        assert_eq!((at(3, 2), at(5, 2)), (PostStatus::Pending, PostStatus::Unknown));
        assert_eq!((at(4, 2), at(4, 3)), (PostStatus::Reverted(ContractError::InvalidProof), at(4, 2)));
        assert_eq!(at(3, 1), PostStatus::Unknown);
    }

    #[test]
    fn what_was_sent_is_remembered_within_a_bound() {
        let mut one = item(1);
        for hash in 1..=20 {
            one.sent(transaction(0, hash));
        }
        let hashes = &one.transaction.as_ref().unwrap().hashes;
        assert_eq!((hashes.len(), hashes[HASHES_MAX - 1]), (HASHES_MAX, B256::repeat_byte(20)));
        let mut queue = Queue::default();
        queue.items().extend([one, item(2), item(3)]);
        queue.forget_unsent();
        assert_eq!((queue.items().len(), queue.highest().map(|fees| fees.max)), (1, Some(20)));
    }

    #[test]
    fn a_block_is_given_up_after_some_reverts() {
        let mut one = item(1);
        // Those that are another block's fault don't count.
        for _ in 0..REVERTS_MAX {
            one.sent(transaction(0, 1));
            one.revert(ContractError::WrongBlockNumber { expected: BlockNumber(0), got: BlockNumber(1) });
            assert!(one.transaction.is_none());
        }
        for _ in 0..REVERTS_MAX {
            assert!(one.given_up().is_none());
            one.sent(transaction(0, 1));
            one.revert(ContractError::InvalidProof);
        }
        assert_eq!(one.given_up(), Some(&ContractError::InvalidProof));
    }
}

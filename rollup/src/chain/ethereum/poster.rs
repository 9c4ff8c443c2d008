//! What is due for the blocks in the queue.

use super::{
    Account, EthereumChain,
    blobs::Sidecar,
    fees::Fees,
    node::{Simulated, Tag},
    nodes::Sent,
    queue::{Item, QUEUE_BLOCKS_MAX, Queue, Transaction},
    view::View,
};
use crate::{
    block::ProvenBlock,
    chain::{
        At, ChainError,
        contract::{self, Call, ContractError},
    },
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Bytes, TxKind, U256};
use arterial_protocol::BlockNumber;

/// What is to be done for a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// Send what was sent, byte for byte.
    Again,
    /// Make a transaction that pays so much.
    Anew(Fees),
}

impl EthereumChain {
    /// Works on the queue as the chain's state wants it, and leaves it for others to see.
    pub(super) fn with_queue(
        &self,
        work: impl FnOnce(&mut Queue, &View) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        let mut queue = self.queue.lock();
        let view = self.look()?;
        queue.settle(view.settled);
        let worked = work(&mut queue, &view);
        *self.waiting.lock() = queue.waiting();
        worked
    }

    /// Puts a block behind those that wait, unless it stands or waits already.
    pub(super) fn enqueue(
        &self,
        queue: &mut Queue,
        view: &View,
        block: &ProvenBlock,
    ) -> Result<(), ChainError> {
        let statement = *block.statement();
        let number = statement.number;
        let wrong_number = |expected| {
            let error = ContractError::WrongBlockNumber { expected, got: number };
            Err(ChainError::Rejected { number, error })
        };
        if number <= view.settled {
            let stands = self.nodes().state_root(self.contract, number, At::Latest)?;
            return if stands == Some(statement.new_state_root) {
                Ok(())
            } else {
                wrong_number(view.settled.next())
            };
        }
        let expected = queue.next(view.settled);
        match queue.get(number) {
            Some(queued) if queued.statement != statement => wrong_number(expected),
            Some(_) => Ok(()),
            None if number != expected => wrong_number(expected),
            None if queue.is_full() => {
                Err(ChainError::Misuse(format!("{QUEUE_BLOCKS_MAX} blocks wait already")))
            }
            // The contract is asked about the first of the queue only; it holds no root yet for those behind it.
            None if queue
                .last()
                .is_some_and(|last| last.statement.new_state_root != statement.old_state_root) =>
            {
                Err(ChainError::Rejected { number, error: ContractError::InvalidProof })
            }
            None => {
                let calldata = Call::post_block(&statement, block.proof()).encode();
                queue.items().push_back(Item::new(statement, calldata, self.sidecar(number, view)?));
                Ok(())
            }
        }
    }

    /// What goes out beside a block.
    fn sidecar(&self, number: BlockNumber, view: &View) -> Result<Option<Sidecar>, ChainError> {
        let Some((deltas, blob_fee)) = self.deltas.as_ref().zip(view.blob_fee) else { return Ok(None) };
        // Commitments take a while: none for what is too dear to be sent.
        Fees::quote(view.base_fee, Some(blob_fee), self.settings())?;
        let bytes = deltas.delta(number)?.encode();
        let sidecar = Sidecar::new(&bytes)?;
        if sidecar.is_none() {
            tracing::warn!(block = %number, bytes = bytes.len(), "its delta is larger than blobs; posted without");
        }
        Ok(sidecar)
    }

    /// Sends and replaces what is due. What was not sent in the end is forgotten, so that it is submitted again.
    pub(super) fn drive(&self, queue: &mut Queue, view: &View) -> Result<(), ChainError> {
        let driven = self.drive_queue(queue, view);
        queue.forget_unsent();
        if !matches!(driven, Ok(true)) {
            *self.view.lock() = None;
        }
        driven.map(|_| ())
    }

    /// Whether the view was good enough for all that was due.
    fn drive_queue(&self, queue: &mut Queue, view: &View) -> Result<bool, ChainError> {
        if queue.items().is_empty() {
            return Ok(true);
        }
        let account = self.account.as_ref();
        let account = account.ok_or_else(|| {
            ChainError::Misuse("this chain was opened for reading: nothing can be posted".into())
        })?;
        let now = self.connection.clock.now_ms();
        let highest = queue.highest();
        for (nonce, item) in (view.nonce..).zip(queue.items()) {
            if !self.note_revert(item, account, view)? {
                return Ok(false);
            }
            let number = item.statement.number;
            if let Some(error) = item.given_up() {
                return Err(ChainError::Rejected { number, error: error.clone() });
            }
            let Some(due) = self.due(item, nonce, now, highest, view)? else { continue };
            if number == view.settled.next() {
                // Before anything is spent.
                match self.simulate(account.sender(), &item.calldata, view.height)? {
                    Ok(()) => {}
                    // At this height it was the next one: another block is at this height now.
                    Err(ContractError::WrongBlockNumber { .. }) => return Ok(false),
                    Err(error) => return Err(ChainError::Rejected { number, error }),
                }
            }
            if !self.send(item, account, nonce, due, now)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn due(
        &self,
        item: &Item,
        nonce: u64,
        now: u64,
        highest: Option<Fees>,
        view: &View,
    ) -> Result<Option<Due>, ChainError> {
        let settings = self.settings();
        let past =
            |since: u64, wait: std::time::Duration| u128::from(now.saturating_sub(since)) >= wait.as_millis();
        let blob_fee = view.blob_fee.filter(|_| item.sidecar.is_some());
        let quote = Fees::quote(view.base_fee, blob_fee, settings);
        let Some(sent) = &item.transaction else {
            return Ok(Some(Due::Anew(quote?)));
        };
        if sent.nonce != nonce {
            let quote = quote?;
            let replacing = highest.and_then(|fees| fees.bumped(quote, settings).ok());
            return Ok(Some(Due::Anew(replacing.unwrap_or(quote))));
        }
        if past(sent.priced_ms, settings.bump) {
            let pays_too_little =
                sent.fees.max < view.base_fee || blob_fee.is_some_and(|blob_fee| sent.fees.blob < blob_fee);
            match quote.and_then(|quote| sent.fees.bumped(quote, settings)) {
                Ok(fees) => return Ok(Some(Due::Anew(fees))),
                // It waits for a price within the limit.
                Err(error) if pays_too_little => return Err(error),
                Err(_) => {}
            }
        }
        Ok(past(sent.sent_ms, settings.resend).then_some(Due::Again))
    }

    /// Whether it was sent on a view that is not too old.
    fn send(
        &self,
        item: &mut Item,
        account: &Account,
        nonce: u64,
        due: Due,
        now: u64,
    ) -> Result<bool, ChainError> {
        let mut transaction = match (due, &item.transaction) {
            (Due::Again, Some(sent)) => Transaction { sent_ms: now, ..sent.clone() },
            (Due::Again, None) => return Ok(true),
            (Due::Anew(fees), _) => self.sign(account, item, nonce, fees, now)?,
        };
        let Transaction { fees, .. } = transaction;
        match self.nodes().send(&transaction.bytes)? {
            Sent::Taken => {}
            Sent::Late => {
                tracing::info!(block = %item.statement.number, nonce, "the nonce is used up already; looking again");
                return Ok(false);
            }
            Sent::Underpriced => {
                // The next turn pays more.
                transaction.priced_ms = 0;
                transaction.sent_ms = now;
            }
            Sent::NoFunds => return Err(self.no_funds(account, item, fees)),
        }
        if matches!(due, Due::Anew(_)) {
            tracing::info!(block = %item.statement.number, nonce, max_fee = fees.max, "sent");
            self.measures.pays(fees);
        }
        match (due, &item.transaction) {
            (Due::Again, _) => self.measures.repeat.increment(1),
            (Due::Anew(_), Some(_)) => self.measures.replacement.increment(1),
            (Due::Anew(_), None) => self.measures.first.increment(1),
        }
        item.sent(transaction);
        Ok(true)
    }

    fn sign(
        &self,
        account: &Account,
        item: &Item,
        nonce: u64,
        fees: Fees,
        now: u64,
    ) -> Result<Transaction, ChainError> {
        let plain = TxEip1559 {
            chain_id: self.connection.chain_id,
            nonce,
            gas_limit: self.settings().gas_limit,
            max_fee_per_gas: fees.max,
            max_priority_fee_per_gas: fees.priority,
            to: TxKind::Call(self.contract),
            value: U256::ZERO,
            access_list: Default::default(),
            input: Bytes::from(item.calldata.clone()),
        };
        let (bytes, hash) = match &item.sidecar {
            Some(sidecar) => account.sign_with_blobs(plain, self.contract, fees.blob, sidecar)?,
            None => account.sign(plain)?,
        };
        Ok(Transaction { nonce, fees, bytes, hashes: vec![hash], priced_ms: now, sent_ms: now })
    }

    fn no_funds(&self, account: &Account, item: &Item, fees: Fees) -> ChainError {
        let blob_gas = item.sidecar.as_ref().map_or(0, Sidecar::gas);
        let for_gas = fees.max.saturating_mul(self.settings().gas_limit.into());
        let needed = for_gas.saturating_add(fees.blob.saturating_mul(blob_gas.into()));
        match self.nodes().ask(|node| node.balance(account.sender())) {
            Ok(got) => ChainError::Funds { account: account.address(), needed, got },
            Err(error) => error,
        }
    }

    /// Looks what became of a transaction whose nonce is used up though its block does not stand: it was included and
    /// reverted, or another one of this account came in its place. `false` where it stands, in a newer state than the one
    /// that was looked at.
    fn note_revert(&self, item: &mut Item, account: &Account, view: &View) -> Result<bool, ChainError> {
        let number = item.statement.number;
        let Some(sent) = item.transaction.as_ref().filter(|sent| sent.nonce < view.nonce) else {
            return Ok(true);
        };
        let Some(receipt) = self.nodes().receipt(&sent.hashes)? else {
            tracing::warn!(block = %number, nonce = sent.nonce, "another transaction of this account took the nonce");
            return Ok(true);
        };
        if receipt.succeeded() {
            return Ok(false);
        }
        let height: u64 = receipt.block_number.to();
        let (from, gas) = (Some(account.sender()), self.settings().gas_limit);
        let call = Simulated { from, to: self.contract, calldata: &item.calldata, gas };
        let before = Tag::Height(height.saturating_sub(1));
        // The receipt has no reason in it. Run again on the state before, it says it, but for what came in the same block.
        let again = self.nodes().ask(|node| node.call(&call, before)).ok().and_then(Result::err);
        let error = again.unwrap_or(ContractError::Other(Vec::new()));
        tracing::warn!(block = %number, %error, height, "a transaction was included and reverted");
        self.measures.reverted.increment(1);
        item.revert(error);
        Ok(true)
    }

    /// The account that posts, if this chain was opened to post.
    #[must_use]
    pub fn account(&self) -> Option<contract::Address> {
        self.account.as_ref().map(Account::address)
    }
}

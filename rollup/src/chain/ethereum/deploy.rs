//! Putting the contract on a chain.

use super::{Account, Connection, fees::Fees, node::Tag, nodes::Sent};
use crate::{
    chain::{ChainError, contract},
    proof::VerificationKey,
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Bytes, TxKind, U256};
use arterial_protocol::StateRoot;
use std::{thread, time::Duration};

/// Deploying takes some 900,000.
const GAS_LIMIT: u64 = 2_000_000;
/// How often a node may count the account's transaction and not have its receipt yet: it learns of both one after the
/// other, and a balancer may ask two nodes.
const TURNS_WITHOUT_RECEIPT_MAX: u32 = 20;
/// How long such a turn takes at least, however short the poll: what is counted is a node that has had time, not a busy one.
const TURN_WITHOUT_RECEIPT_MIN: Duration = Duration::from_millis(250);
/// How long a deployment is waited for.
const WAIT: Duration = Duration::from_secs(15 * 60);

impl Connection {
    /// Deploys the contract for a verification key and a genesis, with the account as its sequencer, and waits until it is
    /// in a block. That block is not final yet; where a reorganisation takes it away for good, the chain says so when it
    /// is followed.
    ///
    /// # Errors
    /// It costs more than the limit or than the account has, another transaction of the account came in its place, it was
    /// in no block after a quarter of an hour, or the chain can't be asked.
    pub fn deploy(
        &self,
        account: &Account,
        key: &[[u8; 32]; VerificationKey::WORDS],
        genesis: StateRoot,
    ) -> Result<contract::Address, ChainError> {
        let sender = account.sender();
        let nonce = self.nodes.ask(|node| node.nonce(sender, Tag::Latest))?;
        let code = contract::deployment(key, genesis, account.address());
        let begun = self.clock.now_ms();
        let (mut hashes, mut fees, mut without_receipt) = (Vec::new(), None, 0);
        loop {
            let elapsed = Duration::from_millis(self.clock.now_ms().saturating_sub(begun));
            let bumps = elapsed.as_millis() / self.settings.bump.as_millis().max(1);
            if hashes.len() as u128 <= bumps {
                let quote = self.quote()?;
                let paid = fees.map_or(Ok(quote), |before: Fees| before.bumped(quote, &self.settings));
                if let Ok(paid) = paid {
                    hashes.push(self.send_code(account, nonce, &code, paid)?);
                    fees = Some(paid);
                }
            }
            if let Some(receipt) = self.nodes.receipt(&hashes)? {
                return match receipt.contract_address {
                    Some(address) if receipt.succeeded() => Ok(contract::Address(address.into_array())),
                    _ => {
                        Err(self
                            .failed("the contract's constructor reverted: key or genesis are not canonical"))
                    }
                };
            }
            let mut turn = self.settings.poll;
            if self.nodes.ask(|node| node.nonce(sender, Tag::Latest))? > nonce {
                without_receipt += 1;
                turn = turn.max(TURN_WITHOUT_RECEIPT_MIN);
            }
            if without_receipt > TURNS_WITHOUT_RECEIPT_MAX {
                return Err(self.failed("another transaction of the account came in its place: deploy again"));
            }
            if elapsed > WAIT {
                return Err(self.failed("it is in no block after a quarter of an hour: see the chain's fees"));
            }
            thread::sleep(turn);
        }
    }

    fn quote(&self) -> Result<Fees, ChainError> {
        let head = self.nodes.ask(|node| node.header(Tag::Latest))?;
        Fees::quote(head.map_or(0, |head| head.base_fee_per_gas.to()), None, &self.settings)
    }

    fn send_code(
        &self,
        account: &Account,
        nonce: u64,
        code: &[u8],
        fees: Fees,
    ) -> Result<alloy_primitives::B256, ChainError> {
        let (bytes, hash) = account.sign(TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: fees.max,
            max_priority_fee_per_gas: fees.priority,
            to: TxKind::Create,
            value: U256::ZERO,
            access_list: Default::default(),
            input: Bytes::copy_from_slice(code),
        })?;
        match self.nodes.send(&bytes)? {
            Sent::Taken | Sent::Underpriced | Sent::Late => Ok(hash),
            Sent::NoFunds => {
                let needed = fees.max.saturating_mul(GAS_LIMIT.into());
                let got = self.nodes.ask(|node| node.balance(account.sender()))?;
                Err(ChainError::Funds { account: account.address(), needed, got })
            }
        }
    }

    fn failed(&self, what: &str) -> ChainError {
        ChainError::Misuse(format!("the contract was not deployed on chain {}: {what}", self.chain_id))
    }
}

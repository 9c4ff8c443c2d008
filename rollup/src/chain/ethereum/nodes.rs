//! Several nodes of one chain: one is asked, all are asked for what everything rests on.

use super::{
    node::{Node, Tag},
    rpc::{Rpc, RpcError},
    settings::EthereumSettings,
};
use crate::chain::{At, ChainError};
use alloy_primitives::{Address, B256};
use arterial_protocol::{BlockNumber, StateRoot};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How often the nodes are compared with each other.
const COMPARE_EVERY_MS: u64 = 30_000;
/// Blocks that a node may be behind another without having fallen behind.
const BEHIND_BLOCKS: u64 = 3;

pub(super) struct Nodes {
    all: Vec<Node>,
    /// The one that is asked first: the one that answered last.
    preferred: AtomicUsize,
    /// When they were compared last.
    compared_ms: AtomicU64,
}

/// What became of a transaction that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A node has it.
    Taken,
    /// Another one with this nonce pays too much to be replaced by it.
    Underpriced,
    /// Its nonce is used up: the state that it was made from is old.
    Late,
    /// The account can't pay for it.
    NoFunds,
}

impl Nodes {
    pub(super) fn new(settings: &EthereumSettings) -> Self {
        let node = |endpoint: &_| Node(Rpc::new(Clone::clone(endpoint), settings.timeout));
        Self {
            all: settings.endpoints.iter().map(node).collect(),
            preferred: AtomicUsize::new(0),
            compared_ms: AtomicU64::new(0),
        }
    }

    /// The id that every node that answers says; one at least does.
    pub(super) fn chain_id(&self) -> Result<u64, ChainError> {
        let expected = self.ask(Node::chain_id)?;
        for node in &self.all {
            if let Ok(got) = node.chain_id()
                && got != expected
            {
                let what = format!("it is a node of chain {got}, the others are of chain {expected}");
                return Err(ChainError::Node { endpoint: node.0.endpoint.to_string(), what });
            }
        }
        Ok(expected)
    }

    /// Now and then, turns from a node that has fallen behind to the one that is furthest ahead: it answers, so nothing else
    /// would, and what it shows is a chain that stands still.
    pub(super) fn prefer_ahead(&self, now_ms: u64) {
        let since = now_ms.abs_diff(self.compared_ms.load(Ordering::Relaxed));
        if self.all.len() < 2 || since < COMPARE_EVERY_MS {
            return;
        }
        self.compared_ms.store(now_ms, Ordering::Relaxed);
        let height =
            |node: &Node| node.header(Tag::Latest).ok().flatten().map_or(0, |head| head.number.to::<u64>());
        let heights: Vec<u64> = self.all.iter().map(height).collect();
        let preferred = self.preferred.load(Ordering::Relaxed);
        let height = heights[preferred];
        // Of those that are equally far, the first.
        let ahead = heights.iter().enumerate().rev().max_by_key(|(_, height)| **height);
        if let Some((at, &ahead)) = ahead
            && ahead > height + BEHIND_BLOCKS
        {
            let endpoint = &self.all[preferred].0.endpoint;
            tracing::warn!(%endpoint, height, ahead, "a node has fallen behind; another one is asked");
            self.preferred.store(at, Ordering::Relaxed);
        }
    }

    /// Asks the preferred node; another one where it can't be reached, or does not want to say.
    pub(super) fn ask<T>(&self, question: impl Fn(&Node) -> Result<T, RpcError>) -> Result<T, ChainError> {
        let begin = self.preferred.load(Ordering::Relaxed);
        let mut first_failure = None;
        for at in (0..self.all.len()).map(|step| (begin + step) % self.all.len()) {
            let node = &self.all[at];
            match question(node) {
                Ok(answer) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(RpcError::Refused { message: what, .. } | RpcError::Unreachable(what)) => {
                    tracing::warn!(endpoint = %node.0.endpoint, %what, "a node has no answer");
                    first_failure.get_or_insert_with(|| failure(node, what));
                }
            }
        }
        Err(first_failure
            .unwrap_or_else(|| ChainError::Misuse("no endpoint of the base chain is given".into())))
    }

    /// The root that the contract holds for a block, as every node that answers says. None of them is believed against
    /// another. A finalised root needs more than half of the nodes, and all that answer must have it.
    pub(super) fn state_root(
        &self,
        contract: Address,
        number: BlockNumber,
        at: At,
    ) -> Result<Option<StateRoot>, ChainError> {
        let mut found: Option<(&Node, StateRoot)> = None;
        let (mut answered, mut lacking) = (0, 0);
        let (mut refusals, mut failed) = (Vec::new(), None);
        for node in &self.all {
            match node.state_root(contract, number, Tag::from(at)) {
                Ok(Some(root)) => match found {
                    Some((other, different)) if different != root => {
                        let claims = [(other, different), (node, root)]
                            .map(|(node, root)| (node.0.endpoint.to_string(), root));
                        return Err(ChainError::Disagreement { number, claims: Box::new(claims) });
                    }
                    _ => (found, answered) = (Some((node, root)), answered + 1),
                },
                Ok(None) => (lacking, answered) = (lacking + 1, answered + 1),
                Err(RpcError::Refused { message, .. }) if at == At::Finalized => {
                    refusals.push(failure(node, message));
                }
                Err(RpcError::Refused { message: what, .. } | RpcError::Unreachable(what)) => {
                    failed = Some(failure(node, what));
                }
            }
        }
        // So some nodes say that nothing is final yet. Where another one has the root, it is no answer.
        if found.is_none() {
            (lacking, answered) = (lacking + refusals.len(), answered + refusals.len());
            refusals.clear();
        }
        match (at, failed.or_else(|| refusals.pop())) {
            (_, Some(failure)) if answered == 0 => Err(failure),
            (At::Finalized, Some(failure)) if answered * 2 <= self.all.len() => Err(failure),
            (At::Finalized, _) if lacking > 0 => Ok(None),
            _ => Ok(found.map(|(_, root)| root)),
        }
    }

    /// Sends a transaction by every node, so that none of them can hold it back.
    pub(super) fn send(&self, transaction: &[u8]) -> Result<Sent, ChainError> {
        let mut outcome: Result<Sent, ChainError> = Err(ChainError::Misuse("no endpoint is given".into()));
        for node in &self.all {
            let this = match node.send(transaction) {
                Ok(_) => Ok(Sent::Taken),
                Err(RpcError::Refused { message, .. }) => {
                    understand(&message).ok_or_else(|| failure(node, message))
                }
                Err(RpcError::Unreachable(what)) => Err(failure(node, what)),
            };
            match (&outcome, &this) {
                (Ok(Sent::Taken), _) => {}
                (_, Ok(Sent::Taken)) | (Err(_), _) => outcome = this,
                (Ok(_), _) => {}
            }
        }
        outcome
    }

    /// The receipt of a transaction, whichever of its replacements was included.
    pub(super) fn receipt(&self, hashes: &[B256]) -> Result<Option<super::node::Receipt>, ChainError> {
        for &hash in hashes.iter().rev() {
            if let Some(receipt) = self.ask(|node| node.receipt(hash))? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }
}

fn failure(node: &Node, what: String) -> ChainError {
    ChainError::Node { endpoint: node.0.endpoint.to_string(), what }
}

/// What clients mean; there are no codes for it.
fn understand(message: &str) -> Option<Sent> {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&[
        "already known",
        "alreadyknown",
        "known transaction",
        "already imported",
        "already exists",
        "already in",
        "with same hash",
        "with the same hash",
    ]) {
        Some(Sent::Taken)
    } else if says(&["nonce too low", "nonce is too low", "nonce too small", "oldnonce"]) {
        Some(Sent::Late)
    } else if says(&[
        "underpriced",
        "replace",
        "fee too low",
        "feetoolow",
        "price too low",
        "price supplied is too low",
        "gas price below",
        "minimum gas price",
        "pay basefee",
        "less than block base fee",
    ]) {
        Some(Sent::Underpriced)
    } else if says(&[
        "insufficient funds",
        "insufficientfunds",
        "insufficient balance",
        "exceeds account balance",
        "have enough",
        "enough funds",
    ]) {
        Some(Sent::NoFunds)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each client's own words, from where it has them.
    #[test]
    fn refusals_are_understood_in_the_words_of_each_client() {
        use Sent::{Late, NoFunds, Taken, Underpriced};
        for (message, meaning) in [
            // go-ethereum: core/txpool/errors.go, core/error.go, core/state_transition.go; reth mirrors them in
            // crates/rpc/rpc-eth-types/src/error/mod.rs, with what is wanted behind a colon.
            ("already known", Taken),
            ("transaction underpriced", Underpriced),
            ("transaction underpriced: gas tip cap 1, minimum needed 1000000", Underpriced),
            ("replacement transaction underpriced", Underpriced),
            ("replacement transaction underpriced: new tx gas fee cap 10 < 11 queued", Underpriced),
            ("nonce too low: next nonce 5, tx nonce 4", Late),
            ("insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000", NoFunds),
            (
                "max fee per gas less than block base fee: address 0xf39F, maxFeePerGas: 1, baseFee: 7",
                Underpriced,
            ),
            // erigon: txnprovider/txpool/txpoolcfg/txpoolcfg.go
            ("existing txn with same hash", Taken),
            ("INTERNAL_ERROR: existing tx with same hash", Taken),
            ("could not replace existing tx", Underpriced),
            ("underpriced", Underpriced),
            ("fee too low", Underpriced),
            ("nonce too low", Late),
            ("insufficient funds", NoFunds),
            // Nethermind until 2025: src/Nethermind/Nethermind.TxPool/AcceptTxResult.cs. It speaks as go-ethereum since.
            ("AlreadyKnown", Taken),
            ("OldNonce, Current nonce: 5, nonce of rejected tx: 4.", Late),
            ("ReplacementNotAllowed", Underpriced),
            ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", Underpriced),
            ("FeeTooLowToCompete", Underpriced),
            ("InsufficientFunds, Account balance: 0, cumulative cost: 21000", NoFunds),
            // Besu: ethereum/api/…/jsonrpc/internal/response/RpcErrorType.java
            ("Known transaction", Taken),
            ("Replacement transaction underpriced", Underpriced),
            ("Gas price below current base fee", Underpriced),
            ("Gas price below configured minimum gas price", Underpriced),
            ("Nonce too low", Late),
            ("Upfront cost exceeds account balance", NoFunds),
            // OpenEthereum, and chains that still run it: rpc/src/v1/helpers/errors.rs
            ("Transaction with the same hash was already imported.", Taken),
            ("Transaction nonce is too low. Try incrementing the nonce.", Late),
            (
                "Transaction gas price supplied is too low. There is another transaction with same nonce in the queue.",
                Underpriced,
            ),
            (
                "Insufficient funds. The account you tried to send transaction from does not have enough funds.",
                NoFunds,
            ),
            // anvil: crates/anvil/src/eth/error.rs
            ("transaction already imported", Taken),
            ("Insufficient funds for gas * price + value", NoFunds),
            // EthereumJS: packages/client/src/service/txpool.ts
            ("0x11: this transaction is already in the TxPool", Taken),
            ("0xf39f tries to send a tx with nonce 4, but account has nonce 5 (tx nonce too low)", Late),
            ("replacement gas too low, got tip 1, min: 2, got fee 1, min: 2", Underpriced),
            ("Tx cannot pay basefee of 7, have 1 (not within 50% range of current basefee).", Underpriced),
            ("Tx does not pay the minimum gas price of 1000000000", Underpriced),
            ("0xf39f does not have enough balance to cover transaction costs, need 7, but have 0", NoFunds),
        ] {
            assert_eq!(understand(message), Some(meaning), "{message}");
        }
    }

    #[test]
    fn other_refusals_are_passed_on() {
        for message in [
            "the method does not exist",
            "intrinsic gas too low",
            "exceeds block gas limit",
            "txpool is full",
            "invalid sender",
            "nonce too high",
            "",
        ] {
            assert_eq!(understand(message), None, "{message}");
        }
    }
}

//! The state of the chain, as far as settling needs it.

use super::{EthereumChain, node::Tag, rpc::RpcError};
use crate::chain::{
    ChainError,
    contract::{self, Call},
};
use alloy_primitives::Address;
use arterial_protocol::BlockNumber;

/// The chain at one height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct View {
    pub(super) height: u64,
    /// Wei a gas.
    pub(super) base_fee: u128,
    /// Wei for a gas of blobs, where this chain's user has a use for them and the chain has them.
    pub(super) blob_fee: Option<u128>,
    /// Transactions of the posting account, which is the nonce of its next one.
    pub(super) nonce: u64,
    /// The newest block in the contract.
    pub(super) settled: BlockNumber,
    /// 0 before the first finality.
    pub(super) finalized_height: u64,
    /// The newest block in the contract's finalised state, if it has one.
    pub(super) settled_final: Option<BlockNumber>,
}

/// How a chain and the contract on it stand, for an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The newest block of the chain.
    pub height: u64,
    /// The newest block that is unlikely to be undone (the `safe` tag), if the chain has one.
    pub safe_height: Option<u64>,
    /// The newest final block, if there is one.
    pub finalized_height: Option<u64>,
    /// Wei for a gas in the newest block, without what validators get.
    pub base_fee: u128,
    /// The newest rollup block in the contract.
    pub settled: BlockNumber,
    /// The newest one in its finalised state, if the contract is in it.
    pub settled_final: Option<BlockNumber>,
    /// Who may post.
    pub sequencer: contract::Address,
    /// What it has, in wei.
    pub balance: u128,
    /// Its transactions that the node knows and that are in no block.
    pub pending_transactions: u64,
}

impl EthereumChain {
    /// The newest state that was read, or a newer one where that is old and nobody else is reading one.
    pub(super) fn look(&self) -> Result<View, ChainError> {
        let (fresh, known) = self.known();
        if let Some(view) = fresh {
            return Ok(view);
        }
        let _looking = match (self.looking.try_lock(), known) {
            (Some(looking), _) => looking,
            (None, Some(view)) => return Ok(view),
            (None, None) => self.looking.lock(),
        };
        // Whoever was waited for has read it.
        if let Some(view) = self.known().0 {
            return Ok(view);
        }
        let now = self.connection.clock.now_ms();
        let view = self.read_view()?;
        *self.view.lock() = Some((view, now));
        Ok(view)
    }

    /// The newest state that was read, if it is new enough; and if it is not.
    fn known(&self) -> (Option<View>, Option<View>) {
        let now = self.connection.clock.now_ms();
        let known = *self.view.lock();
        let is_fresh = |read_ms: u64| u128::from(now.abs_diff(read_ms)) < self.settings().poll.as_millis();
        let fresh = known.filter(|(_, read_ms)| is_fresh(*read_ms));
        (fresh.map(|(view, _)| view), known.map(|(view, _)| view))
    }

    fn read_view(&self) -> Result<View, ChainError> {
        self.see()?;
        let sender = self.account.as_ref().map(super::Account::sender);
        self.nodes().prefer_ahead(self.connection.clock.now_ms());
        self.nodes().ask(|node| {
            let head = node
                .header(Tag::Latest)?
                .ok_or_else(|| RpcError::Unreachable("it has no block yet".into()))?;
            let height = head.number.to();
            let wants_blobs = self.deltas.as_ref().zip(head.excess_blob_gas);
            let at = Tag::Height(height);
            let finalized = node.header(Tag::Finalized)?.map(|header| header.number.to::<u64>());
            Ok(View {
                height,
                base_fee: head.base_fee_per_gas.to(),
                blob_fee: wants_blobs.map(|_| node.blob_fee()).transpose()?,
                nonce: sender.map_or(Ok(0), |sender| node.nonce(sender, at))?,
                settled: node.view(self.contract, Call::Latest, at, contract::decode_latest)?,
                finalized_height: finalized.unwrap_or(0),
                settled_final: finalized
                    .map_or(Ok(None), |height| self.settled_at(node, Tag::Height(height)))?,
            })
        })
    }

    /// The newest block in the contract, if the contract is in that state of the chain.
    fn settled_at(&self, node: &super::node::Node, tag: Tag) -> Result<Option<BlockNumber>, RpcError> {
        match node.view(self.contract, Call::Latest, tag, contract::decode_latest) {
            Ok(settled) => Ok(Some(settled)),
            Err(RpcError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn sequencer(&self, tag: Tag) -> Result<Address, ChainError> {
        let ask = |node: &super::node::Node| {
            node.view(self.contract, Call::Sequencer, tag, contract::decode_address)
        };
        self.nodes().ask(ask).map(|address| address.0.into())
    }

    /// How the chain and the contract stand now.
    ///
    /// # Errors
    /// The chain can't be asked.
    pub fn standing(&self) -> Result<Standing, ChainError> {
        let view = self.read_view()?;
        let sequencer = self.sequencer(Tag::Latest)?;
        self.nodes().ask(|node| {
            let height = |tag| Ok(node.header(tag)?.map(|header| header.number.to::<u64>()));
            let sent = node.nonce(sequencer, Tag::Latest)?;
            // Not every node knows its pool by this tag.
            let pending = match node.nonce(sequencer, Tag::Pending) {
                Err(RpcError::Refused { .. }) => sent,
                answer => answer?,
            };
            Ok(Standing {
                height: view.height,
                safe_height: height(Tag::Safe)?,
                finalized_height: height(Tag::Finalized)?,
                base_fee: view.base_fee,
                settled: view.settled,
                settled_final: view.settled_final,
                sequencer: contract::Address(sequencer.into_array()),
                balance: node.balance(sequencer)?,
                pending_transactions: pending.saturating_sub(sent),
            })
        })
    }
}

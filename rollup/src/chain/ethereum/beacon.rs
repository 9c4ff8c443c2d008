//! A beacon node, which keeps blobs for some weeks.

use super::{
    EthereumChain,
    blobs::from_blobs,
    endpoint::Endpoint,
    node::Tag,
    rpc::{self, RpcError},
};
use crate::{chain::ChainError, delta::Delta};
use alloy_primitives::{B256, Bytes};
use arterial_protocol::BlockNumber;
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// The beacon API of a node.
pub struct Beacon {
    endpoint: Endpoint,
    agent: ureq::Agent,
}

impl std::fmt::Debug for Beacon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beacon").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The delta that was published with a block, and what that cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedDelta {
    /// What is in the blobs; not held against any root yet.
    pub delta: Delta,
    /// Bytes of it.
    pub bytes: usize,
    /// Blobs that they took.
    pub blobs: usize,
    /// Gas for blobs.
    pub blob_gas: u64,
    /// What a gas of it cost, in wei.
    pub blob_gas_price: u128,
    /// Other gas that the transaction used.
    pub gas: u64,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: String,
}

impl Beacon {
    /// A node that may take so long for an answer.
    #[must_use]
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        Self { endpoint, agent: rpc::agent(timeout) }
    }

    /// The blobs with these hashes in the block of this time and height.
    fn blobs(&self, timestamp: u64, height: u64, hashes: &[B256]) -> Result<Vec<Vec<u8>>, ChainError> {
        let slot = self.slot(timestamp, height)?;
        let hashes: Vec<String> = hashes.iter().map(ToString::to_string).collect();
        let path = format!("/eth/v1/beacon/blobs/{slot}?versioned_hashes={}", hashes.join(","));
        let blobs: Option<Vec<Bytes>> = self.get(&path)?;
        let blobs = blobs.ok_or_else(|| self.failed("it has no blobs of that block (any more)".into()))?;
        Ok(blobs.into_iter().map(Into::into).collect())
    }

    /// A development node that has no slots counts blocks instead.
    fn slot(&self, timestamp: u64, height: u64) -> Result<u64, ChainError> {
        let Some(spec) = self.get::<Spec>("/eth/v1/config/spec")? else { return Ok(height) };
        let genesis: Option<Genesis> = self.get("/eth/v1/beacon/genesis")?;
        let number = |text: &str| text.parse::<u64>().ok();
        let seconds = number(&spec.seconds_per_slot).filter(|seconds| *seconds > 0);
        let genesis = genesis.and_then(|genesis| number(&genesis.genesis_time));
        genesis
            .zip(seconds)
            .and_then(|(genesis, seconds)| Some(timestamp.checked_sub(genesis)? / seconds))
            .ok_or_else(|| self.failed("its genesis or its slots are none".into()))
    }

    /// What is in `data`, or `None` where the node has no such thing.
    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ChainError> {
        let (status, body) = rpc::get(&self.agent, &self.endpoint, path).map_err(|what| self.failed(what))?;
        match status {
            200 => serde_json::from_slice::<Answer<T>>(&body)
                .map(|answer| Some(answer.data))
                .map_err(|error| self.failed(format!("an answer of another form: {error}"))),
            404 => Ok(None),
            status => Err(self.failed(format!("HTTP status {status}"))),
        }
    }

    fn failed(&self, what: String) -> ChainError {
        ChainError::Node { endpoint: self.endpoint.to_string(), what }
    }
}

impl EthereumChain {
    /// The delta in the blobs of the transaction that posted a block.
    ///
    /// # Errors
    /// The block does not stand, it was posted without blobs, nobody has them any more, or they hold something else.
    pub fn published_delta(
        &self,
        number: BlockNumber,
        beacon: &Beacon,
    ) -> Result<PublishedDelta, ChainError> {
        let refused = |what: &str| ChainError::Misuse(format!("block {number} {what}"));
        let found = self.nodes().ask(|node| {
            let head = node.header(Tag::Latest)?.map_or(0, |head| head.number.to());
            let Some(hash) = node.posted_by(self.contract, number, head)? else { return Ok(None) };
            let transaction = node.transaction(hash)?;
            let receipt = node.receipt(hash)?;
            let Some((transaction, receipt)) = transaction.zip(receipt) else { return Ok(None) };
            let height = receipt.block_number.to::<u64>();
            let header = node.header(Tag::Height(height))?;
            let header = header.ok_or_else(|| RpcError::Unreachable("a block is gone".into()))?;
            Ok(Some((transaction, receipt, header)))
        })?;
        let (transaction, receipt, header) = found.ok_or_else(|| refused("is not in the contract"))?;
        if transaction.blob_versioned_hashes.is_empty() {
            return Err(refused("was posted without blobs: the accounts can't be rebuilt beyond it"));
        }
        let (timestamp, height) = (header.timestamp.to(), receipt.block_number.to());
        let blobs = beacon.blobs(timestamp, height, &transaction.blob_versioned_hashes)?;
        let bytes = from_blobs(&blobs).ok_or_else(|| refused("has blobs with something else in them"))?;
        let delta = Delta::decode(&bytes)
            .map_err(|error| refused(&format!("has blobs with something else in them: {error}")))?;
        Ok(PublishedDelta {
            delta,
            bytes: bytes.len(),
            blobs: blobs.len(),
            blob_gas: receipt.blob_gas_used.to(),
            blob_gas_price: receipt.blob_gas_price.to(),
            gas: receipt.gas_used.to(),
        })
    }
}

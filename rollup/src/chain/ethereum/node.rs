//! What is asked of a node.

use super::rpc::{Rpc, RpcError};
use crate::chain::{
    At,
    contract::{self, Call, ContractError},
};
use alloy_primitives::{Address, B256, Bytes, U64, U128, U256, keccak256};
use arterial_protocol::{BlockNumber, StateRoot};
use serde::Deserialize;
use serde_json::{Value, json};

/// Blocks that a search for a log covers at once where a node refuses the whole chain.
const LOG_BLOCKS: u64 = 10_000;
/// Such pieces, from the newest on.
const LOG_PIECES_MAX: u64 = 100;
const BLOCK_POSTED: &str = "BlockPosted(uint64,uint256,uint64)";

/// Which state a node is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tag {
    Latest,
    Safe,
    Finalized,
    Pending,
    Height(u64),
}

impl Tag {
    fn value(self) -> Value {
        match self {
            Self::Latest => json!("latest"),
            Self::Safe => json!("safe"),
            Self::Finalized => json!("finalized"),
            Self::Pending => json!("pending"),
            Self::Height(height) => json!(U64::from(height)),
        }
    }
}

impl From<At> for Tag {
    fn from(at: At) -> Self {
        match at {
            At::Latest => Self::Latest,
            At::Finalized => Self::Finalized,
        }
    }
}

/// What is read of a block of the base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) number: U64,
    #[serde(default)]
    pub(super) base_fee_per_gas: U128,
    #[serde(default)]
    pub(super) timestamp: U64,
    /// Only on a chain that has blobs.
    pub(super) excess_blob_gas: Option<U64>,
}

/// What is read of an included transaction.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    #[serde(default)]
    status: U64,
    pub(super) gas_used: U64,
    pub(super) block_number: U64,
    pub(super) contract_address: Option<Address>,
    #[serde(default)]
    pub(super) blob_gas_used: U64,
    #[serde(default)]
    pub(super) blob_gas_price: U128,
}

/// What is read of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionInfo {
    #[serde(default)]
    pub(super) blob_versioned_hashes: Vec<B256>,
}

impl Receipt {
    pub(super) fn succeeded(&self) -> bool {
        self.status == U64::from(1)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    transaction_hash: B256,
    topics: Vec<B256>,
}

/// A contract's answer to a call, or why it reverted it.
pub(super) type Answer = Result<Vec<u8>, ContractError>;

/// A node behind one endpoint.
pub(super) struct Node(pub(super) Rpc);

impl Node {
    pub(super) fn chain_id(&self) -> Result<u64, RpcError> {
        self.0.call::<U64>("eth_chainId", &json!([])).map(|id| id.to())
    }

    /// A block, or `None` where there is none yet: before the first finality, some nodes say so by an error.
    pub(super) fn header(&self, tag: Tag) -> Result<Option<Header>, RpcError> {
        match self.0.call("eth_getBlockByNumber", &json!([tag.value(), false])) {
            Err(RpcError::Refused { .. }) if matches!(tag, Tag::Safe | Tag::Finalized) => Ok(None),
            answer => answer,
        }
    }

    /// How many transactions an account has sent.
    pub(super) fn nonce(&self, account: Address, tag: Tag) -> Result<u64, RpcError> {
        self.0.call::<U64>("eth_getTransactionCount", &json!([account, tag.value()])).map(|nonce| nonce.to())
    }

    pub(super) fn balance(&self, account: Address) -> Result<u128, RpcError> {
        let balance: U256 = self.0.call("eth_getBalance", &json!([account, "latest"]))?;
        Ok(balance.saturating_to())
    }

    pub(super) fn code(&self, address: Address, tag: Tag) -> Result<Vec<u8>, RpcError> {
        self.0.call::<Bytes>("eth_getCode", &json!([address, tag.value()])).map(Into::into)
    }

    /// Runs a call without sending it.
    pub(super) fn call(&self, call: &Simulated<'_>, tag: Tag) -> Result<Answer, RpcError> {
        let Simulated { from, to, calldata, gas } = call;
        let mut request = json!({ "to": to, "data": hex_of(calldata) });
        if let (Some(from), Some(fields)) = (from, request.as_object_mut()) {
            fields.insert("from".into(), json!(from));
            fields.insert("gas".into(), json!(U64::from(*gas)));
        }
        match self.0.call::<Bytes>("eth_call", &json!([request, tag.value()])) {
            Ok(answer) => Ok(Ok(answer.into())),
            Err(RpcError::Refused { message, data }) if is_revert(&message, data.as_deref()) => {
                Ok(Err(ContractError::decode(&data.unwrap_or_default())))
            }
            Err(error) => Err(error),
        }
    }

    /// A question to the contract, which nothing can revert.
    pub(super) fn view<T>(
        &self,
        contract: Address,
        call: Call,
        tag: Tag,
        decode: impl FnOnce(&[u8]) -> Result<T, ContractError>,
    ) -> Result<T, RpcError> {
        let call = Simulated { from: None, to: contract, calldata: &call.encode(), gas: 0 };
        self.call(&call, tag)?.and_then(|answer| decode(&answer)).map_err(|error| RpcError::Refused {
            message: format!("{contract} does not answer as the settlement contract does: {error}"),
            data: None,
        })
    }

    /// The root that the contract holds for a block in a state of the chain.
    pub(super) fn state_root(
        &self,
        contract: Address,
        number: BlockNumber,
        tag: Tag,
    ) -> Result<Option<StateRoot>, RpcError> {
        self.view(contract, Call::StateRoot(number), tag, contract::decode_state_root)
    }

    pub(super) fn send(&self, transaction: &[u8]) -> Result<B256, RpcError> {
        self.0.call("eth_sendRawTransaction", &json!([hex_of(transaction)]))
    }

    pub(super) fn receipt(&self, transaction: B256) -> Result<Option<Receipt>, RpcError> {
        self.0.call("eth_getTransactionReceipt", &json!([transaction]))
    }

    pub(super) fn transaction(&self, hash: B256) -> Result<Option<TransactionInfo>, RpcError> {
        self.0.call("eth_getTransactionByHash", &json!([hash]))
    }

    /// Wei for a gas of blobs.
    pub(super) fn blob_fee(&self) -> Result<u128, RpcError> {
        self.0.call::<U128>("eth_blobBaseFee", &json!([])).map(|fee| fee.to())
    }

    /// The transaction that posted a block, by the contract's event.
    pub(super) fn posted_by(
        &self,
        contract: Address,
        number: BlockNumber,
        height: u64,
    ) -> Result<Option<B256>, RpcError> {
        let topics = [keccak256(BLOCK_POSTED), B256::from(U256::from(number.0))];
        let search = |from: u64, to: u64| {
            let filter = json!({
                "address": contract, "fromBlock": U64::from(from), "toBlock": U64::from(to), "topics": topics,
            });
            let logs: Vec<Log> = self.0.call("eth_getLogs", &json!([filter]))?;
            // EthereumJS looks at the first topic only.
            let found = logs.into_iter().rfind(|log| log.topics.starts_with(&topics));
            Ok(found.map(|log| log.transaction_hash))
        };
        match search(0, height) {
            Err(RpcError::Refused { .. }) => {}
            answer => return answer,
        }
        for piece in 0..LOG_PIECES_MAX {
            let Some(to) = height.checked_sub(piece * LOG_BLOCKS) else { break };
            if let Some(found) = search(to.saturating_sub(LOG_BLOCKS - 1), to)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// A call that is only tried.
pub(super) struct Simulated<'a> {
    /// Who would send it, where that matters, and with how much gas.
    pub(super) from: Option<Address>,
    pub(super) to: Address,
    pub(super) calldata: &'a [u8],
    pub(super) gas: u64,
}

/// Whether a refused call is one that ran and reverted.
fn is_revert(message: &str, data: Option<&[u8]>) -> bool {
    let message = message.to_lowercase();
    data.is_some()
        || ["revert", "out of gas", "outofgas", "invalid opcode"].iter().any(|word| message.contains(word))
}

fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

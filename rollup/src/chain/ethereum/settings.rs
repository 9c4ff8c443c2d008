//! What an operator may set.

use super::endpoint::Endpoint;
use std::time::Duration;

/// A gwei in wei.
const GWEI: u128 = 1_000_000_000;

/// How a chain is reached, and what posting there may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthereumSettings {
    /// The nodes that are asked, the first one first; another when it does not answer, answers with an error or has fallen
    /// behind, and all of them for a root. At least one.
    pub endpoints: Vec<Endpoint>,
    /// What a validator is given beyond the base fee, in wei a gas; doubled or so while a transaction is stuck.
    pub priority_fee: u128,
    /// The most that is ever paid, base fee included, in wei a gas.
    pub fee_max: u128,
    /// The most that is ever paid for blobs, in wei a gas of theirs; a blob is 131,072.
    pub blob_fee_max: u128,
    /// Gas that posting a block may use. It takes some 259,000.
    pub gas_limit: u64,
    /// How old the newest state of the chain that was read may be before it is read again.
    pub poll: Duration,
    /// After how long a transaction that is in no block is sent again as it is, in case nodes have dropped it.
    pub resend: Duration,
    /// After how long it is replaced by one that pays more.
    pub bump: Duration,
    /// How long a node may take for one answer.
    pub timeout: Duration,
}

impl EthereumSettings {
    /// For blocks every twelve seconds, paying up to 100 gwei.
    #[must_use]
    pub const fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            priority_fee: GWEI,
            fee_max: 100 * GWEI,
            blob_fee_max: 10 * GWEI,
            gas_limit: 500_000,
            poll: Duration::from_secs(1),
            resend: Duration::from_secs(30),
            bump: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
        }
    }
}

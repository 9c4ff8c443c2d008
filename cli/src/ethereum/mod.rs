//! Chains that are reached over JSON-RPC: what the command line says of them, and `arterial deploy`.

mod args;
mod deploy;
mod rebuild;

pub(crate) use args::{ContractArgs, DeployArgs, PostingArgs, RebuildArgs};
pub(crate) use deploy::deploy;
pub(crate) use rebuild::rebuild;

use crate::error::CliError;
use arterial::rollup::{
    SystemClock,
    chain::{
        contract::Address,
        ethereum::{Connection, Endpoint, EthereumChain, EthereumSettings},
    },
};
use std::sync::Arc;

/// A contract to read from, and what it is called.
pub(crate) fn read(nodes: Vec<Endpoint>, contract: Address) -> Result<(String, EthereumChain), CliError> {
    let connection = Connection::new(EthereumSettings::new(nodes), Arc::new(SystemClock))?;
    let name = format!("the contract {contract} on chain {}", connection.chain_id());
    Ok((name, connection.read(contract)?))
}

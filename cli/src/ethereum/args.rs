//! Options of chains that are reached over JSON-RPC.

use crate::{args::DeploymentArgs, error::CliError};
use arterial::{
    Deployment, EngineBuilder,
    rollup::{
        SystemClock,
        chain::{
            contract::Address,
            ethereum::{Account, Connection, Endpoint, EthereumSettings, Password},
        },
    },
    storage::FileStorage,
};
use clap::Args;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where the keystore's password is looked for without --password-file.
const PASSWORD_VARIABLE: &str = "ARTERIAL_PASSWORD";
/// Wei of a gwei.
const GWEI: u32 = 1_000_000_000;

/// Who posts, and for how much.
#[derive(Args, Debug)]
#[command(next_help_heading = "Account and fees")]
pub(crate) struct AccountArgs {
    /// The posting account's key, encrypted; its password is in --password-file, or in ARTERIAL_PASSWORD
    #[arg(long, value_name = "FILE", conflicts_with = "signer")]
    keystore: Option<PathBuf>,
    /// A file whose first line is the keystore's password
    #[arg(long, value_name = "FILE", requires = "keystore")]
    password_file: Option<PathBuf>,
    /// A process that holds the key and answers eth_signTransaction, such as web3signer
    #[arg(long, value_name = "URL", requires = "account")]
    signer: Option<Endpoint>,
    /// The account that it signs for
    #[arg(long, value_name = "ADDRESS", requires = "signer")]
    account: Option<Address>,
    /// The most that a gas may cost, in gwei; above it, posting waits
    #[arg(long, value_name = "GWEI", default_value = "100", value_parser = gwei)]
    fee_max: u128,
    /// What validators get for a gas beyond the base fee, in gwei, before a transaction is stuck
    #[arg(long, value_name = "GWEI", default_value = "1", value_parser = gwei)]
    priority_fee: u128,
}

impl AccountArgs {
    fn account(&self, settings: &EthereumSettings) -> Result<Account, CliError> {
        match (&self.keystore, &self.signer, self.account) {
            (Some(keystore), ..) => {
                let password = match &self.password_file {
                    Some(file) => Password::from_file(file)?,
                    None => Password::from_env(PASSWORD_VARIABLE)?,
                };
                Ok(Account::from_keystore(keystore, &password)?)
            }
            (None, Some(signer), Some(account)) => {
                Ok(Account::remote(signer.clone(), account, settings.timeout))
            }
            _ => Err(CliError::NoAccount),
        }
    }

    /// The chain, and who posts there. Where its id is known, it need not answer yet.
    pub(super) fn connect(
        &self,
        mut settings: EthereumSettings,
        chain_id: Option<u64>,
    ) -> Result<(Connection, Account), CliError> {
        (settings.fee_max, settings.priority_fee) = (self.fee_max, self.priority_fee);
        let account = self.account(&settings)?;
        let clock = Arc::new(SystemClock);
        let connection = match chain_id {
            Some(chain_id) => Connection::known(settings, clock, chain_id),
            None => Connection::new(settings, clock)?,
        };
        Ok((connection, account))
    }
}

/// `run` on such a chain.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settling on a real chain")]
pub(crate) struct PostingArgs {
    /// A node's JSON-RPC, instead of the embedded chain; give several to have them checked against each other
    #[arg(long, value_name = "URL", requires = "contract", conflicts_with_all = ["slot_ms", "validators"])]
    chain: Vec<Endpoint>,
    /// The settlement contract's address, as `arterial deploy` printed it
    #[arg(long, value_name = "ADDRESS", requires = "chain")]
    contract: Option<Address>,
    /// Publish what each block does to the accounts beside it, in blobs, for `arterial rebuild`; needs --keystore
    #[arg(long, requires = "contract", requires = "keystore")]
    blobs: bool,
    /// The most that a gas of blobs may cost, in gwei; above it, posting waits
    #[arg(long, value_name = "GWEI", default_value = "10", value_parser = gwei, requires = "blobs")]
    blob_fee_max: u128,
    #[command(flatten)]
    account: AccountArgs,
}

impl PostingArgs {
    /// The engine in a directory settles on the chain that was given, if one was.
    pub(crate) fn settle_there(&self, builder: EngineBuilder, dir: &Path) -> Result<EngineBuilder, CliError> {
        let Some(contract) = self.contract else { return Ok(builder) };
        let mut settings = EthereumSettings::new(self.chain.clone());
        settings.blob_fee_max = self.blob_fee_max;
        let chain_id = Deployment::read(&FileStorage, dir).ok().map(|deployment| deployment.chain_id);
        let (connection, account) = self.account.connect(settings, chain_id)?;
        Ok(match self.blobs {
            true => builder.ethereum_with_blobs(connection, account, contract),
            false => builder.ethereum(connection, account, contract),
        })
    }
}

/// A contract to look at.
#[derive(Args, Debug)]
pub(crate) struct ContractArgs {
    /// A node's JSON-RPC, instead of the embedded chain; give several to have them checked against each other
    #[arg(long, value_name = "URL", requires = "contract")]
    chain: Vec<Endpoint>,
    /// The settlement contract's address
    #[arg(long, value_name = "ADDRESS", requires = "chain")]
    contract: Option<Address>,
}

/// Where the accounts are rebuilt from.
#[derive(Args, Debug)]
pub(crate) struct RebuildArgs {
    /// A node's JSON-RPC; give several to have them checked against each other
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) rpc: Vec<Endpoint>,
    /// The settlement contract's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) contract: Address,
    /// A beacon node's API, which has the blobs of some weeks
    #[arg(long, value_name = "URL")]
    pub(crate) beacon: Endpoint,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DeployArgs {
    /// A node's JSON-RPC; give several to have transactions sent by all of them
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) chain: Vec<Endpoint>,
    /// The deployment's directory: new, empty, or of an earlier run on this chain
    #[arg(long, value_name = "DIR", default_value = "arterial-run")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

impl ContractArgs {
    /// The nodes and the contract that were given, if they were.
    pub(crate) fn given(&self) -> Option<(Vec<Endpoint>, Address)> {
        self.contract.map(|contract| (self.chain.clone(), contract))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is within bounds and not negative"
)]
fn gwei(text: &str) -> Result<u128, String> {
    let gwei: f64 = text.parse().map_err(|_| "expected a number of gwei, such as 30 or 0.1".to_owned())?;
    if !(0.0..=1e9).contains(&gwei) {
        return Err("expected from 0 to 1,000,000,000 gwei".into());
    }
    Ok((gwei * f64::from(GWEI)).round() as u128)
}

#[cfg(test)]
mod tests {
    #[test]
    fn gwei_are_read_exactly_enough() {
        for (text, wei) in [("0", 0), ("0.1", 100_000_000), ("1", 1_000_000_000), ("100", 100_000_000_000)] {
            assert_eq!(super::gwei(text), Ok(wei));
        }
        for text in ["", "-1", "NaN", "inf", "1e10", "ten"] {
            assert!(super::gwei(text).is_err(), "{text}");
        }
    }
}

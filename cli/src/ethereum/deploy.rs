//! `arterial deploy`.

use super::DeployArgs;
use crate::{error::CliError, output, run};
use arterial::rollup::chain::ethereum::EthereumSettings;
use serde::Serialize;

#[derive(Serialize)]
struct Deployed {
    contract: String,
    chain_id: u64,
    sequencer: String,
    directory: String,
}

/// Deploys, and says where.
pub(crate) fn deploy(args: &DeployArgs) -> Result<(), CliError> {
    let (connection, account) = args.account.connect(EthereumSettings::new(args.chain.clone()), None)?;
    let (chain_id, sequencer) = (connection.chain_id(), account.address().to_string());
    run::warn_of_keys(&args.out);
    let contract = run::deployment(&args.out, &args.deployment).deploy(connection, account)?.to_string();
    let directory = args.out.display().to_string();
    if args.json {
        return output::print_json(&Deployed { contract, chain_id, sequencer, directory });
    }
    output::print(&format!(
        "{contract}\n\nThe contract of {directory} on chain {chain_id}, with {sequencer} as its sequencer. Settle there with\n  \
         arterial run --out {directory} --chain {} --contract {contract} …\n",
        args.chain.first().map(ToString::to_string).unwrap_or_default(),
    ))
}

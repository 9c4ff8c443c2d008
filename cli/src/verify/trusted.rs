//! Where the state root comes from that receipts are checked against.

use crate::{args::VerifyArgs, error::CliError};
use arterial::{
    At, BaseChain, BlockNumber, StateRoot, rollup::chain::embedded::EmbeddedChain, storage::FileStorage,
};
use std::path::Path;

/// What the caller trusts.
pub(super) enum Trusted {
    Given(StateRoot),
    /// A chain, and what it is called.
    Chain {
        name: String,
        chain: Box<dyn BaseChain>,
    },
}

/// A root, and what it rests on in plain words.
pub(super) struct Root {
    pub(super) value: StateRoot,
    pub(super) source: String,
}

impl Trusted {
    pub(super) fn open(args: &VerifyArgs) -> Result<Self, CliError> {
        #[cfg(feature = "ethereum")]
        if let Some(contract) = args.contract {
            let (name, chain) = crate::ethereum::read(args.rpc.clone(), contract)?;
            return Ok(Self::Chain { name, chain: Box::new(chain) });
        }
        match (args.state_root, &args.chain) {
            (Some(root), None) => Ok(Self::Given(root)),
            (None, Some(dir)) => Self::open_chain(dir),
            _ => Err(CliError::NoRoot),
        }
    }

    fn open_chain(dir: &Path) -> Result<Self, CliError> {
        let history = dir.join("chain");
        if !history.is_dir() {
            return Err(CliError::NoChain { path: dir.to_owned() });
        }
        let chain = Box::new(EmbeddedChain::open_read_only(&FileStorage, &history)?);
        Ok(Self::Chain { name: format!("the chain in {}", history.display()), chain })
    }

    /// The root of a block, or why there is none.
    pub(super) fn root_of(&self, number: BlockNumber) -> Result<Root, String> {
        let (name, chain) = match self {
            Self::Given(value) => {
                return Ok(Root { value: *value, source: "as given with --state-root".into() });
            }
            Self::Chain { name, chain } => (name, chain),
        };
        let ask = |at| chain.state_root(number, at).map_err(|error| error.to_string());
        if let Some(value) = ask(At::Finalized)? {
            return Ok(Root { value, source: format!("final on {name}") });
        }
        if let Some(value) = ask(At::Latest)? {
            let source = format!("on {name}, but NOT FINAL: a reorganisation could still undo it");
            return Ok(Root { value, source });
        }
        Err(format!("{name} has no block {number}: is the receipt of another deployment?"))
    }
}

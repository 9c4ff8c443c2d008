//! Settling on Ethereum and chains like it.

use crate::{builder::EngineBuilder, deltas::StoredDeltas, error::EngineError};
use arterial_rollup::chain::{
    BaseChain, ChainError,
    contract::Address,
    ethereum::{Account, Connection},
};
use std::{cell::Cell, rc::Rc, sync::Arc};

impl EngineBuilder {
    /// Settles on a chain that is reached over JSON-RPC, in a contract that was [deployed](Self::deploy) for this
    /// deployment, from an account that must be its sequencer. Opening fails where the contract is another one; where no node answers,
    /// that is seen to when one does, and nothing is posted before.
    #[must_use]
    pub fn ethereum(self, connection: Connection, account: Account, contract: Address) -> Self {
        self.chain(connection.chain_id(), move |ours| {
            let chain = connection.open(account, contract, &ours.key.words(), ours.genesis_state_root)?;
            Ok(Arc::new(chain) as Arc<dyn BaseChain>)
        })
    }

    /// [`Self::ethereum`], with what each block does to the accounts published beside it, in blobs, where the chain has
    /// them: so that the accounts can be [rebuilt](arterial_rollup::delta::Rebuilt) from the chain alone. A block that
    /// touches more than some 20,000 accounts has no room for that and is posted without.
    #[must_use]
    pub fn ethereum_with_blobs(self, connection: Connection, account: Account, contract: Address) -> Self {
        self.chain_with_files(connection.chain_id(), move |ours, storage| {
            let chain = connection.open(account, contract, &ours.key.words(), ours.genesis_state_root)?;
            let deltas = StoredDeltas::open(ours.dir, storage, ours.published)
                .map_err(|error| ChainError::Misuse(format!("the accounts can't be published: {error}")))?;
            Ok(Arc::new(chain.with_blobs(Arc::new(deltas))) as Arc<dyn BaseChain>)
        })
    }

    /// Deploys the contract of the deployment in the directory, which is begun where there is none, and waits until it
    /// is in a block; its address is needed from then on. The account becomes its sequencer. Doing it again makes
    /// another contract, in which every block is posted anew.
    ///
    /// # Errors
    /// As for [`Self::open`], or the contract can't be deployed.
    pub fn deploy(self, connection: Connection, account: Account) -> Result<Address, EngineError> {
        let address = Rc::new(Cell::new(None));
        let deployed = Rc::clone(&address);
        let engine = self.chain(connection.chain_id(), move |ours| {
            let contract = connection.deploy(&account, &ours.key.words(), ours.genesis_state_root)?;
            deployed.set(Some(contract));
            let chain = connection.open(account, contract, &ours.key.words(), ours.genesis_state_root)?;
            Ok(Arc::new(chain) as Arc<dyn BaseChain>)
        });
        drop(engine.open_stepped()?);
        address.get().ok_or_else(|| EngineError::Inconsistent { what: "no contract was deployed".into() })
    }
}

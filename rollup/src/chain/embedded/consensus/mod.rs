//! How the chain's blocks come to be: by the clock alone, or by the votes of validators.

mod agreed;
mod ballot;
mod candidate;
mod certificate;
mod consortium;
mod evidence;
mod faults;
mod machine;
mod malachite;
mod network;
mod record;
mod slots;
mod stake;
#[cfg(test)]
mod tests;
mod validator;

pub(super) use agreed::Agreed;
pub(super) use consortium::Consortium;
pub use faults::Conduct;
pub(super) use record::Record;
pub(super) use slots::Slots;
pub use stake::{STAKE_MAX, VALIDATORS_MAX};

use super::{Transaction, evm::Executed, frame::Block, ledger::Ledger};
use crate::chain::{ChainError, contract::Call};
use arterial_protocol::BlockNumber;

/// Transactions that wait for a block, each with what it does after those before it.
pub(super) type Pool = Vec<(Transaction, Executed)>;

/// What makes the blocks of a chain.
pub(super) trait Consensus: Send {
    /// Does what has become due. Whatever counts is on disk before it does.
    fn advance(&mut self, ledger: &mut Ledger) -> Result<(), ChainError>;

    /// What waits for a block.
    fn pool(&self) -> &Pool;

    /// Lets a simulated transaction wait for a block.
    fn submit(
        &mut self,
        ledger: &Ledger,
        transaction: Transaction,
        executed: Executed,
    ) -> Result<(), ChainError>;

    /// Takes the newest blocks away, but no final one, and forgets what waits.
    fn reorganise(&mut self, ledger: &mut Ledger, depth: u64) -> Result<(), ChainError>;

    /// What the validators are agreed on, if there are any.
    fn agreed(&self) -> Option<&Agreed> {
        None
    }

    /// The validators, if they are in this process.
    fn consortium(&mut self) -> Option<&mut Consortium> {
        None
    }
}

/// Of a chain that is only read: nothing becomes of it here.
pub(super) struct ReadOnly {
    agreed: Option<Agreed>,
    pool: Pool,
}

impl ReadOnly {
    pub(super) const fn new(agreed: Option<Agreed>) -> Self {
        Self { agreed, pool: Vec::new() }
    }
}

impl Consensus for ReadOnly {
    fn advance(&mut self, _: &mut Ledger) -> Result<(), ChainError> {
        Ok(())
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn submit(&mut self, _: &Ledger, _: Transaction, _: Executed) -> Result<(), ChainError> {
        Err(read_only())
    }

    fn reorganise(&mut self, _: &mut Ledger, _: u64) -> Result<(), ChainError> {
        Err(read_only())
    }

    fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }
}

fn read_only() -> ChainError {
    ChainError::Misuse("this chain was opened read-only; open it to send to it".into())
}

/// The root that a rollup's block will have in the contract, if what posts it waits and will succeed.
pub(super) fn pending_post(pool: &Pool, number: BlockNumber) -> Option<[u8; 32]> {
    pool.iter().find_map(|(transaction, executed)| {
        let (posted, root) = post_of(transaction, executed.receipt.success)?;
        (posted == number).then_some(root)
    })
}

/// The rollup's block that a transaction posts, and its root, if the contract takes it.
fn post_of(transaction: &Transaction, success: bool) -> Option<(BlockNumber, [u8; 32])> {
    match Call::decode(&transaction.calldata) {
        Some(Call::PostBlock { number, new_state_root, .. }) if success => Some((number, new_state_root)),
        _ => None,
    }
}

/// The block that transactions make, in order; where several changed an account, it ends as the last one left it.
fn block_of(height: u64, transactions: &[(Transaction, Executed)]) -> Block {
    let with_receipts =
        transactions.iter().map(|(transaction, executed)| (transaction.clone(), executed.receipt.clone()));
    let changes = transactions.iter().flat_map(|(_, executed)| executed.changes.iter().cloned());
    Block { height, transactions: with_receipts.collect(), changes: changes.collect() }
}

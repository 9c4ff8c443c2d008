//! One node and a clock: every slot has a block, and one that is so many slots old is final.

use super::{Consensus, Pool, block_of};
use crate::chain::{
    ChainError,
    embedded::{
        EmbeddedConfig, TRANSACTIONS_MAX, Transaction,
        evm::Executed,
        frame::{Frame, Header},
        history::Writer,
        ledger::Ledger,
    },
};
use arterial_storage::Clock;
use std::sync::Arc;

/// The last slot that a clock can reach, so that counting on from there never overflows.
const SLOT_MAX: u64 = u64::MAX / 2;

pub(in crate::chain::embedded) struct Slots {
    slot_ms: u64,
    finality_slots: u64,
    genesis_ms: u64,
    /// Transactions for the block of height `pool_height`.
    pool: Pool,
    pool_height: u64,
    writer: Writer,
    clock: Arc<dyn Clock>,
}

impl Slots {
    pub(in crate::chain::embedded) fn new(header: &Header, writer: Writer, clock: Arc<dyn Clock>) -> Self {
        let EmbeddedConfig { slot_ms, finality_slots, .. } = header.config;
        let genesis_ms = header.genesis_ms;
        Self { slot_ms, finality_slots, genesis_ms, pool: Pool::new(), pool_height: 0, writer, clock }
    }

    fn finalize(&mut self, ledger: &mut Ledger) -> Result<(), ChainError> {
        let finalized = ledger.height.saturating_sub(self.finality_slots);
        if finalized <= ledger.finalized_height {
            return Ok(());
        }
        // Recorded only where a block with transactions becomes final: it must stay so whatever a later clock says.
        if ledger.has_blocks(ledger.finalized_height + 1..=finalized) {
            self.writer.append(&Frame::Final(finalized))?;
        }
        ledger.finalized_height = finalized;
        Ok(())
    }
}

impl Consensus for Slots {
    fn advance(&mut self, ledger: &mut Ledger) -> Result<(), ChainError> {
        self.writer.check()?;
        let since_genesis_ms = self.clock.now_ms().saturating_sub(self.genesis_ms);
        let height = (since_genesis_ms / self.slot_ms).min(SLOT_MAX).max(ledger.height);
        if !self.pool.is_empty() && self.pool_height <= height {
            let block = block_of(self.pool_height, &self.pool);
            self.writer.append(&Frame::Block(block.clone()))?;
            self.pool.clear();
            ledger.include(block);
        }
        ledger.rise_to(height, height);
        self.finalize(ledger)
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn submit(
        &mut self,
        ledger: &Ledger,
        transaction: Transaction,
        executed: Executed,
    ) -> Result<(), ChainError> {
        if self.pool.len() == TRANSACTIONS_MAX {
            let what = format!("{TRANSACTIONS_MAX} transactions are pending; send again in the next slot");
            return Err(ChainError::Misuse(what));
        }
        // What waited before this slot is in its block: every call advances first.
        self.pool_height = ledger.height + 1;
        self.pool.push((transaction, executed));
        Ok(())
    }

    /// As a reorganisation of a chain with more nodes would. The heights of what is taken away stay empty.
    fn reorganise(&mut self, ledger: &mut Ledger, depth: u64) -> Result<(), ChainError> {
        let kept = ledger.height.saturating_sub(depth).max(ledger.finalized_height);
        self.pool.clear();
        if !ledger.has_blocks(kept + 1..) {
            return Ok(());
        }
        let (header, mut history) = self.writer.history()?;
        let (shorter, _) = Ledger::replay(&header, &mut history, kept)?;
        self.writer.append(&Frame::Reorganised(kept))?;
        ledger.go_back(shorter);
        Ok(())
    }
}

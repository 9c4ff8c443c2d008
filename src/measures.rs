//! What making and settling blocks reports, step by step.

use crate::error::EngineError;
use arterial_protocol::{BlockNumber, BlockStatement};
use arterial_rollup::chain::{BaseChain, PostStatus};
use arterial_telemetry::{self as telemetry, BLOCK_STEPS, Counter, Histogram};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// A step of making a block, in the order of [`BLOCK_STEPS`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlockStep {
    Seal,
    Apply,
    ProveBatches,
    ProveBlock,
    Store,
}

/// What the block pipeline reports.
#[derive(Debug)]
pub(crate) struct BlockMeasures {
    steps: [Histogram; BLOCK_STEPS.len()],
    block_records: Histogram,
    blocks: Counter,
    records: Counter,
    pub(crate) faults: Counter,
}

impl BlockMeasures {
    pub(crate) fn new() -> Self {
        Self {
            steps: BLOCK_STEPS.map(|step| telemetry::BLOCK_STEP_SECONDS.histogram(&[step])),
            block_records: telemetry::BLOCK_RECORDS.histogram(&[]),
            blocks: telemetry::BLOCKS_PROVEN.counter(&[]),
            records: telemetry::RECORDS_PROVEN.counter(&[]),
            faults: telemetry::FAULTS.counter(&["blocks"]),
        }
    }

    /// Does a step; how long it took is reported if it came through.
    pub(crate) fn time<T>(
        &self,
        step: BlockStep,
        work: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let begun = Instant::now();
        let done = work()?;
        self.steps[step as usize].record(begun.elapsed());
        Ok(done)
    }

    pub(crate) fn proven(&self, statement: &BlockStatement) {
        self.blocks.increment(1);
        self.records.increment(statement.record_count);
        #[expect(clippy::cast_precision_loss, reason = "a block has fewer than 2^52 records")]
        self.block_records.record(statement.record_count as f64);
    }
}

/// What settling reports.
#[derive(Debug)]
pub(crate) struct SettleMeasures {
    /// Whether the chain was looked at before: what stands on it then came there earlier.
    follows: AtomicBool,
    posted: Counter,
    gas: Counter,
    gas_blocks: Counter,
    reorgs: Counter,
    regressed: Counter,
    pub(crate) faults: Counter,
}

impl SettleMeasures {
    pub(crate) fn new() -> Self {
        Self {
            follows: AtomicBool::new(false),
            posted: telemetry::BLOCKS_POSTED.counter(&[]),
            gas: telemetry::GAS.counter(&[]),
            gas_blocks: telemetry::GAS_BLOCKS.counter(&[]),
            reorgs: telemetry::REORGS.counter(&[]),
            regressed: telemetry::BLOCKS_REGRESSED.counter(&[]),
            faults: telemetry::FAULTS.counter(&["settle"]),
        }
    }

    /// The newest block on the chain is another one than before. What gas a block took is asked for here; a chain that
    /// doesn't answer just now leaves it uncounted.
    pub(crate) fn moved(&self, chain: &dyn BaseChain, before: BlockNumber, settled: BlockNumber) {
        if settled < before {
            self.reorgs.increment(1);
            self.regressed.increment(before.0 - settled.0);
        }
        if !self.follows.swap(true, Ordering::Relaxed) {
            return;
        }
        for number in (before.0 + 1..=settled.0).map(BlockNumber) {
            self.posted.increment(1);
            if let Ok(PostStatus::Posted(inclusion) | PostStatus::Final(inclusion)) = chain.status(number) {
                self.gas.increment(inclusion.gas_used);
                self.gas_blocks.increment(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_named_in_their_order() {
        use BlockStep::*;
        let steps = [Seal, Apply, ProveBatches, ProveBlock, Store];
        let named = steps.map(|step| format!("{step:?}").replace("Prove", "Prove_").to_lowercase());
        assert_eq!(named, BLOCK_STEPS);
        assert!(steps.iter().enumerate().all(|(at, step)| *step as usize == at));
    }
}

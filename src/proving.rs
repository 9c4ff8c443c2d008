//! The proof of a block's batches: made once, kept beside the block, taken up again after a crash.

use crate::{
    error::EngineError,
    pipeline::Sealed,
    stages::{Proving, ProvingStep, Stages},
};
use arterial_rollup::{
    accounts::Before,
    batch_proof::{BatchProofError, BatchProofs, BatchProver, BatchWitness, Options, Witness, check_moves},
    circuit::BlockWitness,
};
use std::sync::Arc;

/// Proves batches and keeps the proofs.
pub(crate) struct BatchProving {
    pub(crate) prover: Arc<dyn BatchProver>,
    pub(crate) files: BatchProofs,
}

impl BatchProving {
    /// Makes it durable that a block's batches move every shard as the block says; `before` is what each shard's batch
    /// met, if it has one.
    pub(crate) fn prove(
        &self,
        sealed: &Sealed,
        before: &[Option<&Before>],
        block: &BlockWitness,
        stages: &Stages,
    ) -> Result<(), EngineError> {
        if self.is_proven(block)? {
            return Ok(());
        }
        let mut batches = Vec::new();
        for (sealed, before) in sealed.batches.iter().zip(before) {
            if let (Some(data), &Some(before)) = (sealed.data, before) {
                let accounts = before.accounts();
                batches.push(BatchWitness { batch: &sealed.batch, accounts, tree: before, data });
            }
        }
        let number = block.number;
        let progress = |phase| stages.proves(Some(Proving { number, step: ProvingStep::Batches(phase) }));
        let options = Options { cancel: Some(stages.cancel()), progress: Some(&progress) };
        let proven = self.prover.prove(&Witness { number, batches: &batches }, &options)?;
        check_moves(&block.old, &block.new, proven.statement())?;
        Ok(self.files.write(&proven)?)
    }

    /// Whether these batches were proven before: then the block was not stored, and is made again.
    fn is_proven(&self, block: &BlockWitness) -> Result<bool, EngineError> {
        let number = block.number;
        if !self.files.has(number)? {
            return Ok(false);
        }
        let checked = self
            .files
            .read(number, &*self.prover)
            .and_then(|proven| check_moves(&block.old, &block.new, proven.statement()));
        match checked {
            Ok(()) => Ok(true),
            Err(error @ BatchProofError::Io { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!(block = %number, %error, "a batch proof of an unfinished block is made again");
                Ok(false)
            }
        }
    }
}

//! From disk to the base chain: posting blocks in order and following them until they are final.

use crate::{
    error::EngineError,
    measures::SettleMeasures,
    stages::{Stages, Turn},
};
use arterial_protocol::BlockNumber;
use arterial_rollup::{
    BlockStore,
    chain::{At, BaseChain, PostStatus},
    proof::VerificationKey,
};
use std::{sync::Arc, time::Duration};

/// How often the chain is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long to wait before asking again after an error.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Blocks submitted before the first of them is included, at most.
const IN_FLIGHT_MAX: u64 = 16;

/// The one poster of blocks.
pub(crate) struct Settler {
    pub(crate) chain: Arc<dyn BaseChain>,
    pub(crate) blocks: BlockStore,
    pub(crate) key: VerificationKey,
    pub(crate) stages: Arc<Stages>,
    pub(crate) measures: SettleMeasures,
}

impl Settler {
    /// Settles until the engine stops.
    pub(crate) fn run(self) {
        while match self.step() {
            Turn::Worked | Turn::Idle => self.stages.back_off(ASK_EVERY),
            Turn::Failed => self.stages.back_off(RETRY_AFTER),
            Turn::Over => false,
        } {}
    }

    /// Asks the chain and posts what it lacks. An error is shown in the state and tried again: a chain that can't be
    /// reached, or that takes no block, stops neither ingest nor proving.
    pub(crate) fn step(&self) -> Turn {
        if self.stages.progress().stopping {
            return Turn::Over;
        }
        match self.observe().and_then(|()| Ok(self.chain.tend()?)).and_then(|()| self.post()) {
            Ok(()) => {
                self.stages.progress().chain_fault = None;
                Turn::Worked
            }
            Err(error) => {
                tracing::error!(%error, "settling does not get on");
                self.measures.faults.increment(1);
                self.stages.update(|progress| progress.chain_fault = Some(error.to_string()));
                Turn::Failed
            }
        }
    }

    /// Takes over what the chain says: blocks that came, blocks that a reorganisation took away, finality.
    fn observe(&self) -> Result<(), EngineError> {
        let (proven, before, mut finalized) = {
            let progress = self.stages.progress();
            (progress.proven, progress.posted, progress.finalized)
        };
        let settled = self.chain.head()?.settled;
        if settled > proven {
            let what = format!("block {settled} stands on the base chain, the newest block here is {proven}");
            return Err(EngineError::Inconsistent { what });
        }
        if settled < before {
            tracing::warn!(%settled, %before, "a reorganisation took blocks away; they are posted again");
        }
        // What is final is looked at again: it need not be what stood there when it was posted.
        while finalized < settled && self.stands(finalized.next(), At::Finalized)? {
            finalized = finalized.next();
        }
        // And it need not be looked at twice, which after a restart is nearly everything.
        let mut posted = before.max(finalized).min(settled);
        while posted < settled && self.stands(posted.next(), At::Latest)? {
            posted = posted.next();
        }
        if (posted, finalized) != (before, self.stages.progress().finalized) {
            self.stages.update(|progress| (progress.posted, progress.finalized) = (posted, finalized));
        }
        self.measures.moved(&*self.chain, before, posted);
        Ok(())
    }

    /// Whether a block stands on the chain. What stands there must be this engine's.
    fn stands(&self, number: BlockNumber, at: At) -> Result<bool, EngineError> {
        let Some(theirs) = self.chain.state_root(number, at)? else { return Ok(false) };
        let ours = self.blocks.read(number, &self.key)?.block.statement().new_state_root;
        if theirs == ours { Ok(true) } else { Err(EngineError::Diverged { number, ours, theirs }) }
    }

    /// Submits what is proven and not on the chain, in order. Submitting again is harmless.
    fn post(&self) -> Result<(), EngineError> {
        let (proven, posted) = {
            let progress = self.stages.progress();
            (progress.proven, progress.posted)
        };
        for number in (posted.0 + 1..=proven.0.min(posted.0 + IN_FLIGHT_MAX)).map(BlockNumber) {
            match self.chain.status(number)? {
                PostStatus::Unknown | PostStatus::Reverted(_) => {
                    self.chain.post(&self.blocks.read(number, &self.key)?.block)?;
                    tracing::info!(block = %number, "posted");
                }
                PostStatus::Pending | PostStatus::Posted(_) | PostStatus::Final(_) => {}
            }
        }
        Ok(())
    }
}

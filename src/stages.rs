//! How far the blocks have come, for those who make them and those who wait for them.

use crate::error::EngineError;
use arterial_protocol::{BlockNumber, Stage, StateRoot};
use arterial_rollup::batch_proof::Phase;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// The newest block of each stage.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) proven: BlockNumber,
    pub(crate) posted: BlockNumber,
    pub(crate) finalized: BlockNumber,
    /// Of the newest proven block.
    pub(crate) state_root: StateRoot,
    /// What is being proven.
    pub(crate) proving: Option<Proving>,
    /// Blocks proven since the engine was opened, and how long the proofs took.
    pub(crate) proofs: u64,
    pub(crate) prove_time: Duration,
    /// A block up to this number was asked for.
    pub(crate) wanted: BlockNumber,
    /// Why sealing or proving does not get on at the moment.
    pub(crate) fault: Option<String>,
    /// Why settling does not get on at the moment.
    pub(crate) chain_fault: Option<String>,
    /// Why no more blocks are made.
    pub(crate) halted: Option<String>,
    pub(crate) stopping: bool,
}

impl Progress {
    /// The newest block that has come to a stage.
    pub(crate) const fn at(&self, stage: Stage) -> BlockNumber {
        match stage {
            Stage::Sealed | Stage::Proven => self.proven,
            Stage::Posted => self.posted,
            Stage::Final => self.finalized,
        }
    }

    /// How far a proven block has come.
    pub(crate) fn stage_of(&self, number: BlockNumber) -> Stage {
        if number <= self.finalized {
            Stage::Final
        } else if number <= self.posted {
            Stage::Posted
        } else {
            Stage::Proven
        }
    }
}

/// How a turn of the block pipeline or of the settler went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Something was done; there may be more.
    Worked,
    /// There was nothing to do.
    Idle,
    /// It did not get on, and may if it is tried again.
    Failed,
    /// There is no next turn.
    Over,
}

/// What is being proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proving {
    /// The block.
    pub number: BlockNumber,
    /// What of it.
    pub step: ProvingStep,
}

/// The steps of proving a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProvingStep {
    /// That its batches follow the rules, record by record.
    Batches(Phase),
    /// That its state root follows from the one before.
    Block,
}

#[derive(Debug)]
pub(crate) struct Stages {
    progress: Mutex<Progress>,
    changed: Condvar,
    /// Set once the engine stops: what takes long looks at it.
    cancel: AtomicBool,
}

impl Stages {
    pub(crate) const fn new(proven: BlockNumber, state_root: StateRoot) -> Self {
        let progress = Progress {
            proven,
            posted: BlockNumber::GENESIS,
            finalized: BlockNumber::GENESIS,
            state_root,
            proving: None,
            proofs: 0,
            prove_time: Duration::ZERO,
            wanted: BlockNumber::GENESIS,
            fault: None,
            chain_fault: None,
            halted: None,
            stopping: false,
        };
        Self { progress: Mutex::new(progress), changed: Condvar::new(), cancel: AtomicBool::new(false) }
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
        self.changed.notify_all();
    }

    /// Says what is being proven from now on.
    pub(crate) fn proves(&self, proving: Option<Proving>) {
        self.progress.lock().proving = proving;
    }

    /// Lets every thread of the engine come to its end.
    pub(crate) fn stop(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.update(|progress| progress.stopping = true);
    }

    /// True once the engine stops.
    pub(crate) const fn cancel(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Waits for a change, or so long; whether the engine goes on.
    pub(crate) fn pause(&self, at_most: Duration) -> bool {
        let mut progress = self.progress.lock();
        if !progress.stopping {
            self.changed.wait_for(&mut progress, at_most);
        }
        !progress.stopping
    }

    /// Waits so long, whatever changes meanwhile; whether the engine goes on.
    pub(crate) fn back_off(&self, for_so_long: Duration) -> bool {
        let until = Instant::now() + for_so_long;
        let mut progress = self.progress.lock();
        while !progress.stopping && !self.changed.wait_until(&mut progress, until).timed_out() {}
        !progress.stopping
    }

    /// Waits until a block has come to a stage.
    pub(crate) fn wait(&self, number: BlockNumber, stage: Stage) -> Result<(), EngineError> {
        let mut progress = self.progress.lock();
        while progress.at(stage) < number {
            if let Some(reason) = &progress.halted {
                return Err(EngineError::Halted { reason: reason.clone() });
            }
            if progress.stopping {
                return Err(EngineError::Closed);
            }
            self.changed.wait(&mut progress);
        }
        Ok(())
    }
}

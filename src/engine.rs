//! The handle that a host node holds.

use crate::{
    builder::EngineBuilder,
    error::EngineError,
    genesis::Deployment,
    receipts::Receipts,
    stages::{Proving, Stages},
};
use arterial_protocol::{
    BlockNumber, BlockStatement, DeviceId, Domain, Receipt, Stage, StateRoot, Tag, Write,
};
use arterial_rollup::chain::{BaseChain, Inclusion, PostStatus};
use arterial_shards::{
    EnrolError, Enrolled, Enrolment, Lane, ShardStatus, Shards, SignedBundle, SubmitError, Ticket, Tickets,
};
use arterial_storage::Lock;
use parking_lot::Mutex;
use std::{fmt, path::PathBuf, sync::Arc, thread::JoinHandle};

/// A running deployment: takes writes, makes them durable, proves and settles them, and hands out receipts.
///
/// A cheap handle: clone it into every thread that submits. Nothing in it needs an async runtime; a ticket can be
/// waited for or awaited. It ends with [`Engine::close`], or when the last handle is dropped.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    deployment: Deployment,
    shards: Arc<Shards>,
    chain: Arc<dyn BaseChain>,
    stages: Arc<Stages>,
    receipts: Receipts,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held as long as the engine lives.
    _lock: Lock,
}

/// How far a deployment has come.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineState {
    /// What its state roots commit to.
    pub domain: Domain,
    /// Every shard.
    pub shards: Vec<ShardStatus>,
    /// The newest block that every shard has sealed.
    pub sealed: BlockNumber,
    /// The newest proven block.
    pub proven: BlockNumber,
    /// The newest block on the base chain.
    pub posted: BlockNumber,
    /// The newest block that is final there.
    pub finalized: BlockNumber,
    /// The state root of the newest proven block.
    pub state_root: StateRoot,
    /// Durable records that wait for a block.
    pub unsealed_records: usize,
    /// What is being proven.
    pub proving: Option<Proving>,
    /// Blocks proven since the engine was opened.
    pub blocks_proven: u64,
    /// Seconds that their proofs took, in sum, those of their batches included.
    pub prove_seconds: f64,
    /// Why blocks are not made or settled at the moment, if they are not.
    pub fault: Option<String>,
}

/// A proven block and how far it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockSummary {
    /// What it proves.
    pub statement: BlockStatement,
    /// How far it has come.
    pub stage: Stage,
    /// Where it stands on the base chain, if it does.
    pub inclusion: Option<Inclusion>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("deployment", &self.inner.deployment).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets up an engine on a directory: a deployment that is there, or a new one.
    #[must_use]
    pub fn builder(dir: impl Into<PathBuf>) -> EngineBuilder {
        EngineBuilder::new(dir.into())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Takes a thread that ends with the engine.
    pub(crate) fn keep(&self, thread: JoinHandle<()>) {
        self.inner.threads.lock().push(thread);
    }

    /// What was fixed when the deployment began.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.inner.deployment
    }

    /// Makes a device known, durably. Enrolling it again with the same credential is harmless.
    ///
    /// # Errors
    /// Why it can't be enrolled.
    pub fn enroll(&self, enrolment: Enrolment) -> Result<Enrolled, EnrolError> {
        self.enroll_many(&[enrolment]).pop().unwrap_or(Err(EnrolError::Closed))
    }

    /// [`Engine::enroll`] for many devices with few syncs; the answers are in the order of the enrolments.
    #[must_use = "a device that could not be enrolled can't write"]
    pub fn enroll_many(&self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>> {
        self.inner.shards.enrol(enrolments)
    }

    /// Submits a write; waits while its lane of its shard is full. The ticket answers once the write is durable.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn submit(&self, lane: Lane, write: &Write<'_>, tag: Tag) -> Result<Ticket, SubmitError> {
        self.inner.shards.submit(lane, write, tag)
    }

    /// [`Engine::submit`] that answers [`SubmitError::Busy`] instead of waiting.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn try_submit(&self, lane: Lane, write: &Write<'_>, tag: Tag) -> Result<Ticket, SubmitError> {
        self.inner.shards.try_submit(lane, write, tag)
    }

    /// Submits many writes at once: less work for each than one by one.
    pub fn submit_many(&self, lane: Lane, writes: &[(Write<'_>, Tag)]) -> Tickets {
        self.inner.shards.submit_many(lane, writes)
    }

    /// Submits what a gateway signed once for many writes; third-party authorship at the cost of hashing. The signature is
    /// checked in this thread.
    ///
    /// # Errors
    /// Why no write of the bundle is accepted; what is said of single ones comes with the tickets.
    pub fn submit_bundle(&self, lane: Lane, bundle: &SignedBundle<'_>) -> Result<Tickets, SubmitError> {
        self.inner.shards.submit_bundle(lane, bundle)
    }

    /// Puts everything that is durable now into blocks and waits until they have come to a stage; answers with the
    /// last of them. Writes that come meanwhile don't hold it up. Waits for as long as it takes; [`Engine::state`] says
    /// what is in the way.
    ///
    /// # Errors
    /// Blocks are not made any more, or the engine was closed.
    pub fn flush(&self, stage: Stage) -> Result<BlockNumber, EngineError> {
        let last = self.want_blocks()?;
        self.inner.stages.wait(last, stage)?;
        Ok(last)
    }

    /// Asks for the blocks that everything durable needs; the last of them.
    pub(crate) fn want_blocks(&self) -> Result<BlockNumber, EngineError> {
        let last = self.inner.shards.last_block_needed()?;
        self.inner.stages.update(|progress| progress.wanted = progress.wanted.max(last));
        Ok(last)
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.inner.shards
    }

    /// A record's receipt, with the stage its block has come to.
    ///
    /// # Errors
    /// There is no such record, or it is in no proven block yet.
    pub fn receipt(&self, device: DeviceId, seq: u64) -> Result<Receipt, EngineError> {
        self.inner.receipts.receipt(device, seq, &self.inner.stages)
    }

    /// A proven block.
    ///
    /// # Errors
    /// There is no such block, or the chain can't be asked where it stands.
    pub fn block(&self, number: BlockNumber) -> Result<BlockSummary, EngineError> {
        let (newest, stage) = {
            let progress = self.inner.stages.progress();
            (progress.proven, progress.stage_of(number))
        };
        if number > newest || number == BlockNumber::GENESIS {
            return Err(EngineError::UnknownBlock { number, newest });
        }
        let statement = *self.inner.receipts.block(number)?.stored.block.statement();
        let inclusion = match self.inner.chain.status(number)? {
            PostStatus::Posted(inclusion) | PostStatus::Final(inclusion) => Some(inclusion),
            PostStatus::Unknown | PostStatus::Pending | PostStatus::Reverted(_) => None,
        };
        Ok(BlockSummary { statement, stage, inclusion })
    }

    /// The chain that blocks are settled on.
    #[must_use]
    pub fn chain(&self) -> &dyn BaseChain {
        &*self.inner.chain
    }

    /// Destroys a device's subject and MAC keys, for good: it can write no more, and its records can't be linked to
    /// what was committed. Roots, proofs and everybody else's receipts stay valid.
    ///
    /// # Errors
    /// There is no such device, or its keys can't be overwritten.
    pub fn destroy_keys(&self, device: DeviceId) -> Result<(), EngineError> {
        Ok(self.inner.shards.destroy_keys(device)?)
    }

    /// How far everything has come.
    #[must_use]
    pub fn state(&self) -> EngineState {
        self.inner.state()
    }

    /// Takes nothing more, makes durable what is queued as far as a block has room for it, ends every thread and says how far
    /// everything has come.
    /// What is durable and in no block yet goes on when the directory is opened again.
    #[must_use]
    pub fn close(self) -> EngineState {
        self.inner.close();
        self.inner.state()
    }
}

impl Inner {
    pub(crate) fn new(
        deployment: Deployment,
        shards: Arc<Shards>,
        chain: Arc<dyn BaseChain>,
        stages: Arc<Stages>,
        receipts: Receipts,
        lock: Lock,
    ) -> Self {
        Self { deployment, shards, chain, stages, receipts, threads: Mutex::default(), _lock: lock }
    }

    fn state(&self) -> EngineState {
        let shards = self.shards.status();
        let progress = self.stages.progress().clone();
        EngineState {
            domain: self.deployment.domain,
            sealed: shards.iter().map(|shard| shard.sealed).min().unwrap_or(BlockNumber::GENESIS),
            unsealed_records: self.shards.unsealed_records(),
            shards,
            proven: progress.proven,
            posted: progress.posted,
            finalized: progress.finalized,
            state_root: progress.state_root,
            proving: progress.proving,
            blocks_proven: progress.proofs,
            prove_seconds: progress.prove_time.as_secs_f64(),
            fault: progress.halted.or(progress.fault).or(progress.chain_fault),
        }
    }

    fn close(&self) {
        self.stages.stop();
        self.shards.close();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the engine panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

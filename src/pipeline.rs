//! From seal to disk: how blocks come to be.
//!
//! ```text
//! seal ─▶ apply ─▶ prove batches ─▶ prove block ─▶ store          and then settled, in `settle`
//! ```

use crate::{
    error::EngineError,
    measures::{BlockMeasures, BlockStep},
    proving::BatchProving,
    stages::{Proving, ProvingStep, Stages, Turn},
};
use arterial_protocol::{BlockNumber, Domain, ShardLeaf, StateRoot};
use arterial_rollup::{
    BlockStore, Clock, ProvenBlock, ShardState, StoredBlock,
    accounts::{AccountsFile, AccountsTree, Before},
    batch_proof::StarkError,
    circuit::BlockWitness,
    proof::BlockProver,
};
use arterial_shards::{SealedBatch, ShardError, Shards};
use rayon::{ThreadPool, prelude::*};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often the backlog is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long to wait before trying again what the operating system refused.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The one maker of blocks.
pub(crate) struct Pipeline {
    pub(crate) domain: Domain,
    pub(crate) shards: Arc<Shards>,
    pub(crate) accounts: Vec<ShardAccounts>,
    pub(crate) blocks: BlockStore,
    pub(crate) prover: Arc<dyn BlockProver>,
    pub(crate) batches: BatchProving,
    /// Where accounts are moved and blocks proven; where there is none, in the caller's thread, shard by shard.
    pub(crate) pool: Option<ThreadPool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stages: Arc<Stages>,
    /// Every shard after the newest stored block.
    pub(crate) states: Vec<ShardState>,
    /// Records that make a block due.
    pub(crate) block_records: usize,
    /// How long anything waits for a block at most.
    pub(crate) block_interval: Duration,
    /// Since when something waits for a block, by the clock.
    pub(crate) waiting_since_ms: Option<u64>,
    pub(crate) measures: Arc<BlockMeasures>,
}

/// A shard's accounts and their file.
pub(crate) struct ShardAccounts {
    pub(crate) tree: AccountsTree,
    pub(crate) file: Arc<AccountsFile>,
    /// What the batch met by which the tree has moved beyond the newest stored block, if it has.
    pub(crate) before: Option<Before>,
}

/// What every shard put into a block.
pub(crate) struct Sealed {
    number: BlockNumber,
    pub(crate) batches: Vec<SealedBatch>,
}

/// A block whose accounts have moved, and every shard after it.
struct Applied {
    sealed: Sealed,
    witness: BlockWitness,
    states: Vec<ShardState>,
}

/// A block with its proof.
struct Proven {
    block: ProvenBlock,
    states: Vec<ShardState>,
    took: Duration,
}

impl Pipeline {
    /// Makes blocks until the engine stops.
    pub(crate) fn run(mut self) {
        while match self.step() {
            Turn::Worked => true,
            Turn::Idle => self.stages.pause(LOOK_EVERY),
            Turn::Failed => self.stages.back_off(RETRY_AFTER),
            Turn::Over => false,
        } {}
    }

    /// Makes a block if one is due.
    pub(crate) fn step(&mut self) -> Turn {
        {
            let progress = self.stages.progress();
            if progress.stopping || progress.halted.is_some() {
                return Turn::Over;
            }
        }
        if !self.is_due() {
            return Turn::Idle;
        }
        match self.make_block() {
            Ok(()) => {
                self.stages.update(|progress| progress.fault = None);
                Turn::Worked
            }
            Err(EngineError::Shard(ShardError::Closed) | EngineError::Stark(StarkError::Cancelled)) => {
                Turn::Over
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "a block can't be made now and is tried again");
                self.measures.faults.increment(1);
                self.stages.update(|progress| progress.fault = Some(error.to_string()));
                Turn::Failed
            }
            Err(error) => {
                tracing::error!(%error, "no more blocks are made");
                self.stages.update(|progress| progress.halted = Some(error.to_string()));
                Turn::Over
            }
        }
    }

    /// The pipeline. A block that fails anywhere is made again from what is durable, with the same bytes.
    fn make_block(&mut self) -> Result<(), EngineError> {
        let measures = Arc::clone(&self.measures);
        let sealed = measures.time(BlockStep::Seal, || self.seal())?;
        let applied = measures.time(BlockStep::Apply, || self.apply(sealed))?;
        let begun = Instant::now();
        measures.time(BlockStep::ProveBatches, || self.prove_batches(&applied))?;
        let proven = measures.time(BlockStep::ProveBlock, || self.prove(applied, begun))?;
        measures.time(BlockStep::Store, || self.store(proven))
    }

    fn next_number(&self) -> BlockNumber {
        self.stages.progress().proven.next()
    }

    /// Whether enough waits for a block, or waits long enough, or one was asked for, or one was begun before a crash.
    fn is_due(&mut self) -> bool {
        let number = self.next_number();
        let wanted = self.stages.progress().wanted >= number;
        let due = self.shards.newest_sealed() >= number
            || wanted
            || (self.shards.has_unsealed() && (self.has_enough() || self.has_waited()));
        if due || !self.shards.has_unsealed() {
            self.waiting_since_ms = None;
        }
        due
    }

    fn has_enough(&self) -> bool {
        self.shards.unsealed_records() >= self.block_records
    }

    /// Whether something has waited for the interval.
    fn has_waited(&mut self) -> bool {
        let now = self.clock.now_ms();
        // A clock that was set back makes nothing wait longer than it has to.
        let since = self.waiting_since_ms.map_or(now, |since| since.min(now));
        self.waiting_since_ms = Some(since);
        u128::from(now - since) >= self.block_interval.as_millis()
    }

    /// Every shard's batch, durable in its log.
    fn seal(&self) -> Result<Sealed, EngineError> {
        let number = self.next_number();
        let batches = self.shards.seal(number)?;
        Ok(Sealed { number, batches })
    }

    /// Every shard's accounts after its batch, durable in their files.
    fn apply(&mut self, sealed: Sealed) -> Result<Applied, EngineError> {
        let (number, batches) = (sealed.number, &sealed.batches);
        let (accounts, states) = (&mut self.accounts, &self.states);
        let apply = |((accounts, before), sealed)| apply_batch(accounts, before, sealed);
        let states = match &self.pool {
            Some(pool) => pool.install(|| {
                let shards = accounts.par_iter_mut().zip(states).zip(batches);
                shards.map(apply).collect::<Result<Vec<ShardState>, EngineError>>()
            }),
            None => accounts.iter_mut().zip(states).zip(batches).map(apply).collect(),
        }?;
        let leaves =
            |states: &[ShardState]| states.iter().map(|state| state.leaf).collect::<Vec<ShardLeaf>>();
        let witness =
            BlockWitness { domain: self.domain, number, old: leaves(&self.states), new: leaves(&states) };
        Ok(Applied { sealed, witness, states })
    }

    /// The proof that the accounts moved by the rules, record by record, durable beside the block to come.
    fn prove_batches(&self, applied: &Applied) -> Result<(), EngineError> {
        let Applied { sealed, witness, .. } = applied;
        let before: Vec<_> = self.accounts.iter().map(|accounts| accounts.before.as_ref()).collect();
        let prove = || self.batches.prove(sealed, &before, witness, &self.stages);
        self.pool.as_ref().map_or_else(&prove, |pool| pool.install(prove))
    }

    fn prove(&self, applied: Applied, begun: Instant) -> Result<Proven, EngineError> {
        let number = applied.witness.number;
        self.stages.proves(Some(Proving { number, step: ProvingStep::Block }));
        let prove = || self.prover.prove(&applied.witness);
        let block = self.pool.as_ref().map_or_else(prove, |pool| pool.install(prove))?;
        let took = begun.elapsed();
        Ok(Proven { block, states: applied.states, took })
    }

    /// The block and its proof, durable; from here on it can be posted.
    fn store(&mut self, proven: Proven) -> Result<(), EngineError> {
        let Proven { block, states, took } = proven;
        let stored = StoredBlock { block, shards: states };
        self.blocks.write(&stored)?;
        let statement = *stored.block.statement();
        self.states = stored.shards;
        self.accounts.iter_mut().for_each(|accounts| accounts.before = None);
        self.stages.proves(None);
        tracing::info!(block = %statement.number, records = statement.record_count, ?took, "proven");
        self.measures.proven(&statement);
        self.stages.update(|progress| {
            progress.proven = statement.number;
            progress.state_root = statement.new_state_root;
            progress.proofs += 1;
            progress.prove_time += took;
        });
        Ok(())
    }
}

/// Moves one shard by its batch. A shard that had moved before another one failed is not moved again.
fn apply_batch(
    accounts: &mut ShardAccounts,
    before: &ShardState,
    sealed: &SealedBatch,
) -> Result<ShardState, EngineError> {
    let Some(data) = sealed.data else { return Ok(*before) };
    if accounts.before.is_none() {
        let before = accounts.tree.before(&sealed.batch);
        accounts.tree.apply(&sealed.batch, &accounts.file)?;
        accounts.before = Some(before);
    }
    let root = accounts.tree.root();
    let leaf = ShardLeaf {
        shard: before.leaf.shard,
        accounts_root: root.digest,
        total_records: before.leaf.total_records + sealed.batch.record_count() as u64,
        data,
    };
    Ok(ShardState { leaf, accounts: root })
}

/// The state root of the newest block's states.
pub(crate) fn state_root(domain: Domain, number: BlockNumber, states: &[ShardState]) -> StateRoot {
    let leaves: Vec<ShardLeaf> = states.iter().map(|state| state.leaf).collect();
    StateRoot::compute(domain, number, &leaves)
}

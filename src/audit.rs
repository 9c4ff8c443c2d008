//! Checking a block from what was published of it, as an auditor with nothing but the directory would.
//!
//! ```text
//! batch bytes ─▶ digest ─▶ batch proof ─▶ accounts roots ─▶ block proof ─▶ state root ─▶ base chain
//! ```

use crate::{builder::KEY_FILE, error::EngineError, genesis::Deployment};
use arterial_protocol::{Batch, BlockNumber, BlockStatement, DataDigest};
use arterial_rollup::{
    BlockStore, Published,
    batch_proof::{BatchProofs, BatchStatement, Soundness, StarkProver},
    chain::At,
    proof::KeyPair,
};
use arterial_shards::published_batch;
use arterial_storage::{FileStorage, Storage};
use std::{fmt, path::Path, sync::Arc};

/// What an audit checks, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AuditStep {
    /// The deployment's parameters and verifying key can be read.
    Deployment,
    /// The block's proof holds, and the block follows the one before it.
    Block,
    /// The proof of its batches holds, and they move every shard as the block says.
    Batches,
    /// The batches' bytes are those that were proven.
    Data,
    /// The base chain has the block's state root.
    Chain,
}

impl fmt::Display for AuditStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "deployment",
            Self::Block => "block proof",
            Self::Batches => "batch proof",
            Self::Data => "batch data",
            Self::Chain => "base chain",
        })
    }
}

/// What holds of a block.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Audit {
    /// What the block's proof says.
    pub statement: BlockStatement,
    /// What the proof of its batches says, shard by shard.
    pub batches: Vec<BatchStatement>,
    /// How sure each segment of that proof makes.
    pub soundness: Vec<Soundness>,
    /// Where the base chain has its state root; `None` if the directory has no chain, and another one must be asked.
    pub chain: Option<At>,
}

/// Why a block does not hold.
#[derive(Debug, thiserror::Error)]
#[error("block {number}: {step}: {source}")]
pub struct AuditError {
    /// The block.
    pub number: BlockNumber,
    /// The first step that fails.
    pub step: AuditStep,
    /// Why.
    pub source: Box<EngineError>,
}

/// Checks a block from the files of its deployment: that its records, as published, were moved into its state root by
/// the rules, every one of them, and that the base chain has that root.
///
/// Nothing is changed, no lock is taken, and nothing is believed but the verifying key in the directory and the history of
/// its chain: compare the root with the real one if the deployment settles elsewhere.
///
/// # Errors
/// The first step that fails.
pub fn audit(dir: &Path, number: BlockNumber) -> Result<Audit, AuditError> {
    let failed = |step| move |source: EngineError| AuditError { number, step, source: Box::new(source) };
    let files = Files::open(dir).map_err(failed(AuditStep::Deployment))?;
    let block = files.published.block(number).map_err(|error| failed(AuditStep::Block)(error.into()))?;
    let proven = files.published.batches(&block).map_err(|error| failed(AuditStep::Batches)(error.into()))?;
    let batches = proven.statement().batches.clone();
    batches.iter().try_for_each(|batch| files.data(number, batch)).map_err(failed(AuditStep::Data))?;
    let chain = chain(dir, &block.statement).map_err(failed(AuditStep::Chain))?;
    Ok(Audit { statement: block.statement, batches, soundness: proven.soundness().to_vec(), chain })
}

struct Files<'a> {
    dir: &'a Path,
    deployment: Deployment,
    storage: Arc<dyn Storage>,
    published: Published,
}

impl<'a> Files<'a> {
    fn open(dir: &'a Path) -> Result<Self, EngineError> {
        let deployment = Deployment::read(&FileStorage, dir)?;
        let storage: Arc<dyn Storage> = Arc::new(FileStorage);
        let Deployment { domain, shards, .. } = deployment;
        let key = KeyPair::read(&FileStorage, &dir.join(KEY_FILE), shards)?.verifying;
        let blocks = BlockStore::existing(Arc::clone(&storage), dir.join("blocks"), domain, shards);
        let batch_proofs = BatchProofs::new(Arc::clone(&storage), blocks.dir());
        let batch_verifier = Arc::new(StarkProver);
        let published = Published { domain, shards, blocks, batch_proofs, key, batch_verifier };
        Ok(Self { dir, deployment, storage, published })
    }

    /// The published bytes of a batch are those that the proof is of, and have what it counts.
    fn data(&self, number: BlockNumber, stated: &BatchStatement) -> Result<(), EngineError> {
        let config = self.deployment.shards_config(self.dir);
        let batch = published_batch(&self.storage, &config, stated.shard, number)?;
        let differs = |what: &str| EngineError::Inconsistent {
            what: format!("the batch of shard {} has another {what} than was proven", stated.shard),
        };
        // A batch has one encoding, so these are the file's bytes.
        if DataDigest::of(&batch.encode()) != stated.data {
            return Err(differs("digest"));
        }
        if batch.record_count() as u64 != u64::from(stated.record_count) {
            return Err(differs("number of records"));
        }
        if enrolments(&batch) as u64 != u64::from(stated.enrolment_count) {
            return Err(differs("number of enrolments"));
        }
        Ok(())
    }
}

fn enrolments(batch: &Batch) -> usize {
    batch.runs().filter(|run| run.enrolment.is_some()).count()
}

#[cfg(not(feature = "embedded-chain"))]
fn chain(_: &Path, _: &BlockStatement) -> Result<Option<At>, EngineError> {
    Ok(None)
}

/// How far the chain in the directory has this block, which must be the one that it has.
#[cfg(feature = "embedded-chain")]
fn chain(dir: &Path, statement: &BlockStatement) -> Result<Option<At>, EngineError> {
    use arterial_rollup::chain::{BaseChain, embedded::EmbeddedChain};
    let dir = dir.join(crate::builder::CHAIN_DIR);
    if !EmbeddedChain::history_path(&dir).exists() {
        return Ok(None);
    }
    let chain = EmbeddedChain::open_read_only(&FileStorage, &dir)?;
    let (number, ours) = (statement.number, statement.new_state_root);
    for at in [At::Finalized, At::Latest] {
        match chain.state_root(number, at)? {
            Some(theirs) if theirs == ours => return Ok(Some(at)),
            Some(theirs) => return Err(EngineError::Diverged { number, ours, theirs }),
            None => {}
        }
    }
    let what = "it is not on the base chain".to_owned();
    Err(EngineError::Inconsistent { what })
}

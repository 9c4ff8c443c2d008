//! A look at a deployment's directory that changes nothing in it.

use crate::{builder::KEY_FILE, error::EngineError, genesis::Deployment};
use arterial_protocol::{BlockNumber, Stage, StateRoot};
use arterial_rollup::{
    BlockStore, ShardState,
    accounts::{AccountsFile, AccountsTree},
    batch_proof::{BatchProofs, Soundness, StarkProver, check_moves},
    proof::{KeyPair, VerificationKey},
};
use arterial_shards::{FileReport, ShardReport};
use arterial_storage::{FileStorage, Storage};
use std::{path::Path, sync::Arc};

/// What is in a deployment's directory, and what is damaged.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What was fixed when it began.
    pub deployment: Deployment,
    /// Every shard's log, batches and keys.
    pub shards: Vec<ShardReport>,
    /// The Groth16 keys.
    pub keys: FileReport,
    /// Every block, in order.
    pub blocks: Vec<BlockReport>,
    /// Every shard's accounts as of the newest good block.
    pub accounts: Vec<FileReport>,
    /// The embedded base chain's history, if there is one.
    pub chain: Option<FileReport>,
}

/// What is known of one block.
#[derive(Clone, Debug)]
pub struct BlockReport {
    /// Its number.
    pub number: BlockNumber,
    /// Its file; the proof in it is checked.
    pub file: FileReport,
    /// The proof of its batches, checked and held against the block.
    pub batch_proof: FileReport,
    /// How sure each segment of that proof makes; none if it is damaged, or no shard has a batch.
    pub soundness: Vec<Soundness>,
    /// Its records, 0 if the file is damaged.
    pub records: u64,
    /// Its state root, if the file is good.
    pub state_root: Option<StateRoot>,
    /// How far it has come by the embedded chain's history.
    pub stage: Stage,
}

impl Inspection {
    /// Every fault found, with its file.
    pub fn faults(&self) -> impl Iterator<Item = (&Path, &str)> {
        let files = [&self.keys].into_iter().chain(&self.accounts).chain(&self.chain);
        let files = files.chain(self.blocks.iter().flat_map(|block| [&block.file, &block.batch_proof]));
        let files = files.filter_map(|file| Some((file.path.as_path(), file.fault.as_deref()?)));
        self.shards.iter().flat_map(ShardReport::faults).chain(files)
    }
}

/// Reads every file of a deployment and says what it holds and what is wrong with it.
///
/// Nothing is changed and no lock is taken. Of a deployment that is open meanwhile it tells what it happens to see.
///
/// # Errors
/// The directory holds no deployment, or can't be listed; a damaged file is a fault in the report instead.
pub fn inspect(dir: &Path) -> Result<Inspection, EngineError> {
    let deployment = Deployment::read(&FileStorage, dir)?;
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let shards = arterial_shards::inspect(&storage, &deployment.shards_config(dir))?;
    beside_shards(dir, deployment, &storage, shards)
}

/// What there is beside the shards, with what was found in those.
pub(crate) fn beside_shards(
    dir: &Path,
    deployment: Deployment,
    storage: &Arc<dyn Storage>,
    shards: Vec<ShardReport>,
) -> Result<Inspection, EngineError> {
    let key_path = dir.join(KEY_FILE);
    let keys = KeyPair::read(&FileStorage, &key_path, deployment.shards);
    let keys_report = report(&key_path, keys.as_ref().err());
    let (blocks, states) = match &keys {
        Ok(keys) => blocks(dir, &deployment, storage, &keys.verifying)?,
        Err(_) => (Vec::new(), ShardState::genesis(deployment.shards)),
    };
    let accounts = states.iter().map(|state| accounts(dir, &deployment, state)).collect();
    let (chain, blocks) = chain(dir, blocks);
    Ok(Inspection { deployment, shards, keys: keys_report, blocks, accounts, chain })
}

fn report(path: &Path, fault: Option<impl ToString>) -> FileReport {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    FileReport { path: path.to_owned(), bytes, fault: fault.map(|fault| fault.to_string()) }
}

/// Every block file, checked with its proof and against the one before; and the shards after the newest good one.
fn blocks(
    dir: &Path,
    deployment: &Deployment,
    storage: &Arc<dyn Storage>,
    key: &VerificationKey,
) -> Result<(Vec<BlockReport>, Vec<ShardState>), EngineError> {
    let mut states = ShardState::genesis(deployment.shards);
    let blocks_dir = dir.join("blocks");
    if !blocks_dir.is_dir() {
        return Ok((Vec::new(), states));
    }
    let proofs = BatchProofs::new(Arc::clone(storage), &blocks_dir);
    let store = BlockStore::existing(Arc::clone(storage), blocks_dir, deployment.domain, deployment.shards);
    let mut previous = Some(StateRoot::genesis(deployment.domain, deployment.shards));
    let mut reports = Vec::new();
    for number in (1..=store.latest()?.0).map(BlockNumber) {
        let path = store.path(number);
        let mut moved = None;
        let (file, statement) = match store.read(number, key) {
            Ok(stored) => {
                let statement = *stored.block.statement();
                let before = std::mem::replace(&mut states, stored.shards);
                // Without the block before it there is nothing to hold its moves against.
                moved = previous.is_some().then_some((before, &states));
                let follows = previous.is_none_or(|root| root == statement.old_state_root);
                let fault = (!follows).then_some("it does not follow the block before it");
                (report(&path, fault), Some(statement))
            }
            Err(error) => (report(&path, Some(error)), None),
        };
        let (batch_proof, soundness) = batch_proof(&proofs, number, moved);
        previous = statement.map(|statement| statement.new_state_root);
        let records = statement.map_or(0, |statement| statement.record_count);
        let (state_root, stage) = (previous, Stage::Proven);
        reports.push(BlockReport { number, file, batch_proof, soundness, records, state_root, stage });
    }
    Ok((reports, states))
}

/// The proof of a block's batches, held against how the block moved the shards, where that is known.
fn batch_proof(
    proofs: &BatchProofs,
    number: BlockNumber,
    moved: Option<(Vec<ShardState>, &Vec<ShardState>)>,
) -> (FileReport, Vec<Soundness>) {
    let leaves = |states: &[ShardState]| states.iter().map(|state| state.leaf).collect::<Vec<_>>();
    let checked = proofs.read(number, &StarkProver).and_then(|proven| match moved {
        Some((before, after)) => {
            check_moves(&leaves(&before), &leaves(after), proven.statement()).map(|()| proven)
        }
        None => Ok(proven),
    });
    let path = proofs.path(number);
    match checked {
        Ok(proven) => (report(&path, None::<String>), proven.soundness().to_vec()),
        Err(error) => (report(&path, Some(error)), Vec::new()),
    }
}

fn accounts(dir: &Path, deployment: &Deployment, state: &ShardState) -> FileReport {
    let path = dir.join("accounts").join(format!("{:04}.nodes", state.leaf.shard.0));
    if !path.exists() {
        // None is needed before the first block; later its absence is a fault.
        return report(&path, (state.accounts.at != 0).then_some("the file is missing"));
    }
    let read = AccountsFile::open(&FileStorage, &path, state.leaf.shard, deployment.domain)
        .and_then(|file| AccountsTree::read(&file, state.accounts));
    report(&path, read.err())
}

#[cfg(not(feature = "embedded-chain"))]
fn chain(_: &Path, blocks: Vec<BlockReport>) -> (Option<FileReport>, Vec<BlockReport>) {
    (None, blocks)
}

/// The chain's history, and each block's stage by it.
#[cfg(feature = "embedded-chain")]
fn chain(dir: &Path, mut blocks: Vec<BlockReport>) -> (Option<FileReport>, Vec<BlockReport>) {
    use arterial_rollup::chain::{At, BaseChain, embedded::EmbeddedChain};
    let dir = dir.join("chain");
    let path = EmbeddedChain::history_path(&dir);
    if !path.exists() {
        return (None, blocks);
    }
    let chain = match EmbeddedChain::open_read_only(&FileStorage, &dir) {
        Ok(chain) => chain,
        Err(error) => return (Some(report(&path, Some(error))), blocks),
    };
    for block in &mut blocks {
        let root = |at| chain.state_root(block.number, at).ok().flatten();
        let (latest, finalized) = (root(At::Latest), root(At::Finalized));
        if latest.is_some()
            && block.state_root.is_some()
            && latest != block.state_root
            && block.file.fault.is_none()
        {
            block.file.fault = Some("it stands on the chain with another state root".into());
        }
        block.stage = match (latest, finalized) {
            (_, Some(_)) => Stage::Final,
            (Some(_), None) => Stage::Posted,
            (None, None) => Stage::Proven,
        };
    }
    (Some(report(&path, None::<String>)), blocks)
}

//! Opening an engine.

use crate::{
    engine::{Engine, Inner},
    error::EngineError,
    genesis::Deployment,
    lock,
    measures::{BlockMeasures, SettleMeasures},
    observer::Observer,
    pipeline::{Pipeline, ShardAccounts, state_root},
    proving::BatchProving,
    receipts::Receipts,
    settle::Settler,
    stages::Stages,
    stepped::SteppedEngine,
};
use arterial_protocol::{BlockNumber, ShardCount, ShardId, StateRoot, limits::SHARDS_MAX};
use arterial_rollup::{
    BlockStore, Clock, Published, ShardState, SystemClock,
    accounts::{AccountsFile, AccountsTree},
    batch_proof::{BatchProofs, BatchProver, StarkProver},
    chain::{BaseChain, ChainError},
    proof::{BlockProver, KeyPair, ProofError, Prover, VerificationKey},
};
use arterial_shards::{
    ShardError, Shards, ShardsConfig,
    limits::{CHECKPOINT_LOG_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT},
    yield_to_writers,
};
use arterial_storage::{FileStorage, Storage};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// A deployment's Groth16 keys.
pub(crate) const KEY_FILE: &str = "block.key";
/// The embedded base chain.
#[cfg(feature = "embedded-chain")]
pub(crate) const CHAIN_DIR: &str = "chain";
const SHARDS_DEFAULT: u32 = 16;
const BLOCK_RECORDS_DEFAULT: usize = 65_536;
const BLOCK_INTERVAL_DEFAULT: Duration = Duration::from_secs(2);

/// The contract that a deployment settles on.
#[derive(Clone, Copy, Debug)]
pub struct Contract<'a> {
    /// The deployment's directory.
    pub dir: &'a Path,
    /// EIP-155 id of the chain.
    pub chain_id: u64,
    /// The state root before the first block.
    pub genesis_state_root: StateRoot,
    /// The Groth16 verification key that it is deployed with.
    pub key: &'a VerificationKey,
    /// What is published of the deployment's blocks, for a chain whose validators check it.
    pub published: &'a Published,
}

type ChainFactory = Box<
    dyn FnOnce(&Contract<'_>, &Arc<dyn Storage>, Arc<dyn Clock>) -> Result<Arc<dyn BaseChain>, ChainError>,
>;

type OpenShards = fn(&Arc<dyn Storage>, &ShardsConfig) -> Result<Shards, ShardError>;

/// An engine whose threads have not begun.
struct Parts {
    engine: Engine,
    pipeline: Pipeline,
    settler: Settler,
    observer: Observer,
}

/// How an engine is set up. Made by [`Engine::builder`].
pub struct EngineBuilder {
    dir: PathBuf,
    shards: Option<u32>,
    segment_bytes: Option<u64>,
    block_records: usize,
    block_interval: Duration,
    prover_threads: usize,
    salt: Option<[u8; 32]>,
    prover: Option<Arc<dyn BlockProver>>,
    batch_prover: Arc<dyn BatchProver>,
    chain: Option<(u64, ChainFactory)>,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    checkpoint_log_bytes: u64,
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("dir", &self.dir)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

impl EngineBuilder {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            shards: None,
            segment_bytes: None,
            block_records: BLOCK_RECORDS_DEFAULT,
            block_interval: BLOCK_INTERVAL_DEFAULT,
            prover_threads: 0,
            salt: None,
            prover: None,
            batch_prover: Arc::new(StarkProver),
            chain: None,
            storage: Arc::new(FileStorage),
            clock: Arc::new(SystemClock),
            checkpoint_log_bytes: CHECKPOINT_LOG_BYTES_DEFAULT,
        }
    }

    /// How many shards a new deployment has, a power of two; 16 by default. Fixed from then on.
    #[must_use]
    pub const fn shards(mut self, shards: u32) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Bytes of a log segment in a new deployment; 64 MiB by default. Fixed from then on.
    #[must_use]
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// A block is made when so many records wait; 65,536 by default.
    #[must_use]
    pub const fn block_records(mut self, records: usize) -> Self {
        self.block_records = records;
        self
    }

    /// A block is made when anything has waited so long; 2 seconds by default.
    #[must_use]
    pub const fn block_interval(mut self, interval: Duration) -> Self {
        self.block_interval = interval;
        self
    }

    /// Threads that move accounts and prove; one for each core by default.
    #[must_use]
    pub const fn prover_threads(mut self, threads: usize) -> Self {
        self.prover_threads = threads;
        self
    }

    /// Settles on a chain of the caller's: `open` gets the contract that it must find or deploy there.
    #[must_use]
    pub fn chain(
        mut self,
        chain_id: u64,
        open: impl FnOnce(&Contract<'_>) -> Result<Arc<dyn BaseChain>, ChainError> + 'static,
    ) -> Self {
        self.chain = Some((chain_id, Box::new(move |contract, _, _| open(contract))));
        self
    }

    /// [`Self::chain`] for one that reads the deployment's files.
    #[cfg(feature = "ethereum")]
    pub(crate) fn chain_with_files(
        mut self,
        chain_id: u64,
        open: impl FnOnce(&Contract<'_>, &Arc<dyn Storage>) -> Result<Arc<dyn BaseChain>, ChainError> + 'static,
    ) -> Self {
        self.chain = Some((chain_id, Box::new(move |contract, storage, _| open(contract, storage))));
        self
    }

    /// Settles on a chain in this process, kept in the deployment's directory. The default, with the settings of the
    /// chain that is there, or the default ones.
    #[cfg(feature = "embedded-chain")]
    #[must_use]
    pub fn embedded_chain(mut self, config: arterial_rollup::chain::embedded::EmbeddedConfig) -> Self {
        self.chain = Some((config.chain_id, embedded(config)));
        self
    }

    /// What a new deployment's domain is made of beside the chain's id; random by default.
    #[must_use]
    pub const fn salt(mut self, salt: [u8; 32]) -> Self {
        self.salt = Some(salt);
        self
    }

    /// Proves with another prover than the one whose keys are in the directory.
    #[must_use]
    pub fn prover(mut self, prover: Arc<dyn BlockProver>) -> Self {
        self.prover = Some(prover);
        self
    }

    /// Proves that batches follow the rules with another prover than [`StarkProver`].
    #[must_use]
    pub fn batch_prover(mut self, prover: Arc<dyn BatchProver>) -> Self {
        self.batch_prover = prover;
        self
    }

    /// Keeps everything on another disk than the operating system's: for tests.
    #[must_use]
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = storage;
        self
    }

    /// Tells time by another clock than the system's: for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// After so many bytes of a shard's log a seal leaves a checkpoint: for tests, which have small logs.
    #[must_use]
    pub const fn checkpoint_log_bytes(mut self, bytes: u64) -> Self {
        self.checkpoint_log_bytes = bytes;
        self
    }

    /// Opens the deployment in the directory, or begins one, and starts its threads.
    ///
    /// A new deployment takes the Groth16 keys that it finds in the directory as `block.key`, or makes its own. That is
    /// a development setup: whoever ran it could forge proofs.
    ///
    /// # Errors
    /// The settings don't fit the directory, it is in use, or a file in it can't be read or is damaged.
    pub fn open(self) -> Result<Engine, EngineError> {
        let pool = self.pool()?;
        let dir = self.dir.clone();
        let Parts { engine, pipeline, settler, observer } = self.assemble(Shards::open, Some(pool))?;
        engine.keep(spawn(&dir, "arterial-blocks", move || pipeline.run())?);
        engine.keep(spawn(&dir, "arterial-settle", move || settler.run())?);
        engine.keep(spawn(&dir, "arterial-observe", move || observer.run())?);
        Ok(engine)
    }

    /// [`Self::open`] without threads: what happens and when is up to the caller.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_stepped(self) -> Result<SteppedEngine, EngineError> {
        let Parts { engine, pipeline, settler, observer } = self.assemble(Shards::open_stepped, None)?;
        Ok(SteppedEngine::new(engine, pipeline, settler, observer))
    }

    fn assemble(mut self, open_shards: OpenShards, pool: Option<ThreadPool>) -> Result<Parts, EngineError> {
        arterial_telemetry::describe();
        let (chain_id, open_chain) = self.take_chain()?;
        self.create_dir(&self.dir)?;
        let lock = lock::take(&*self.storage, &self.dir)?;
        let deployment = self.deployment(chain_id)?;
        let prover = self.take_prover(deployment.shards)?;
        let verifying = prover.verification_key().clone();
        let blocks = BlockStore::open(
            Arc::clone(&self.storage),
            self.dir.join("blocks"),
            deployment.domain,
            deployment.shards,
        )?;
        let newest = blocks.latest()?;
        let states = match newest {
            BlockNumber::GENESIS => ShardState::genesis(deployment.shards),
            number => blocks.read(number, &verifying)?.shards,
        };
        let shards = Arc::new(open_shards(&self.storage, &self.shards_config(&deployment))?);
        check_logs_reach(&shards, newest)?;
        let accounts = self.accounts(&deployment, &states)?;
        let batch_proofs = BatchProofs::new(Arc::clone(&self.storage), blocks.dir());
        let published = Published {
            domain: deployment.domain,
            shards: deployment.shards,
            blocks: blocks.clone(),
            batch_proofs: batch_proofs.clone(),
            key: verifying.clone(),
            batch_verifier: Arc::clone(&self.batch_prover),
        };
        let contract = Contract {
            dir: &self.dir,
            chain_id,
            genesis_state_root: StateRoot::genesis(deployment.domain, deployment.shards),
            key: &verifying,
            published: &published,
        };
        let chain = open_chain(&contract, &self.storage, Arc::clone(&self.clock))?;
        let stages = Arc::new(Stages::new(newest, state_root(deployment.domain, newest, &states)));
        let files = accounts.iter().map(|accounts| Arc::clone(&accounts.file)).collect();
        let settler = Settler {
            chain: Arc::clone(&chain),
            blocks: blocks.clone(),
            key: verifying.clone(),
            stages: Arc::clone(&stages),
            measures: SettleMeasures::new(),
        };
        let receipts =
            Receipts::new(deployment.domain, Arc::clone(&shards), files, blocks.clone(), verifying);
        let batches = BatchProving { prover: self.batch_prover, files: batch_proofs };
        let pipeline = Pipeline {
            domain: deployment.domain,
            shards: Arc::clone(&shards),
            accounts,
            blocks,
            prover,
            batches,
            pool,
            clock: self.clock,
            stages: Arc::clone(&stages),
            states,
            block_records: self.block_records,
            block_interval: self.block_interval,
            waiting_since_ms: None,
            measures: Arc::new(BlockMeasures::new()),
        };
        let observer = Observer::new(Arc::clone(&shards), Arc::clone(&stages), Arc::clone(&pipeline.clock));
        let engine = Engine::new(Inner::new(deployment, shards, chain, stages, receipts, lock));
        Ok(Parts { engine, pipeline, settler, observer })
    }

    fn shards_config(&self, deployment: &Deployment) -> ShardsConfig {
        let mut config = deployment.shards_config(&self.dir);
        config.checkpoint_log_bytes = self.checkpoint_log_bytes;
        config.clock = Arc::clone(&self.clock);
        config
    }

    fn create_dir(&self, dir: &Path) -> Result<(), EngineError> {
        self.storage.create_dir(dir).map_err(|source| EngineError::Io {
            what: "cannot make directory",
            path: dir.to_owned(),
            source,
        })
    }

    /// The chain that was asked for; else the embedded one that is in the directory, or a new one.
    fn take_chain(&mut self) -> Result<(u64, ChainFactory), EngineError> {
        if let Some(chain) = self.chain.take() {
            return Ok(chain);
        }
        #[cfg(feature = "embedded-chain")]
        {
            use arterial_rollup::chain::embedded::{EmbeddedChain, EmbeddedConfig};
            let dir = self.dir.join(CHAIN_DIR);
            let config = match EmbeddedChain::exists(&*self.storage, &dir)? {
                true => EmbeddedChain::stored_config(&*self.storage, &dir)?,
                false => EmbeddedConfig::default(),
            };
            Ok((config.chain_id, embedded(config)))
        }
        #[cfg(not(feature = "embedded-chain"))]
        Err(EngineError::Config {
            what: "chain",
            expected: "a base chain, as the feature `embedded-chain` is off".into(),
            got: "none".into(),
        })
    }

    /// The deployment in the directory, which must be what was asked for, or a new one.
    fn deployment(&self, chain_id: u64) -> Result<Deployment, EngineError> {
        let differs = |what, expected: u64, got: u64| {
            Err(EngineError::Config {
                what,
                expected: format!("{expected}, as in the directory"),
                got: got.to_string(),
            })
        };
        match Deployment::read(&*self.storage, &self.dir) {
            Ok(deployment) => {
                let (shards, asked) =
                    (deployment.shards.get(), self.shards.unwrap_or(deployment.shards.get()));
                if asked != shards {
                    return differs("shards", shards.into(), asked.into());
                }
                let asked = self.segment_bytes.unwrap_or(deployment.segment_bytes);
                if asked != deployment.segment_bytes {
                    return differs("segment_bytes", deployment.segment_bytes, asked);
                }
                if chain_id != deployment.chain_id {
                    return differs("chain id", deployment.chain_id, chain_id);
                }
                Ok(deployment)
            }
            Err(EngineError::NoDeployment { dir }) => {
                lock::check_empty(&*self.storage, &dir)?;
                let asked = self.shards.unwrap_or(SHARDS_DEFAULT);
                let shards = ShardCount::new(asked).ok_or_else(|| EngineError::Config {
                    what: "shards",
                    expected: format!("a power of two up to {SHARDS_MAX}"),
                    got: asked.to_string(),
                })?;
                let segment_bytes = self.segment_bytes.unwrap_or(SEGMENT_BYTES_DEFAULT);
                let salt = self.salt.unwrap_or_else(rand::random);
                Deployment::create(&*self.storage, &dir, chain_id, shards, segment_bytes, salt)
            }
            Err(error) => Err(error),
        }
    }

    /// The prover that was asked for, or one with the directory's keys.
    fn take_prover(&mut self, shards: ShardCount) -> Result<Arc<dyn BlockProver>, EngineError> {
        let Some(prover) = self.prover.take() else { return Ok(Arc::new(Prover::new(self.keys(shards)?))) };
        let (expected, got) = (prover.shards().get(), shards.get());
        if expected != got {
            return Err(ProofError::Shards { expected, got }.into());
        }
        Ok(prover)
    }

    fn keys(&self, shards: ShardCount) -> Result<KeyPair, EngineError> {
        let path = self.dir.join(KEY_FILE);
        let there = self.storage.exists(&path).map_err(|source| EngineError::Io {
            what: "cannot look for",
            path: path.clone(),
            source,
        })?;
        if there {
            return Ok(KeyPair::read(&*self.storage, &path, shards)?);
        }
        let keys = KeyPair::generate(shards)?;
        keys.write(&*self.storage, &path)?;
        Ok(keys)
    }

    fn accounts(
        &self,
        deployment: &Deployment,
        states: &[ShardState],
    ) -> Result<Vec<ShardAccounts>, EngineError> {
        self.create_dir(&self.dir.join("accounts"))?;
        let open = |state: &ShardState| {
            let path = accounts_path(&self.dir, state.leaf.shard);
            let file = AccountsFile::open(&*self.storage, &path, state.leaf.shard, deployment.domain)?;
            let tree = AccountsTree::open(&file, state.accounts)?;
            Ok(ShardAccounts { tree, file: Arc::new(file), before: None })
        };
        states.iter().map(open).collect()
    }

    fn pool(&self) -> Result<ThreadPool, EngineError> {
        ThreadPoolBuilder::new()
            .num_threads(self.prover_threads)
            .thread_name(|n| format!("arterial-prove-{n}"))
            .start_handler(|_| yield_to_writers())
            .build()
            .map_err(|error| no_thread(&self.dir, std::io::Error::other(error)))
    }
}

/// A shard's accounts.
pub(crate) fn accounts_path(dir: &Path, shard: ShardId) -> PathBuf {
    dir.join("accounts").join(format!("{:04}.nodes", shard.0))
}

fn spawn(
    dir: &Path,
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, EngineError> {
    thread::Builder::new().name(name.into()).spawn(run).map_err(|source| no_thread(dir, source))
}

fn no_thread(dir: &Path, source: std::io::Error) -> EngineError {
    EngineError::Io { what: "cannot start a thread for", path: dir.to_owned(), source }
}

/// Every block on disk was sealed in every log before: a log that ends earlier has lost something.
fn check_logs_reach(shards: &Shards, newest: BlockNumber) -> Result<(), EngineError> {
    for status in shards.status() {
        if status.sealed < newest {
            let (shard, sealed) = (status.shard, status.sealed);
            let what = format!("the log of shard {shard} ends at block {sealed}, block {newest} is on disk");
            return Err(EngineError::Inconsistent { what });
        }
    }
    Ok(())
}

#[cfg(feature = "embedded-chain")]
fn embedded(config: arterial_rollup::chain::embedded::EmbeddedConfig) -> ChainFactory {
    use arterial_rollup::chain::embedded::EmbeddedChain;
    Box::new(move |contract, storage, clock| {
        let dir = contract.dir.join(CHAIN_DIR);
        let chain = if EmbeddedChain::exists(&**storage, &dir)? {
            EmbeddedChain::open(storage, &dir, config, clock)?
        } else {
            let (genesis, key) = (contract.genesis_state_root, contract.key.words());
            EmbeddedChain::create(storage, &dir, config, genesis, &key, clock)?
        };
        Ok(Arc::new(chain.with_check(Box::new(contract.published.clone()))))
    })
}

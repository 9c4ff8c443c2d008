//! A whole deployment on one thread: what happens follows from the seed.

use crate::{
    chain::{FaultyChain, World},
    device::Device,
    model::{Attempt, Known},
};
use arterial::{
    Ack, BaseChain, Contract, Engine, EngineBuilder, EngineError, Lane, ShardError, Stage, SteppedEngine,
    SubmitError, Ticket, Tickets,
    protocol::{Evidence, ShardCount},
    rollup::{
        ManualClock,
        batch_proof::testing::SimulatedBatchProver,
        chain::{
            ChainError,
            embedded::{EmbeddedChain, EmbeddedConfig},
        },
        proof::testing::SimulatedProver,
    },
    storage::{Fault, Faulty, MemoryStorage, Rates, Storage},
};
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use std::{
    collections::{BTreeMap, HashSet},
    mem::Discriminant,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub(crate) const DIR: &str = "/deployment";
pub(crate) const SLOT_MS: u64 = 1000;
const DEVICES: u8 = 9;
/// The last device never is enrolled.
pub(crate) const STRANGER: usize = DEVICES as usize - 1;

/// What was submitted and is not answered.
pub(crate) struct Waiting {
    pub(crate) lane: Lane,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) answers: Answers,
}

/// What answers are waited for.
pub(crate) enum Answers {
    One(Ticket),
    Many(Tickets),
}

impl Answers {
    fn is_answered(&self) -> bool {
        match self {
            Self::One(ticket) => ticket.is_answered(),
            Self::Many(tickets) => tickets.is_answered(),
        }
    }

    fn wait(self) -> Vec<Result<Ack, SubmitError>> {
        match self {
            Self::One(ticket) => vec![ticket.wait()],
            Self::Many(tickets) => tickets.wait(),
        }
    }
}

/// How a seed's world is.
#[derive(Clone, Copy, Debug)]
struct Temper {
    rates: Rates,
    chain_trouble: u32,
    finality_slots: u64,
    /// How far apart checkpoints are.
    checkpoint_log_bytes: u64,
    /// Whether the base chain lives on this machine's disk, and falls with it.
    own_chain: bool,
}

pub(crate) struct Simulation {
    seed: u64,
    pub(crate) step: u64,
    pub(crate) random: Xoshiro256PlusPlus,
    trace: blake3::Hasher,
    temper: Temper,
    pub(crate) shards: ShardCount,
    pub(crate) clock: ManualClock,
    pub(crate) disk: Faulty<MemoryStorage>,
    /// The files below the faults: what is really there.
    pub(crate) medium: MemoryStorage,
    pub(crate) world: Arc<Mutex<World>>,
    far_chain: Arc<Mutex<Option<Arc<EmbeddedChain>>>>,
    chain: Arc<Mutex<Option<Arc<EmbeddedChain>>>>,
    node: Option<SteppedEngine>,
    pub(crate) devices: Vec<Device>,
    pub(crate) known: Vec<Known>,
    pub(crate) waiting: Vec<Waiting>,
    /// Shards that said so since the node was opened.
    poisoned: Vec<bool>,
    /// The newest block that each had sealed when last looked at.
    sealed_before: Vec<u64>,
    /// Receipts that were handed out.
    pub(crate) receipts: Vec<(usize, u64, Vec<u8>)>,
    /// What the receipts that were verified at the end show of their devices' authorship.
    pub(crate) authorships: HashSet<Discriminant<Evidence>>,
    /// Files of stored blocks, which never change.
    pub(crate) settled_files: BTreeMap<PathBuf, Vec<u8>>,
    /// The newest block that the node has said to be proven; and final, since it was opened.
    pub(crate) proven: u64,
    finalized: u64,
}

/// Says how to see a failure again.
impl Drop for Simulation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {}, step {}. To see it again:\n  ARTERIAL_SIM_SEED={} ARTERIAL_SIM_MINUTES=0 ARTERIAL_SIM_LOG=1 \
                 cargo test -p arterial --test simulation -- --ignored --exact soak --nocapture",
                self.seed, self.step, self.seed
            );
        }
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        // Each seed has its own mix of troubles: what all of them hide, some of them show.
        let mut rate =
            |at_most: u32| if random.random_bool(0.5) { random.random_range(0..at_most) } else { 0 };
        let rates = Rates {
            write: rate(20_000),
            sync: rate(20_000),
            read: rate(20_000),
            space: rate(50_000),
            crash: rate(20_000),
        };
        let chain_trouble = rate(40);
        let finality_slots = random.random_range(1..5);
        let checkpoint_log_bytes = [1, 4 << 10, 32 << 10, u64::MAX][random.random_range(0..4)];
        let own_chain = random.random_bool(0.5);
        let temper = Temper { rates, chain_trouble, finality_slots, checkpoint_log_bytes, own_chain };
        let shards = ShardCount::new(1 << random.random_range(0..3)).expect("a power of two");
        Self::with(seed, random, temper, shards)
    }

    /// A quiet world, for scripts.
    pub(crate) fn quiet(seed: u64, checkpoint_log_bytes: u64) -> Self {
        let rates = Rates::default();
        let temper =
            Temper { rates, chain_trouble: 0, finality_slots: 2, checkpoint_log_bytes, own_chain: true };
        let shards = ShardCount::new(2).expect("a power of two");
        Self::with(seed, Xoshiro256PlusPlus::seed_from_u64(seed), temper, shards)
    }

    fn with(seed: u64, mut random: Xoshiro256PlusPlus, temper: Temper, shards: ShardCount) -> Self {
        let clock = ManualClock::default();
        clock.advance_ms(1_700_000_000_000);
        let medium = MemoryStorage::default();
        let disk = Faulty::seeded(medium.clone(), random.random());
        let world = World::new(random.random(), temper.chain_trouble);
        Self {
            seed,
            step: 0,
            random,
            trace: blake3::Hasher::new(),
            temper,
            shards,
            clock,
            disk,
            medium,
            world,
            far_chain: Arc::default(),
            chain: Arc::default(),
            node: None,
            devices: (0..DEVICES).map(Device::new).collect(),
            known: (0..DEVICES).map(|_| Known::default()).collect(),
            waiting: Vec::new(),
            poisoned: vec![false; shards.get() as usize],
            sealed_before: vec![0; shards.get() as usize],
            receipts: Vec::new(),
            authorships: HashSet::new(),
            settled_files: BTreeMap::new(),
            proven: 0,
            finalized: 0,
        }
    }

    /// Ends the simulation with what is wrong.
    pub(crate) fn broken(&self, what: &str) -> ! {
        panic!("seed {}, step {}: {what}", self.seed, self.step)
    }

    /// What everything that happened hashes to.
    pub(crate) fn trace(&self) -> blake3::Hash {
        self.trace.finalize()
    }

    pub(crate) fn log(&mut self, event: &str) {
        self.trace.update(event.as_bytes()).update(b"\n");
        if std::env::var_os("ARTERIAL_SIM_LOG").is_some() {
            println!("{:>5} {event}", self.step);
        }
    }

    pub(crate) fn pick(&mut self, below: usize) -> usize {
        self.random.random_range(0..below)
    }

    pub(crate) fn node(&mut self) -> &mut SteppedEngine {
        self.node.as_mut().expect("a node is open")
    }

    pub(crate) fn is_open(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn engine(&mut self) -> Engine {
        self.node().engine().clone()
    }

    pub(crate) fn chain(&self) -> Arc<EmbeddedChain> {
        self.chain.lock().clone().expect("a node is open")
    }

    fn builder(&self) -> EngineBuilder {
        let finality_slots = self.temper.finality_slots;
        let config = EmbeddedConfig { slot_ms: SLOT_MS, finality_slots, ..EmbeddedConfig::default() };
        let (disk, clock, world) = (self.disk.clone(), self.clock.clone(), Arc::clone(&self.world));
        let (far_chain, chain) = (Arc::clone(&self.far_chain), Arc::clone(&self.chain));
        let chain_id = config.chain_id;
        let own_chain = self.temper.own_chain;
        let open = move |contract: &Contract<'_>| {
            let far = (!own_chain).then(|| far_chain.lock().clone()).flatten();
            let inner = match far {
                Some(far) => far,
                None => Arc::new(open_chain(contract, config, &disk, &clock, own_chain)?),
            };
            if !own_chain {
                *far_chain.lock() = Some(Arc::clone(&inner));
            }
            *chain.lock() = Some(Arc::clone(&inner));
            Ok(Arc::new(FaultyChain { inner, world }) as Arc<dyn BaseChain>)
        };
        Engine::builder(DIR)
            .shards(self.shards.get())
            .segment_bytes(arterial::shards::limits::SEGMENT_BYTES_MIN)
            .checkpoint_log_bytes(self.temper.checkpoint_log_bytes)
            .block_records(25)
            .block_interval(Duration::from_secs(15))
            .salt([7; 32])
            .prover(Arc::new(SimulatedProver::new(self.seed, self.shards)))
            .batch_prover(Arc::new(SimulatedBatchProver::new(self.seed)))
            .storage(Arc::new(self.disk.clone()))
            .clock(Arc::new(self.clock.clone()))
            .chain(chain_id, open)
    }

    /// Opens the deployment.
    pub(crate) fn try_open(&mut self) -> Result<(), EngineError> {
        self.node = Some(self.builder().open_stepped()?);
        self.poisoned.fill(false);
        self.finalized = 0;
        Ok(())
    }

    /// Opens the deployment; false if power was lost meanwhile.
    pub(crate) fn open(&mut self) -> bool {
        match self.try_open() {
            Ok(()) => true,
            Err(error) if self.disk.is_crashed() => {
                self.log(&format!("lost power while opening: {error}"));
                false
            }
            Err(error) => self.broken(&format!("it does not open: {error}")),
        }
    }

    /// Lets faults happen at this seed's rates.
    pub(crate) fn trouble(&self) {
        self.disk.set_rates(self.temper.rates);
        self.world.lock().trouble = self.temper.chain_trouble;
    }

    /// Ends the node; what it had not answered is in doubt.
    pub(crate) fn shut(&mut self) {
        self.node = None;
        *self.chain.lock() = None;
        self.judge_answered();
    }

    /// Takes in every answer that is there.
    pub(crate) fn judge_answered(&mut self) {
        let (mut answered, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.answers.is_answered());
        self.waiting = waiting;
        // Alarms can overtake a group within one step.
        answered.sort_by_key(|waiting| waiting.lane);
        // Whoever is answered in one step may have been in one group: its failure leaves all of them in doubt.
        let before = self.poisoned.clone();
        for waiting in answered {
            self.judge(waiting, &before);
        }
    }

    fn judge(&mut self, waiting: Waiting, poisoned: &[bool]) {
        let Waiting { attempts, answers, .. } = waiting;
        for (attempt, answer) in attempts.into_iter().zip(answers.wait()) {
            let shard = self.devices[attempt.device].shard(self.shards);
            let (device, seq) = (attempt.device, attempt.seq);
            self.log(&format!("answer to {device} {seq}: {}", outcome_name(&answer)));
            if let Err(what) = self.known[device].judge(&attempt, poisoned[shard], &answer) {
                self.broken(&format!("device {device}, seq {seq}, answered {answer:?}: {what}"));
            }
            if let Err(SubmitError::Shard(error)) = &answer
                && matches!(**error, ShardError::Poisoned { .. })
            {
                self.note_poison(shard);
            }
        }
    }

    /// A fault poisons the shard that it struck, and no other.
    pub(crate) fn note_poison(&mut self, shard: usize) {
        if self.poisoned[shard] {
            return;
        }
        self.log(&format!("shard {shard} is poisoned"));
        self.poisoned[shard] = true;
        let poisoned = self.poisoned.iter().filter(|poisoned| **poisoned).count() as u64;
        if !self.disk.is_crashed() && self.is_open() && poisoned > self.disk.faults() {
            self.broken("a shard is poisoned that no fault has struck");
        }
    }

    /// What holds at any time.
    pub(crate) fn check_state(&mut self) {
        let state = self.engine().state();
        for (shard, poisoned) in self.poisoned.clone().into_iter().enumerate() {
            if poisoned && state.shards[shard].sealed.0 > self.sealed_before[shard] {
                self.broken(&format!(
                    "shard {shard} is poisoned and seals block {}",
                    state.shards[shard].sealed
                ));
            }
            self.sealed_before[shard] = state.shards[shard].sealed.0;
        }
        if let Some(fault) = &state.fault
            && ["corrupt", "do not fit", "stands on the base chain", "rejects"]
                .iter()
                .any(|word| fault.contains(word))
            && !(fault.contains("rejects") && self.temper.chain_trouble > 0)
        {
            self.broken(&format!("the node reports {fault}"));
        }
        if state.proven.0 < self.proven {
            self.broken(&format!("block {} was proven, now it is {}", self.proven, state.proven));
        }
        if state.finalized.0 < self.finalized || state.posted > state.proven || state.finalized > state.posted
        {
            self.broken(&format!(
                "stages out of order: proven {}, posted {}, final {}, which was {}",
                state.proven, state.posted, state.finalized, self.finalized
            ));
        }
        (self.proven, self.finalized) = (state.proven.0, state.finalized.0);
    }

    pub(crate) fn restart_somehow(&mut self) {
        let kind = self.pick(3);
        self.restart(kind);
    }

    /// Ends the node and opens it again on what is left: by a loss of power, by a kill, or by closing it.
    pub(crate) fn restart(&mut self, kind: usize) {
        let before = self.disk.clone();
        if kind == 0 {
            self.log("loss of power");
            self.disk = before.restart().expect("memory takes everything");
        } else if kind == 1 {
            self.log("kill");
            self.disk = before.kill();
        } else {
            self.log("close");
            self.disk.set_rates(Rates::default());
            // Of several lanes nobody would know the order.
            if self.waiting.iter().any(|waiting| waiting.lane != self.waiting[0].lane) {
                self.drain();
            }
            self.shut();
            self.disk = before.kill();
        }
        self.shut();
        self.world.lock().trouble = 0;
        if self.pick(3) == 0 {
            // Once more while it recovers.
            let operation = self.pick(8) as u64;
            self.log(&format!("inject a crash at {operation} of the recovery"));
            self.disk.fail_at(operation, Fault::Crash);
        }
        let written = self.written_bytes();
        if !self.open() {
            self.disk = self.disk.restart().expect("memory takes everything");
            self.shut();
            if !self.open() {
                self.broken("power was lost again, which nobody asked for");
            }
        } else {
            self.check_cut(&written);
        }
        self.disk.heal();
        self.check_recovery();
        self.trouble();
    }
}

fn outcome_name(answer: &Result<Ack, SubmitError>) -> String {
    match answer {
        Ok(ack) => format!("{} repeated {}", ack.position, ack.repeated),
        Err(error) => error.to_string(),
    }
}

/// The embedded chain on the node's disk, or on one of its own that never fails.
fn open_chain(
    contract: &Contract<'_>,
    config: EmbeddedConfig,
    disk: &Faulty<MemoryStorage>,
    clock: &ManualClock,
    own_chain: bool,
) -> Result<EmbeddedChain, ChainError> {
    let storage: Arc<dyn Storage> =
        if own_chain { Arc::new(disk.clone()) } else { Arc::new(MemoryStorage::default()) };
    let (dir, clock) = (Path::new("/deployment/chain"), Arc::new(clock.clone()));
    if EmbeddedChain::exists(&*storage, dir)? {
        return EmbeddedChain::open(&storage, dir, config, clock);
    }
    EmbeddedChain::create(&storage, dir, config, contract.genesis_state_root, &contract.key.words(), clock)
}

/// The stages that a receipt can have, for the checks.
pub(crate) const STAGES: [Stage; 3] = [Stage::Proven, Stage::Posted, Stage::Final];

//! The proof of a block's batches on its way: made, kept, checked by validators and by auditors.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{
    At, AuditStep, BlockNumber, Engine, EngineError, Stage, audit,
    rollup::{
        SystemClock,
        batch_proof::{
            BatchProver, Options, ProvenBatches, Soundness, StarkError, StarkProver, Statement, Witness,
            testing::SimulatedBatchProver,
        },
        chain::embedded::{EmbeddedChain, EmbeddedConfig},
    },
    storage::{FileStorage, Storage},
};
use common::{Device, builder};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const QUICK: u64 = 20;

/// Two final blocks of two shards, whose validators check them, closed again.
fn deployment(dir: &Path) {
    let config = EmbeddedConfig { slot_ms: QUICK, validators: vec![1; 4], ..EmbeddedConfig::default() };
    let engine = builder(dir, 2).embedded_chain(config).open().unwrap();
    let devices = [1, 2, 3, 4].map(Device::new);
    for device in &devices {
        engine.enroll(device.enrolment()).unwrap();
    }
    for block in 0..2 {
        for device in &devices {
            device.write(&engine, block).unwrap();
        }
        assert_eq!(engine.flush(Stage::Final).unwrap(), BlockNumber(block + 1));
    }
    assert_eq!(engine.close().fault, None);
}

fn batch_proof(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("blocks/{number:016x}.batches"))
}

#[test]
fn an_auditor_checks_a_block_from_its_files_and_names_what_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    deployment(dir);
    for number in [1, 2] {
        let audit = audit(dir, BlockNumber(number)).unwrap();
        assert_eq!((audit.statement.number, audit.statement.record_count), (BlockNumber(number), 4));
        assert_eq!(audit.batches.iter().map(|batch| batch.record_count).sum::<u32>(), 4);
        assert!(Soundness::together(&audit.soundness) >= 100.0);
        assert_eq!(audit.chain, Some(At::Finalized));
    }
    let fails = |number, step| {
        let error = audit(dir, BlockNumber(number)).unwrap_err();
        assert_eq!(error.step, step, "{error}");
    };
    fails(0, AuditStep::Block);
    fails(3, AuditStep::Block);

    let shard = Device::new(1).id.shard(arterial::protocol::ShardCount::new(2).unwrap()).0;
    let batch = |number: u64| dir.join(format!("shards/{shard:04}/batches/{number:016x}.batch"));
    let block = dir.join(format!("blocks/{:016x}.block", 2));
    let history = dir.join("chain/history.log");
    // With another block's file in its place, and without it.
    let cases = [
        (block, dir.join(format!("blocks/{:016x}.block", 1)), AuditStep::Block),
        (batch_proof(dir, 2), batch_proof(dir, 1), AuditStep::Batches),
        (batch(2), batch(1), AuditStep::Data),
        (dir.join("genesis"), batch(1), AuditStep::Deployment),
        (dir.join("block.key"), batch(1), AuditStep::Deployment),
        (history, batch(1), AuditStep::Chain),
    ];
    for (path, other, step) in cases {
        let good = fs::read(&path).unwrap();
        fs::write(&path, fs::read(other).unwrap()).unwrap();
        fails(2, step);
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        fs::write(&path, flipped).unwrap();
        fails(2, step);
        fs::write(&path, good).unwrap();
        audit(dir, BlockNumber(2)).unwrap();
    }
    fs::remove_file(batch(2)).unwrap();
    fails(2, AuditStep::Data);
    fs::remove_file(batch_proof(dir, 2)).unwrap();
    fails(2, AuditStep::Batches);
}

/// The real prover, and how often it was asked.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

impl BatchProver for Counting {
    fn prove(&self, witness: &Witness<'_>, options: &Options<'_>) -> Result<ProvenBatches, StarkError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        StarkProver.prove(witness, options)
    }

    fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<Vec<Soundness>, StarkError> {
        StarkProver.verify(statement, proof)
    }
}

#[test]
fn a_proof_that_a_crash_left_without_its_block_is_taken_up_again_if_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, prover) = (dir.path(), Counting::default());
    let device = Device::new(1);
    let open = || builder(dir, 1).batch_prover(Arc::new(prover.clone())).open().unwrap();
    let engine = open();
    engine.enroll(device.enrolment()).unwrap();
    device.write(&engine, 0).unwrap();
    engine.flush(Stage::Proven).unwrap();
    let _ = engine.close();
    assert_eq!(prover.0.load(Ordering::Relaxed), 1);

    let lose_block = || fs::remove_file(dir.join(format!("blocks/{:016x}.block", 1))).unwrap();
    let again = |expected: u64| {
        let engine = open();
        engine.flush(Stage::Final).unwrap();
        assert_eq!(engine.close().fault, None);
        assert_eq!(prover.0.load(Ordering::Relaxed), expected);
        audit(dir, BlockNumber(1)).unwrap();
    };
    lose_block();
    again(1);
    lose_block();
    let mut bytes = fs::read(batch_proof(dir, 1)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(batch_proof(dir, 1), bytes).unwrap();
    again(2);
}

/// Works until it is told to stop.
struct Endless;

impl BatchProver for Endless {
    fn prove(&self, _: &Witness<'_>, options: &Options<'_>) -> Result<ProvenBatches, StarkError> {
        while !options.cancel.unwrap().load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        Err(StarkError::Cancelled)
    }

    fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<Vec<Soundness>, StarkError> {
        StarkProver.verify(statement, proof)
    }
}

#[test]
fn closing_ends_a_proof_and_the_next_process_goes_on_with_the_block() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let engine = builder(dir.path(), 1).batch_prover(Arc::new(Endless)).open().unwrap();
    engine.enroll(device.enrolment()).unwrap();
    device.write(&engine, 0).unwrap();
    let flushing = engine.clone();
    let flush = thread::spawn(move || flushing.flush(Stage::Proven));
    while engine.state().sealed != BlockNumber(1) {
        thread::sleep(Duration::from_millis(1));
    }
    // Ingest does not wait for it.
    device.write(&engine, 1).unwrap();
    let state = engine.close();
    assert_eq!((state.proven, state.fault), (BlockNumber::GENESIS, None));
    assert!(matches!(flush.join().unwrap(), Err(EngineError::Closed)));

    let engine = builder(dir.path(), 1).open().unwrap();
    assert_eq!(engine.flush(Stage::Final).unwrap(), BlockNumber(2));
    for seq in 0..2 {
        assert_eq!(engine.receipt(device.id, seq).unwrap().number, BlockNumber(seq + 1));
    }
}

/// A sequencer that proves its blocks, but vouches for their batches with what only it believes.
#[test]
fn validators_do_not_vote_for_batches_that_are_not_proven() {
    let dir = tempfile::tempdir().unwrap();
    let chain = Arc::new(Mutex::new(None));
    let opened = Arc::clone(&chain);
    let engine: Engine = builder(dir.path(), 1)
        .batch_prover(Arc::new(SimulatedBatchProver::new(1)))
        .chain(1337, move |contract| {
            let config =
                EmbeddedConfig { slot_ms: QUICK, validators: vec![1; 4], ..EmbeddedConfig::default() };
            let storage: Arc<dyn Storage> = Arc::new(FileStorage);
            let (dir, genesis) = (contract.dir.join("chain"), contract.genesis_state_root);
            let (key, clock) = (contract.key.words(), Arc::new(SystemClock));
            let chain = EmbeddedChain::create(&storage, &dir, config, genesis, &key, clock)?;
            let mut published = contract.published.clone();
            published.batch_verifier = Arc::new(StarkProver);
            let chain = Arc::new(chain.with_check(Box::new(published)));
            *opened.lock().unwrap() = Some(Arc::clone(&chain));
            Ok(chain)
        })
        .open()
        .unwrap();
    let device = Device::new(1);
    engine.enroll(device.enrolment()).unwrap();
    device.write(&engine, 0).unwrap();
    engine.flush(Stage::Proven).unwrap();
    let chain = chain.lock().unwrap().take().unwrap();
    while chain.standing().unwrap().refusal.is_none() {
        thread::sleep(Duration::from_millis(QUICK));
    }
    thread::sleep(Duration::from_millis(10 * QUICK));
    let state = engine.close();
    assert_eq!((state.posted, state.finalized), (BlockNumber::GENESIS, BlockNumber::GENESIS));
    assert_eq!(audit(dir.path(), BlockNumber(1)).unwrap_err().step, AuditStep::Batches);
}

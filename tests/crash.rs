//! A crash at every operation of the durability order, from the first write to the stored block.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{
    At, BlockNumber, Engine, EngineBuilder, Receipt, Stage,
    rollup::batch_proof::testing::SimulatedBatchProver,
    storage::{Fault, Faulty, FileStorage},
};
use common::{Device, builder};
use std::{fs, path::Path, sync::Arc, time::Duration};

/// Batches are not really proven: dozens of runs would take minutes, and what is crashed is what is kept.
fn deployment(dir: &Path) -> EngineBuilder {
    builder(dir, 1).batch_prover(Arc::new(SimulatedBatchProver::new(1)))
}

fn open(dir: &Path, storage: &Faulty<FileStorage>) -> Engine {
    deployment(dir).storage(Arc::new(storage.clone())).open().unwrap()
}

/// Writes and makes two blocks; returns what was acknowledged as durable. A crash ends it early.
fn scenario(engine: &Engine, device: &Device) -> Vec<u64> {
    let mut durable = Vec::new();
    if engine.enroll(device.enrolment()).is_err() {
        return durable;
    }
    for seq in 0..4 {
        durable.extend(device.write(engine, seq).is_ok().then_some(seq));
        if seq % 2 == 1 && !proven_or_faulty(engine) {
            return durable;
        }
    }
    durable
}

/// Makes a block; false if something is in its way.
fn proven_or_faulty(engine: &Engine) -> bool {
    let flushing = engine.clone();
    let flush = std::thread::spawn(move || flushing.flush(Stage::Proven).is_ok());
    while !flush.is_finished() {
        if engine.state().fault.is_some() {
            // The engine would try for ever; closing releases whoever waits.
            let _ = engine.clone().close();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    flush.join().unwrap()
}

fn block_files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir.join("blocks"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some("block".as_ref()))
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_changes_no_block() {
    let device = Device::new(1);
    let (opened, operations) = {
        let dir = tempfile::tempdir().unwrap();
        let storage = Faulty::new(FileStorage);
        let engine = open(dir.path(), &storage);
        let opened = storage.operations();
        assert_eq!(scenario(&engine, &device), [0, 1, 2, 3]);
        (opened, storage.operations())
    };
    assert!(operations - opened > 25, "{opened} to {operations}");
    for operation in opened..operations {
        let dir = tempfile::tempdir().unwrap();
        let storage = Faulty::new(FileStorage);
        let engine = open(dir.path(), &storage);
        storage.fail_at(operation, Fault::CrashAfter(11));
        let durable = scenario(&engine, &device);
        drop(engine);
        let before = block_files(dir.path());

        let engine = deployment(dir.path()).open().unwrap();
        engine.enroll(device.enrolment()).unwrap();
        for seq in 0..4 {
            let ack = device.write(&engine, seq).unwrap();
            assert!(ack.repeated || !durable.contains(&seq), "crash at {operation}: {seq} was lost");
        }
        engine.flush(Stage::Final).unwrap();
        for seq in 0..4 {
            let receipt = Receipt::decode(&engine.receipt(device.id, seq).unwrap().encode()).unwrap();
            let root = engine.chain().state_root(receipt.number, At::Finalized).unwrap().unwrap();
            let verified = receipt.verify(&root).unwrap();
            assert!(u64::from(verified.position) == seq && verified.history_is_gapless);
        }
        let after = block_files(dir.path());
        assert_eq!(before, after[..before.len()], "crash at {operation}: a stored block changed");
        assert!(engine.state().proven <= BlockNumber(3));
    }
}

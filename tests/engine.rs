//! The whole path, as a host node goes it.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{
    At, BlockNumber, DeviceId, Engine, EngineError, Enrolment, Lane, Receipt, ShardError, Stage, StateRoot,
    Tag, Write,
};
use common::{Device, builder};
use std::{fs, time::Duration};

fn root_on_chain(engine: &Engine, number: BlockNumber) -> StateRoot {
    engine.chain().state_root(number, At::Finalized).unwrap().expect("the block is final")
}

#[test]
fn a_write_becomes_a_receipt_that_verifies_against_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let engine = builder(dir.path(), 2).open().unwrap();
    let devices = [1, 2, 3].map(Device::new);
    for device in &devices {
        engine.enroll(device.enrolment()).unwrap();
    }
    for block in 0..3 {
        for device in &devices[..=block] {
            for seq in 0..5 {
                device.write(&engine, 10 * block as u64 + seq).unwrap();
            }
        }
        assert_eq!(engine.flush(Stage::Final).unwrap(), BlockNumber(block as u64 + 1));
    }
    for (n, device) in devices.iter().enumerate() {
        for block in n..3 {
            for seq in (0..5).map(|seq| 10 * block as u64 + seq) {
                let receipt = engine.receipt(device.id, seq).unwrap();
                assert_eq!((receipt.stage, receipt.number), (Stage::Final, BlockNumber(block as u64 + 1)));
                let receipt = Receipt::decode(&receipt.encode()).unwrap();
                let verified = receipt.verify(&root_on_chain(&engine, receipt.number)).unwrap();
                assert_eq!((verified.device, verified.seq), (device.id, seq));
                assert_eq!(u64::from(verified.position), (block - n) as u64 * 5 + seq % 10);
                let other = root_on_chain(&engine, BlockNumber(receipt.number.0 % 3 + 1));
                receipt.verify(&other).unwrap_err();
            }
        }
    }
    let summary = engine.block(BlockNumber(3)).unwrap();
    assert_eq!((summary.statement.record_count, summary.stage), (15, Stage::Final));
    assert!(summary.inclusion.unwrap().gas_used <= 260_000);
    let state = engine.close();
    assert_eq!((state.proven, state.finalized, state.unsealed_records), (BlockNumber(3), BlockNumber(3), 0));
    assert_eq!(state.fault, None);
}

#[test]
fn a_mac_device_has_a_receipt_without_third_party_authorship() {
    let dir = tempfile::tempdir().unwrap();
    let engine = builder(dir.path(), 1).open().unwrap();
    let device = DeviceId::from_label("pump 7");
    engine.enroll(Enrolment::mac(device, [5; 32])).unwrap();
    let write = Write { device, seq: 0, observed_at_ms: 1, kind: 2, payload: b"2.5 ml/h" };
    engine.submit(Lane::Routine, &write, Tag::mac(&[5; 32], &write)).unwrap().wait().unwrap();
    let number = engine.flush(Stage::Posted).unwrap();
    let verified = engine
        .receipt(device, 0)
        .unwrap()
        .verify(&engine.chain().state_root(number, At::Latest).unwrap().unwrap());
    assert_eq!(verified.unwrap().authorship, arterial::protocol::Authorship::SequencerOnly);
}

#[test]
fn a_reopened_engine_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    {
        let engine = builder(dir.path(), 2).open().unwrap();
        engine.enroll(device.enrolment()).unwrap();
        for seq in 0..3 {
            device.write(&engine, seq).unwrap();
        }
        engine.flush(Stage::Proven).unwrap();
        for seq in 3..5 {
            device.write(&engine, seq).unwrap();
        }
        assert!(matches!(engine.receipt(device.id, 4), Err(EngineError::NotProven { seq: 4, .. })));
        assert_eq!(engine.close().unsealed_records, 2);
    }
    let engine = builder(dir.path(), 2).open().unwrap();
    let state = engine.state();
    assert_eq!((state.proven, state.unsealed_records), (BlockNumber(1), 2));
    assert!(device.write(&engine, 4).unwrap().repeated);
    assert_eq!(engine.flush(Stage::Final).unwrap(), BlockNumber(2));
    for seq in 0..5 {
        let receipt = engine.receipt(device.id, seq).unwrap();
        receipt.verify(&root_on_chain(&engine, receipt.number)).unwrap();
    }
    assert!(matches!(
        engine.receipt(device.id, 5),
        Err(EngineError::Shard(ShardError::UnknownRecord { seq: 5, .. }))
    ));
}

#[test]
fn blocks_come_by_themselves_by_time_and_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let engine = builder(dir.path(), 1).block_interval(Duration::from_millis(50)).open().unwrap();
    engine.enroll(device.enrolment()).unwrap();
    device.write(&engine, 0).unwrap();
    while engine.state().proven == BlockNumber::GENESIS || engine.state().unsealed_records > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = engine.close().proven;
    let engine = builder(dir.path(), 1).block_records(2).open().unwrap();
    device.write(&engine, 1).unwrap();
    device.write(&engine, 2).unwrap();
    while engine.state().proven <= before {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_flush_ends_although_others_go_on_writing() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let engine = builder(dir.path(), 1).open().unwrap();
    engine.enroll(device.enrolment()).unwrap();
    device.write(&engine, 0).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (writer, device, stop) = (engine.clone(), &device, &stop);
        scope.spawn(move || {
            for seq in (1..).take_while(|_| !stop.load(std::sync::atomic::Ordering::Relaxed)) {
                device.write(&writer, seq).unwrap();
            }
        });
        let last = engine.flush(Stage::Proven).unwrap();
        assert!(engine.receipt(device.id, 0).unwrap().number <= last);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // Nothing waits: the answer is the newest block, and no empty one is made.
    let newest = engine.flush(Stage::Proven).unwrap();
    assert_eq!(engine.flush(Stage::Proven).unwrap(), newest);
}

#[test]
fn misuse_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let text = |result: Result<Engine, EngineError>| result.unwrap_err().to_string();
    assert!(text(Engine::builder(dir.path().join("x")).shards(3).open()).contains("a power of two"));
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "").unwrap();
    assert!(text(Engine::builder(&foreign).open()).contains("is not empty"));
    let own = dir.path().join("own");
    let engine = builder(&own, 1).open().unwrap();
    assert!(text(builder(&own, 1).open()).contains("in use"));
    assert!(matches!(engine.block(BlockNumber(1)), Err(EngineError::UnknownBlock { .. })));
    drop(engine);
    assert!(text(builder(&own, 2).open()).contains("expected 1, as in the directory, got 2"));
    // What was fixed at the beginning need not be said again, the embedded chain's slots included.
    drop(Engine::builder(&own).open().unwrap());
    let good = fs::read(own.join("genesis")).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(own.join("genesis"), bytes).unwrap();
        assert!(matches!(builder(&own, 1).open(), Err(EngineError::Corrupt { .. })), "byte {at}");
    }
    fs::write(own.join("genesis"), good).unwrap();
    // The keys of a deployment with another number of shards.
    let two = dir.path().join("two");
    drop(builder(&two, 2).open().unwrap());
    fs::copy(two.join("block.key"), own.join("block.key")).unwrap();
    assert!(matches!(builder(&own, 1).open(), Err(EngineError::Proof(_))));
}

#[test]
fn destroyed_keys_leave_the_neighbours_receipts_valid() {
    let dir = tempfile::tempdir().unwrap();
    let engine = builder(dir.path(), 1).open().unwrap();
    let (gone, stays) = (Device::new(1), Device::new(2));
    for device in [&gone, &stays] {
        engine.enroll(device.enrolment()).unwrap();
        device.write(&engine, 0).unwrap();
    }
    let number = engine.flush(Stage::Final).unwrap();
    engine.destroy_keys(gone.id).unwrap();
    assert!(engine.receipt(gone.id, 0).unwrap_err().to_string().contains("destroyed"));
    engine.receipt(stays.id, 0).unwrap().verify(&root_on_chain(&engine, number)).unwrap();
}

//! A deployment that was damaged and mended goes on where it was, with every record that it had acknowledged.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{At, EngineError, Stage, repair};
use common::{Device, builder};
use std::{fs, path::Path};

const WRITES: u64 = 12;

/// Two blocks, and two records that wait for the third.
fn deployment(dir: &Path, device: &Device) {
    let engine = builder(dir, 1).open().unwrap();
    engine.enroll(device.enrolment()).unwrap();
    for seq in 0..WRITES {
        device.write(&engine, seq).unwrap();
        if seq % 5 == 4 {
            engine.flush(Stage::Final).unwrap();
        }
    }
    assert!(matches!(repair(dir, true), Err(EngineError::InUse { .. })));
    let _ = engine.close();
}

#[test]
fn after_a_repair_every_acknowledged_record_has_a_receipt_that_verifies() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, device) = (temp.path(), Device::new(1));
    deployment(dir, &device);
    let segment = dir.join("shards/0000/log/0000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // A bit of an old record, and one of the newest, without which opening would take it for torn.
    (bytes[300], bytes[end - 8]) = (bytes[300] ^ 2, bytes[end - 8] ^ 2);
    fs::write(&segment, bytes).unwrap();
    fs::remove_file(dir.join("shards/0000/batches/0000000000000002.index")).unwrap();
    assert!(builder(dir, 1).open().is_err());
    let repaired = repair(dir, true).unwrap();
    assert_eq!((repaired.mended().len(), repaired.losses()), (3, &[][..]));

    let engine = builder(dir, 1).open().unwrap();
    engine.flush(Stage::Final).unwrap();
    for seq in 0..WRITES {
        let receipt = engine.receipt(device.id, seq).unwrap();
        let root = engine.chain().state_root(receipt.number, At::Finalized).unwrap().unwrap();
        assert_eq!(u64::from(receipt.verify(&root).unwrap().position), seq);
    }
}

#[test]
fn a_log_that_lost_a_stored_block_is_refused_and_so_is_what_the_logs_cannot_make() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, device) = (temp.path(), Device::new(1));
    deployment(dir, &device);
    let block = dir.join("blocks/0000000000000002.block");
    let block_bytes = fs::read(&block).unwrap();
    fs::write(&block, &block_bytes[..100]).unwrap();
    let refused = repair(dir, true).unwrap();
    assert!(
        refused.mended().is_empty() && refused.losses().iter().any(|loss| loss.path == block),
        "{refused:?}"
    );
    fs::write(&block, &block_bytes).unwrap();

    // Everything behind the second block's cut is gone, as if it had been torn.
    let segment = dir.join("shards/0000/log/0000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let cut = (80..bytes.len()).step_by(8).filter(|&at| bytes[at] == 8 && bytes[at + 8] == 3).nth(1).unwrap();
    bytes[cut + 24..].fill(0);
    fs::write(&segment, &bytes).unwrap();
    let refused = repair(dir, true).unwrap();
    let [loss] = refused.losses() else { panic!("{refused:?}") };
    assert!(loss.path == segment && loss.what.contains("block 2 was sealed"), "{loss:?}");
    assert!(fs::read(&segment).unwrap() == bytes);
}

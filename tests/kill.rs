//! A process killed while it writes, for real: what it was told is durable is there.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{At, Receipt, Stage, SubmitError, Tag, Write};
use common::{Device, builder, payload};
use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

const DIR: &str = "ARTERIAL_KILL_TEST_DIR";
const DEVICES: u8 = 8;

/// The child: writes until it is killed, and says on its standard output what was acknowledged.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let engine = builder(dir.as_ref(), 2).block_records(500).open().unwrap();
    let devices: Vec<Device> = (0..DEVICES).map(Device::new).collect();
    for outcome in engine.enroll_many(&devices.iter().map(Device::enrolment).collect::<Vec<_>>()) {
        outcome.unwrap();
    }
    let mut out = std::io::stdout().lock();
    for seq in 0.. {
        let payload = payload(seq);
        let signed: Vec<(Write<'_>, Tag)> = devices.iter().map(|device| device.sign(seq, &payload)).collect();
        for (device, outcome) in devices.iter().zip(engine.submit_many(&signed).wait()) {
            outcome.unwrap();
            // The leading newline ends whatever the test runner left on the line.
            writeln!(out, "\nack {} {seq}", device.id.0[0]).unwrap();
        }
    }
}

/// Starts the child on a directory, kills it after so many acknowledgements, and returns them.
fn killed_after(dir: &std::path::Path, acks: usize) -> BTreeSet<(u8, u64)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split(' ').collect();
        if let ["ack", device, seq] = words[..] {
            // A line that the kill tore is no acknowledgement that anybody has read.
            let (Ok(device), Ok(seq)) = (device.parse(), seq.parse()) else { break };
            acknowledged.insert((device, seq));
        }
        if acknowledged.len() >= acks && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    acknowledged
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("deployment");
    // The keys are put there before the first start.
    drop(builder(&dir, 2).open().unwrap());
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        // Different moments: before, while and after blocks are made.
        let again = killed_after(&dir, 40 + 700 * round);
        assert!(!again.is_empty(), "round {round}");
        acknowledged.extend(again);
    }
    let engine = builder(&dir, 2).block_interval(Duration::from_millis(200)).open().unwrap();
    engine.flush(Stage::Final).unwrap();
    let devices: Vec<Device> = (0..DEVICES).map(Device::new).collect();
    for &(n, seq) in &acknowledged {
        let device = &devices[usize::from(n)];
        assert!(device.write(&engine, seq).unwrap().repeated, "seq {seq} of device {n} was lost");
        if seq % 97 == 0 {
            let receipt = Receipt::decode(&engine.receipt(device.id, seq).unwrap().encode()).unwrap();
            let root = engine.chain().state_root(receipt.number, At::Finalized).unwrap().unwrap();
            receipt.verify(&root).unwrap();
        }
    }
    // What was refused stays out, also after all that.
    let (write, _) = devices[0].sign(1 << 20, b"forged");
    let forged = engine.submit(&write, Tag::Ed25519([1; 64])).unwrap().wait();
    assert!(matches!(forged, Err(SubmitError::Unauthentic { .. })));
}

//! A process killed under load, for real, again and again: what it was told is durable is there.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial::{At, Engine, Lane, Receipt, Stage, SubmitError, Tag, Write};
use common::{Device, builder, payload};
use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const DIR: &str = "ARTERIAL_KILL_TEST_DIR";
const FIRST_SEQ: &str = "ARTERIAL_KILL_TEST_FIRST_SEQ";
const DEVICES: u8 = 8;
/// Writes of each device in one submission.
const BURST: u64 = 16;

fn devices() -> Vec<Device> {
    (0..DEVICES).map(Device::new).collect()
}

/// The child: writes until it is killed, and says on its standard output what was acknowledged.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let first: u64 = env::var(FIRST_SEQ).unwrap().parse().unwrap();
    let engine = builder(dir.as_ref(), 2).block_records(3000).open().unwrap();
    let devices = devices();
    for outcome in engine.enroll_many(&devices.iter().map(Device::enrolment).collect::<Vec<_>>()) {
        outcome.unwrap();
    }
    let mut out = std::io::stdout().lock();
    for from in (0..).map(|burst| first + burst * BURST) {
        let payloads: Vec<Vec<u8>> = (from..from + BURST).map(payload).collect();
        let burst = (from..from + BURST).zip(&payloads);
        let signed: Vec<(Write<'_>, Tag)> = burst
            .flat_map(|(seq, payload)| devices.iter().map(move |device| device.sign(seq, payload)))
            .collect();
        for outcome in engine.submit_many(Lane::Routine, &signed).wait() {
            outcome.unwrap();
        }
        // The leading newline ends whatever the test runner left on the line.
        writeln!(out, "\nack {from} .").unwrap();
    }
}

/// When a child is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it began: while it opens, too.
    After(Duration),
    /// Once so many bursts were acknowledged.
    Acknowledged(usize),
}

/// Starts the child, kills it, and returns the bursts that it said were acknowledged.
fn killed(dir: &Path, first_seq: u64, moment: Moment) -> BTreeSet<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST_SEQ, first_seq.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if let Moment::After(time) = moment {
        thread::sleep(time);
        child.kill().unwrap();
    }
    let mut acknowledged = BTreeSet::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        // A line that the kill tore lacks its full stop, and is no acknowledgement that anybody has read.
        if let ["ack", from, "."] = line.split(' ').collect::<Vec<_>>()[..] {
            acknowledged.insert(from.parse().unwrap());
        }
        if matches!(moment, Moment::Acknowledged(bursts) if acknowledged.len() == bursts) {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "it ended by itself: {status}");
    acknowledged
}

/// Every burst that was acknowledged is there: the outermost of each life, and some between.
fn check(engine: &Engine, acknowledged: &BTreeSet<u64>, last_of_lives: &BTreeSet<u64>) {
    engine.flush(Stage::Final).unwrap();
    for (n, device) in devices().iter().enumerate() {
        for &from in acknowledged
            .iter()
            .filter(|from| last_of_lives.contains(from) || (*from / BURST).is_multiple_of(29))
        {
            for seq in from..from + BURST {
                assert!(device.write(engine, seq).unwrap().repeated, "seq {seq} of device {n} was lost");
            }
            let receipt = Receipt::decode(&engine.receipt(device.id, from).unwrap().encode()).unwrap();
            let root = engine.chain().state_root(receipt.number, At::Finalized).unwrap().unwrap();
            receipt.verify(&root).unwrap();
        }
    }
}

fn survives(kills: usize) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("deployment");
    // The keys are put there before the first start.
    drop(builder(&dir, 2).open().unwrap());
    let mut random = Xoshiro256PlusPlus::seed_from_u64(kills as u64);
    let (mut acknowledged, mut last_of_lives) = (BTreeSet::new(), BTreeSet::new());
    for kill in 0..kills {
        let next = acknowledged.last().map_or(0, |last| last + BURST);
        // Every other one is killed whenever it comes, which may be before it has said anything.
        let moment = match kill % 2 {
            0 => Moment::Acknowledged(random.random_range(1..60)),
            _ => Moment::After(Duration::from_micros(random.random_range(0..300_000))),
        };
        let again = killed(&dir, next, moment);
        assert!(!again.is_empty() || matches!(moment, Moment::After(_)), "kill {kill}, {moment:?}");
        last_of_lives.extend(again.first().into_iter().chain(again.last()));
        acknowledged.extend(again);
    }
    let engine = builder(&dir, 2).block_interval(Duration::from_millis(200)).open().unwrap();
    check(&engine, &acknowledged, &last_of_lives);
    // What was refused stays out, also after all that.
    let device = Device::new(0);
    let (write, _) = device.sign(1 << 20, b"forged");
    let forged = engine.submit(Lane::Routine, &write, Tag::Ed25519([1; 64])).unwrap().wait();
    assert!(matches!(forged, Err(SubmitError::Unauthentic { .. })));
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there() {
    survives(10);
}

/// `ARTERIAL_KILLS` times.
#[test]
#[ignore = "takes minutes"]
fn what_was_acknowledged_is_there_after_hundreds_of_kills() {
    survives(env::var("ARTERIAL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(300));
}

//! A shard in an order that is given: what is urgent goes first, and a restart begins at a checkpoint.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::{BlockNumber, DeviceId, ShardId, Tag, Write, limits::RUN_RECORDS_MAX};
use arterial_shards::{
    Enrolment, Lane, Located, Shards, SubmitError, Ticket,
    limits::{GROUP_WRITES, SEGMENT_BYTES_MIN, backlog_records_max},
};
use arterial_storage::{Fault, Faulty, FileStorage, Storage};
use common::{Device, config, open, payload};
use std::{fs, io::ErrorKind, path::Path, sync::Arc};

/// Every seal leaves a checkpoint.
fn checkpointing(storage: &(impl Storage + Clone + 'static), dir: &Path) -> Shards {
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let mut config = config(dir, 1);
    config.checkpoint_log_bytes = 1;
    Shards::open(&storage, &config).unwrap()
}

fn stepped(dir: &Path) -> Shards {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    Shards::open_stepped(&storage, &config(dir, 1)).unwrap()
}

fn submit(shards: &Shards, lane: Lane, device: &Device, seq: u64) -> Ticket {
    let payload = payload(seq);
    let (write, tag) = device.write(seq, &payload);
    shards.submit(lane, &write, tag).unwrap()
}

#[test]
fn the_most_urgent_lane_goes_first_and_none_waits_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let shards = stepped(dir.path());
    let (alarms, routine, bulk) = (Device::new(1), Device::new(2), Device::new(3));
    shards.enrol(&[alarms.enrolment(), routine.enrolment(), bulk.enrolment()]);
    let late = submit(&shards, Lane::Bulk, &bulk, 0);
    let soon = submit(&shards, Lane::Routine, &routine, 0);
    let first = submit(&shards, Lane::Alarm, &alarms, 0);
    assert!(!first.is_answered());
    for expected in [[true, false, false], [true, true, false], [true, true, true]] {
        assert!(shards.step(ShardId(0)));
        assert_eq!([&first, &soon, &late].map(Ticket::is_answered), expected);
    }
    assert!(!shards.step(ShardId(0)), "nothing is left");
    // A flood of alarms does not starve the waveforms.
    let late = submit(&shards, Lane::Bulk, &bulk, 1);
    let had_its_turn = (1..100).any(|seq| {
        drop(submit(&shards, Lane::Alarm, &alarms, seq));
        assert!(shards.step(ShardId(0)));
        late.is_answered()
    });
    assert!(had_its_turn);
}

#[test]
fn alarms_overtake_a_group_whose_signatures_are_checked_and_a_flood_of_them_does_not_hold_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let shards = stepped(dir.path());
    let (alarms, bulk) = (Device::new(1), Device::new(3));
    shards.enrol(&[alarms.enrolment(), bulk.enrolment()]);
    let large = vec![0; 60_000];
    let alarm = |seq: u64| {
        let (write, tag) = alarms.write(seq, &large);
        shards.submit(Lane::Alarm, &write, tag).unwrap()
    };
    // Several groups of alarms wait whenever the waveform has its turn.
    for seq in 0..400 {
        drop(alarm(seq));
    }
    let late = submit(&shards, Lane::Bulk, &bulk, 0);
    let queued = || shards.status()[0].queued_writes.iter().sum::<usize>();
    let mut waiting = queued();
    while !late.is_answered() {
        assert!(shards.step(ShardId(0)));
        let left = queued();
        if late.is_answered() {
            // It, and the one group of alarms that overtook it.
            assert!(waiting - left > 1 && waiting - left <= 1 + (1 << 20) / 60_000, "{waiting} to {left}");
            assert!(left > 100, "alarms are left: {left}");
        }
        waiting = left;
    }
}

/// Closing takes every lane, but never more than what a block holds: a log with more could not be opened again.
#[test]
fn closing_works_off_what_the_backlog_has_room_for_and_answers_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    // So many shards that each has the least backlog there is.
    let config = config(dir.path(), 256);
    let backlog = backlog_records_max(256);
    let shards = Shards::open_stepped(&storage, &config).unwrap();
    let device = (0..).map(|n: u32| DeviceId([n.to_le_bytes(); 4].concat().try_into().unwrap()));
    let device = { device }.find(|device| device.shard(config.shards) == ShardId(0)).unwrap();
    shards.enrol(&[Enrolment::host(device)])[0].as_ref().unwrap();
    let writes: Vec<_> = (0..2 * backlog as u64)
        .map(|seq| Write { device, seq, observed_at_ms: seq, kind: 1, payload: b"98 bpm" })
        .map(|write| (write, Tag::Host))
        .collect();
    let tickets = shards.submit_many(Lane::Bulk, &writes);
    while shards.step(ShardId(0)) {}
    let bulk = shards.unsealed_records();
    assert!(bulk >= backlog / 2 && bulk < backlog / 2 + GROUP_WRITES, "{bulk}");
    shards.close();
    let durable = shards.unsealed_records();
    assert!(durable >= backlog && durable < backlog + GROUP_WRITES, "{durable}");
    let answers = tickets.wait();
    assert!(answers[..durable].iter().all(Result::is_ok));
    assert!(answers[durable..].iter().all(|answer| matches!(answer, Err(SubmitError::Closed))));
    drop(shards);
    assert_eq!(Shards::open_stepped(&storage, &config).unwrap().unsealed_records(), durable);
}

#[test]
fn a_restart_begins_at_the_checkpoint_and_knows_the_same_as_one_from_the_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (busy, quiet) = (Device::new(1), Device::new(2));
    let shards = checkpointing(&FileStorage, dir.path());
    shards.enrol(&[busy.enrolment(), quiet.enrolment()]);
    let large = vec![0xcd; 60_000];
    let signed: Vec<_> = (0..SEGMENT_BYTES_MIN / 60_000).map(|seq| quiet.write(seq, &large)).collect();
    assert!(shards.submit_many(Lane::Routine, &signed).wait().iter().all(Result::is_ok));
    // More than one block takes of one device: the rest is over the cap when the checkpoint is taken.
    let over = RUN_RECORDS_MAX as u64 + 300;
    let small: Vec<_> = (0..over).map(|seq| busy.write(seq, b"72 bpm")).collect();
    assert!(shards.submit_many(Lane::Routine, &small).wait().iter().all(Result::is_ok));
    shards.seal(BlockNumber(1)).unwrap();
    let checkpoint = dir.path().join("shards/0000/checkpoint");
    assert!(checkpoint.exists());
    let later = Device::new(3);
    shards.enrol(&[later.enrolment()]);
    for seq in 0..5 {
        submit(&shards, Lane::Routine, &later, seq).wait().unwrap();
    }
    drop(shards);

    let look = |shards: &Shards| {
        assert_eq!(shards.unsealed_records(), 305);
        assert!(matches!(shards.locate(busy.id, 1023), Ok(Located::Sealed(_))));
        assert!(matches!(shards.locate(busy.id, 1024), Ok(Located::Unsealed)));
        assert!(matches!(shards.locate(quiet.id, 7), Ok(Located::Sealed(_))));
        // A repeat is known from before and behind the checkpoint, a step back is refused.
        for (device, seq) in [(&busy, 3), (&busy, 1100), (&later, 2)] {
            let (write, tag) = if device.id == busy.id {
                device.write(seq, b"72 bpm")
            } else {
                device.write(seq, b"{\"bpm\":62}")
            };
            assert!(shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap().repeated, "{seq}");
        }
    };
    look(&open(&FileStorage, dir.path(), 1));
    // A log from which the first segment is gone shows that it was not read.
    let segment = dir.path().join("shards/0000/log/0000000000000000.seg");
    let bytes = fs::read(&segment).unwrap();
    let mut damaged = bytes.clone();
    damaged[200] ^= 1;
    fs::write(&segment, &damaged).unwrap();
    look(&open(&FileStorage, dir.path(), 1));
    fs::write(&segment, &bytes).unwrap();
    // Without a checkpoint, or with a damaged one, the whole log is read.
    let good = fs::read(&checkpoint).unwrap();
    for at in [0, 60, good.len() - 5] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&checkpoint, bytes).unwrap();
        look(&open(&FileStorage, dir.path(), 1));
    }
    fs::remove_file(&checkpoint).unwrap();
    let shards = open(&FileStorage, dir.path(), 1);
    look(&shards);
    assert_eq!(shards.seal(BlockNumber(2)).unwrap()[0].batch.record_count(), 305);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_no_failure_of_its_seal_and_the_next_leaves_one() {
    let device = Device::new(1);
    let checkpoint = |dir: &Path| dir.join("shards/0000/checkpoint");
    // How many operations a seal takes, of which the last writes the checkpoint.
    let begin = |dir: &Path| {
        let storage = Faulty::new(FileStorage);
        let shards = checkpointing(&storage, dir);
        shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
        (storage, shards)
    };
    let dir = tempfile::tempdir().unwrap();
    let (storage, shards) = begin(dir.path());
    let before = storage.operations();
    shards.seal(BlockNumber(1)).unwrap();
    let last = storage.operations() - before - 1;
    assert!(checkpoint(dir.path()).exists());

    let dir = tempfile::tempdir().unwrap();
    let (storage, shards) = begin(dir.path());
    storage.fail_at(storage.operations() + last, Fault::Once(ErrorKind::StorageFull));
    let sealed = shards.seal(BlockNumber(1)).unwrap();
    assert_eq!((sealed[0].batch.account_count(), storage.faults()), (1, 1));
    assert!(!checkpoint(dir.path()).exists());
    shards.seal(BlockNumber(2)).unwrap();
    assert!(checkpoint(dir.path()).exists());
}

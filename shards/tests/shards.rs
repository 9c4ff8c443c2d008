//! The write side as its users see it.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::{BlockNumber, DataDigest, DeviceId, ShardId, Tag, Write, limits::RUN_RECORDS_MAX};
use arterial_shards::{
    EnrolError, Enrolment, Lane, Located, ShardError, Shards, SubmitError,
    limits::{GROUP_WRITES, LOOKUPS_MAX},
};
use arterial_storage::FileStorage;
use common::{Device, config, open, payload};
use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

const FIRST: BlockNumber = BlockNumber(1);

fn submit(shards: &Shards, device: &Device, seqs: impl IntoIterator<Item = u64>) {
    submit_to(shards, Lane::Routine, device, seqs);
}

fn submit_to(shards: &Shards, lane: Lane, device: &Device, seqs: impl IntoIterator<Item = u64>) {
    for seq in seqs {
        let payload = payload(seq);
        let (write, tag) = device.write(seq, &payload);
        shards.submit(lane, &write, tag).unwrap().wait().unwrap();
    }
}

#[test]
fn a_write_is_found_again_sealed_or_not_before_and_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    for round in 0..2 {
        let shards = open(&FileStorage, dir.path(), 4);
        assert!(shards.enrol(&[device.enrolment()])[0].is_ok(), "enrolling again is fine");
        if round == 0 {
            submit(&shards, &device, [0, 1, 5]);
            let sealed = shards.seal(FIRST).unwrap();
            assert_eq!(sealed.iter().map(|sealed| sealed.batch.record_count()).sum::<usize>(), 3);
            submit(&shards, &device, [6]);
        }
        for seq in [0, 1, 5] {
            let Located::Sealed(found) = shards.locate(device.id, seq).unwrap() else {
                panic!("{seq} is sealed")
            };
            assert_eq!((found.number, found.record.write().seq), (FIRST, seq));
            assert_eq!(found.record.write().payload, payload(seq));
        }
        assert!(matches!(shards.locate(device.id, 6), Ok(Located::Unsealed)));
        assert!(matches!(shards.locate(device.id, 2), Err(ShardError::UnknownRecord { seq: 2, .. })));
        assert!(matches!(shards.locate(Device::new(2).id, 0), Err(ShardError::UnknownDevice { .. })));
    }
}

#[test]
fn bad_writes_are_refused_by_name_and_the_good_ones_beside_them_stand() {
    let dir = tempfile::tempdir().unwrap();
    let shards = open(&FileStorage, dir.path(), 1);
    let (known, unknown) = (Device::new(1), Device::new(2));
    shards.enrol(&[known.enrolment()])[0].as_ref().unwrap();
    let (write, tag) = known.write(0, b"good");
    let forged = Tag::Ed25519([7; 64]);
    let other_type = Tag::mac(&[0; 32], &write);
    let changed = Write { payload: b"bad!", ..write };
    let (stranger, stranger_tag) = unknown.write(0, b"x");
    let long = vec![0; arterial_protocol::limits::PAYLOAD_BYTES_MAX + 1];
    let outcomes = shards
        .submit_many(
            Lane::Routine,
            &[
                (write, forged),
                (changed, tag),
                (write, tag),
                (write, other_type),
                (stranger, stranger_tag),
                (Write { payload: &long, ..write }, tag),
            ],
        )
        .wait();
    let unauthentic = |n: usize| matches!(outcomes[n], Err(SubmitError::Unauthentic { seq: 0, .. }));
    assert!(unauthentic(0) && unauthentic(1) && unauthentic(3));
    assert!(!outcomes[2].as_ref().unwrap().repeated);
    assert!(matches!(outcomes[4], Err(SubmitError::UnknownDevice { .. })));
    assert!(matches!(outcomes[5], Err(SubmitError::Write(_))));
    let (regressed, regressed_tag) = known.write(9, b"later");
    shards.submit(Lane::Routine, &regressed, regressed_tag).unwrap().wait().unwrap();
    let (gap, gap_tag) = known.write(4, b"too late");
    let outcome = shards.submit(Lane::Routine, &gap, gap_tag).unwrap().wait();
    assert!(matches!(outcome, Err(SubmitError::SeqRegressed { next_seq: 10, got: 4, .. })));
}

#[test]
fn a_repeat_is_answered_with_the_first_position_and_a_contradiction_refused() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let mut shards = open(&FileStorage, dir.path(), 1);
    shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    let (write, tag) = device.write(3, b"once");
    let first = shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
    for round in 0..3 {
        let again = shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
        assert!(again.repeated && again.position == first.position, "round {round}");
        let (other, other_tag) = device.write(3, b"twice");
        let outcome = shards.submit(Lane::Routine, &other, other_tag).unwrap().wait();
        let Err(SubmitError::Equivocation { seq: 3, accepted, refused, position, .. }) = outcome else {
            panic!("round {round}: {outcome:?}")
        };
        assert!(accepted != refused && position == first.position);
        match round {
            0 => drop(shards.seal(FIRST).unwrap()),
            _ => {
                drop(shards);
                shards = open(&FileStorage, dir.path(), 1);
            }
        }
    }
    assert_eq!(shards.seal(BlockNumber(2)).unwrap()[0].batch.record_count(), 0);
}

/// A shard that sealed one record of a device in each of two blocks, of which the first one's index is a pipe: that keeps
/// whoever reads it waiting, as a slow disk would. And writes of the device.
fn slow_to_look_up(dir: &Path) -> (Shards, PathBuf, impl Fn(u64) -> (Write<'static>, Tag)) {
    let device = DeviceId([1; 16]);
    let write =
        move |seq| (Write { device, seq, observed_at_ms: seq, kind: 1, payload: b"72 bpm" }, Tag::Host);
    let shards = open(&FileStorage, dir, 1);
    shards.enrol(&[Enrolment::host(device)])[0].as_ref().unwrap();
    for seq in 0..2 {
        shards.submit_many(Lane::Routine, &[write(seq)]).wait()[0].as_ref().unwrap();
        shards.seal(BlockNumber(1 + seq)).unwrap();
    }
    let index = dir.join("shards/0000/batches/0000000000000001.index");
    fs::remove_file(&index).unwrap();
    assert!(Command::new("mkfifo").arg(&index).status().unwrap().success());
    (shards, index, write)
}

#[test]
fn nobody_else_waits_until_an_old_write_is_found_and_a_flood_of_them_waits_in_its_lane() {
    let dir = tempfile::tempdir().unwrap();
    let (shards, index, write) = slow_to_look_up(dir.path());
    let alarms = Device::new(2);
    shards.enrol(&[alarms.enrolment()])[0].as_ref().unwrap();
    let first = shards.submit_many(Lane::Routine, &[write(0), write(2)]);
    let others = shards.submit_many(Lane::Routine, &[write(3), write(4)]).wait();
    assert!(others.iter().all(Result::is_ok) && !first.is_answered());
    let flood = shards.submit_many(Lane::Routine, &vec![write(1); LOOKUPS_MAX + 2 * GROUP_WRITES]);
    // Among so many alarms the other lanes have their turns.
    submit_to(&shards, Lane::Alarm, &alarms, 0..64);
    let queued = shards.status()[0].queued_writes[Lane::Routine as usize];
    assert!(!flood.is_answered() && (1..=2 * GROUP_WRITES).contains(&queued), "{queued}");

    drop(OpenOptions::new().write(true).open(&index).unwrap());
    let first = first.wait();
    assert!(matches!(first[0], Err(SubmitError::Shard(_))), "a pipe is no index");
    assert!(first[1].is_ok() && flood.wait().iter().all(|answer| answer.as_ref().unwrap().repeated));
}

/// Nobody waits any more for what is looked up, so it keeps no new write out.
#[test]
fn closing_amid_a_flood_of_old_writes_works_off_the_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (shards, index, write) = slow_to_look_up(dir.path());
    let mut writes = vec![write(0); 2 * LOOKUPS_MAX + 2 * GROUP_WRITES];
    writes.push(write(2));
    let tickets = shards.submit_many(Lane::Routine, &writes);
    thread::scope(|scope| {
        let closing = scope.spawn(|| shards.close());
        while shards.status()[0].queued_writes[Lane::Routine as usize] > 0 {
            thread::yield_now();
        }
        // It may wait for nobody in the end.
        thread::spawn(move || while OpenOptions::new().write(true).open(&index).is_ok() {});
        closing.join().unwrap();
    });
    assert!(tickets.wait().last().unwrap().is_ok());
}

#[test]
fn a_mac_device_writes_and_its_neighbours_key_does_not_do() {
    let dir = tempfile::tempdir().unwrap();
    let shards = open(&FileStorage, dir.path(), 1);
    let device = Device::new(1);
    shards.enrol(&[Enrolment::mac(device.id, [9; 32])])[0].as_ref().unwrap();
    let (write, _) = device.write(0, b"x");
    let bad = shards.submit(Lane::Routine, &write, Tag::mac(&[8; 32], &write)).unwrap().wait();
    assert!(matches!(bad, Err(SubmitError::Unauthentic { .. })));
    shards.submit(Lane::Routine, &write, Tag::mac(&[9; 32], &write)).unwrap().wait().unwrap();
}

#[test]
fn enrolments_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let shards = open(&FileStorage, dir.path(), 2);
    let (one, two) = (Device::new(1), Device::new(2));
    // y = 2 is on no point of the curve.
    let no_point = Enrolment::ed25519(two.id, {
        let mut y = [0; 32];
        y[0] = 2;
        y
    });
    let outcomes =
        shards.enrol(&[one.enrolment(), Enrolment::mac(one.id, [1; 32]), no_point, one.enrolment()]);
    assert!(outcomes[0].is_ok());
    assert!(matches!(outcomes[1], Err(EnrolError::AlreadyEnrolled { .. })));
    assert!(matches!(outcomes[2], Err(EnrolError::InvalidKey { .. })));
    assert_eq!(outcomes[3].as_ref().unwrap(), outcomes[0].as_ref().unwrap());
    assert_eq!(shards.status().iter().map(|status| status.devices).sum::<usize>(), 1);
}

#[test]
fn a_long_run_is_spread_over_blocks_and_stays_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (flood, calm) = (Device::new(1), Device::new(2));
    let mut sizes = Vec::new();
    {
        let shards = open(&FileStorage, dir.path(), 1);
        shards.enrol(&[flood.enrolment(), calm.enrolment()]);
        let payload = payload(0);
        let signed: Vec<_> =
            (0..2500).map(|seq| flood.write(seq, &payload)).chain([calm.write(0, b"ok")]).collect();
        assert!(shards.submit_many(Lane::Routine, &signed).wait().iter().all(Result::is_ok));
        sizes.push(shards.seal(FIRST).unwrap()[0].batch.record_count());
    }
    let shards = open(&FileStorage, dir.path(), 1);
    assert_eq!(shards.unsealed_records(), 2500 - RUN_RECORDS_MAX);
    for number in 2..5 {
        let batch = &shards.seal(BlockNumber(number)).unwrap()[0].batch;
        sizes.push(batch.record_count());
    }
    assert_eq!(sizes, [RUN_RECORDS_MAX + 1, RUN_RECORDS_MAX, 2500 - 2 * RUN_RECORDS_MAX, 0]);
    for seq in [0, 1023, 1024, 2047, 2048, 2499] {
        let Located::Sealed(found) = shards.locate(flood.id, seq).unwrap() else { panic!("{seq} is sealed") };
        assert_eq!(found.number.0, 1 + seq / RUN_RECORDS_MAX as u64);
    }
}

#[test]
fn sealing_again_answers_the_same_and_skipping_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let shards = open(&FileStorage, dir.path(), 2);
    shards.enrol(&[device.enrolment()]);
    submit(&shards, &device, 0..3);
    let once = shards.seal(FIRST).unwrap();
    submit(&shards, &device, 3..5);
    let again = shards.seal(FIRST).unwrap();
    for (once, again) in once.iter().zip(&again) {
        assert_eq!((&once.batch, once.data), (&again.batch, again.data));
        assert_eq!(once.data, (!once.batch.is_empty()).then(|| DataDigest::of(&once.batch.encode())));
    }
    assert!(matches!(
        shards.seal(BlockNumber(3)),
        Err(ShardError::SealOrder { expected: BlockNumber(2), .. })
    ));
}

#[test]
fn destroyed_keys_end_a_device_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (gone, stays) = (Device::new(1), Device::new(2));
    let mut shards = open(&FileStorage, dir.path(), 1);
    shards.enrol(&[gone.enrolment(), stays.enrolment()]);
    for device in [&gone, &stays] {
        submit(&shards, device, 0..3);
    }
    shards.destroy_keys(gone.id).unwrap();
    for _ in 0..2 {
        let (write, tag) = gone.write(3, b"x");
        let outcome = shards.submit(Lane::Routine, &write, tag).unwrap().wait();
        assert!(matches!(outcome, Err(SubmitError::KeysDestroyed { .. })));
        assert!(matches!(shards.locate(gone.id, 0), Err(ShardError::KeysDestroyed { .. })));
        drop(shards);
        shards = open(&FileStorage, dir.path(), 1);
    }
    assert_eq!(shards.seal(FIRST).unwrap()[0].batch.record_count(), 6);
    assert!(matches!(shards.locate(stays.id, 2), Ok(Located::Sealed(_))));
}

#[test]
fn a_full_queue_is_busy_and_a_closed_one_closed() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let mut config = config(dir.path(), 1);
    config.lane_writes_max = 1;
    let storage: Arc<dyn arterial_storage::Storage> = Arc::new(FileStorage);
    let shards = arterial_shards::Shards::open(&storage, &config).unwrap();
    shards.enrol(&[device.enrolment()]);
    let payload = vec![0; 60_000];
    let signed: Vec<_> = (0..200).map(|seq| device.write(seq, &payload)).collect();
    let outcomes: Vec<_> =
        signed.iter().map(|(write, tag)| shards.try_submit(Lane::Routine, write, *tag)).collect();
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(SubmitError::Busy { shard: ShardId(0) }))));
    for ticket in outcomes.into_iter().flatten() {
        // Gaps are allowed: what was taken is durable.
        ticket.wait().unwrap();
    }
    shards.close();
    assert!(matches!(shards.submit(Lane::Routine, &signed[0].0, signed[0].1), Err(SubmitError::Closed)));
    assert!(matches!(shards.submit_many(Lane::Routine, &signed[..1]).wait()[0], Err(SubmitError::Closed)));
    assert!(matches!(shards.enrol(&[device.enrolment()])[0], Err(EnrolError::Closed)));
}

#[test]
fn a_log_goes_over_many_segments_and_is_read_back_from_each() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let payload = vec![0xab; 60_000];
    let shards = open(&FileStorage, dir.path(), 1);
    shards.enrol(&[device.enrolment()]);
    let signed: Vec<_> = (0..400).map(|seq| device.write(seq, &payload)).collect();
    assert!(shards.submit_many(Lane::Routine, &signed).wait().iter().all(Result::is_ok));
    shards.seal(FIRST).unwrap();
    assert!(std::fs::read_dir(dir.path().join("shards/0000/log")).unwrap().count() >= 3);
    let check = |shards: &arterial_shards::Shards| {
        for seq in 0..400 {
            let Located::Sealed(found) = shards.locate(device.id, seq).unwrap() else {
                panic!("{seq} is sealed")
            };
            assert_eq!(found.record.write().payload, payload);
        }
    };
    check(&shards);
    drop(shards);
    check(&open(&FileStorage, dir.path(), 1));
}

//! Faults and crashes at every operation that changes the disk, and damage to the files.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::BlockNumber;
use arterial_shards::{Lane, Located, ShardError, Shards, SubmitError};
use arterial_storage::{Fault, Faulty, FileStorage, ManualClock, MemoryStorage, Rates, Storage};
use common::{Device, config, open, payload};
use std::{fs, io::ErrorKind, path::Path, sync::Arc};

/// Enrols, writes and seals; returns the numbers that were acknowledged as durable.
fn scenario(shards: &Shards, device: &Device) -> Vec<u64> {
    let mut durable = Vec::new();
    if shards.enrol(&[device.enrolment()])[0].is_err() {
        return durable;
    }
    for seq in 0..12 {
        let payload = payload(seq);
        let (write, tag) = device.write(seq, &payload);
        if shards.submit(Lane::Routine, &write, tag).unwrap().wait().is_ok() {
            durable.push(seq);
        }
        if seq % 5 == 4 {
            // A seal that fails is asked for again later, under the same number.
            let number = shards.status()[0].sealed.next();
            let _ = shards.seal(number);
        }
    }
    durable
}

/// Every acknowledged record is there once, in order, and in at most one block.
fn check(shards: &Shards, device: &Device, durable: &[u64]) {
    for &seq in durable {
        match shards.locate(device.id, seq).unwrap() {
            Located::Sealed(found) => assert_eq!(found.record.write().payload, payload(seq)),
            Located::Unsealed => {}
        }
    }
    let mut next = shards.status()[0].sealed.next();
    shards.seal(next).unwrap();
    // A block that was cut before the crash takes nothing of what came after.
    while shards.has_unsealed() {
        next = next.next();
        shards.seal(next).unwrap();
    }
    let sealed: Vec<u32> = (1..=next.0)
        .map(|number| shards.batch(arterial_protocol::ShardId(0), BlockNumber(number)).unwrap().batch)
        .flat_map(|batch| batch.runs().flat_map(|run| run.links.to_vec()).collect::<Vec<_>>())
        .map(|link| link.seq)
        .collect();
    assert!(sealed.windows(2).all(|pair| pair[0] < pair[1]), "{sealed:?}");
    assert!(
        durable.iter().all(|&seq| sealed.contains(&u32::try_from(seq).unwrap())),
        "{durable:?} in {sealed:?}"
    );
}

fn operations_of_a_whole_run(device: &Device) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Faulty::new(FileStorage);
    let shards = open(&storage, dir.path(), 1);
    let opened = storage.operations();
    assert_eq!(scenario(&shards, device).len(), 12);
    (opened, storage.operations())
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let device = Device::new(1);
    let (opened, operations) = operations_of_a_whole_run(&device);
    assert!(operations - opened > 30);
    for operation in opened..operations {
        for torn_bytes in [0, 17, 120] {
            let dir = tempfile::tempdir().unwrap();
            let storage = Faulty::new(FileStorage);
            storage.fail_at(operation, Fault::CrashAfter(torn_bytes));
            let durable = scenario(&open(&storage, dir.path(), 1), &device);
            assert!(durable.len() < 12 || operation + 2 >= operations);
            let shards = open(&FileStorage, dir.path(), 1);
            // A crash before the enrolment was acknowledged leaves nothing to check.
            if shards.status()[0].devices == 1 {
                check(&shards, &device, &durable);
            }
            assert!(durable.is_empty() || shards.status()[0].devices == 1);
        }
    }
}

#[test]
fn a_failed_operation_is_an_error_and_loses_nothing_acknowledged() {
    let device = Device::new(1);
    let (opened, operations) = operations_of_a_whole_run(&device);
    for operation in opened..operations {
        let dir = tempfile::tempdir().unwrap();
        let storage = Faulty::new(FileStorage);
        storage.fail_at(operation, Fault::Once(ErrorKind::StorageFull));
        let durable = scenario(&open(&storage, dir.path(), 1), &device);
        let shards = open(&FileStorage, dir.path(), 1);
        if shards.status()[0].devices == 1 {
            check(&shards, &device, &durable);
        }
    }
}

#[test]
fn a_failed_sync_poisons_its_shard_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let storage = Faulty::new(FileStorage);
    let shards = open(&storage, dir.path(), 1);
    shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    // The next write is one append and one sync.
    storage.fail_at(storage.operations() + 1, Fault::Once(ErrorKind::Other));
    for seq in 0..2 {
        let (write, tag) = device.write(seq, b"x");
        let outcome = shards.submit(Lane::Routine, &write, tag).unwrap().wait();
        let Err(SubmitError::Shard(error)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(&*error, ShardError::Poisoned { .. }), "{error}");
    }
    assert!(matches!(shards.seal(BlockNumber(1)), Err(ShardError::Poisoned { .. })));
    // Nobody knows whether the first is durable.
    assert!(matches!(shards.locate(device.id, 0), Err(ShardError::Poisoned { .. })));
}

/// The system shows what it could not write, and a sync of the next life has nothing to do.
#[test]
fn what_a_failed_sync_lost_is_written_again_before_it_is_answered_for() {
    let dir = Path::new("/deployment");
    let device = Device::new(1);
    for seed in 0..32 {
        let storage = Faulty::seeded(MemoryStorage::default(), seed);
        let shards = open(&storage, dir, 1);
        shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
        let submit = |shards: &Shards, seq| {
            let (write, tag) = device.write(seq, b"x");
            shards.submit(Lane::Routine, &write, tag).unwrap().wait()
        };
        submit(&shards, 0).unwrap();
        storage.fail_at(storage.operations() + 1, Fault::Once(ErrorKind::Other));
        submit(&shards, 1).unwrap_err();
        drop(shards);
        let shards = open(&storage, dir, 1);
        assert!(submit(&shards, 1).unwrap().repeated);
        submit(&shards, 2).unwrap();
        storage.crash().unwrap();
        drop(shards);
        let shards = open(&storage.restart().unwrap(), dir, 1);
        for seq in 0..3 {
            assert!(submit(&shards, seq).unwrap().repeated, "seed {seed}: an answer to {seq} was broken");
        }
    }
}

#[test]
fn what_a_killed_process_wrote_is_synced_before_it_is_answered_for() {
    let dir = Path::new("/deployment");
    let device = Device::new(1);
    let (write, tag) = device.write(0, b"x");
    for seed in 0..16 {
        let storage = Faulty::seeded(MemoryStorage::default(), seed);
        let shards = open(&storage, dir, 1);
        shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
        // Written, and killed in the sync.
        storage.fail_at(storage.operations() + 1, Fault::Kill(0));
        shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap_err();
        drop(shards);
        let storage = storage.kill();
        let shards = open(&storage, dir, 1);
        assert!(shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap().repeated);
        storage.crash().unwrap();
        drop(shards);
        let shards = open(&storage.restart().unwrap(), dir, 1);
        assert!(
            shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap().repeated,
            "seed {seed}: an answer was broken"
        );
    }
}

#[test]
fn a_sealed_batch_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let dir = Path::new("/deployment");
    let device = Device::new(1);
    let storage = Faulty::new(MemoryStorage::default());
    let shards = open(&storage, dir, 1);
    shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    let sealed = shards.seal(BlockNumber(1)).unwrap();
    storage.set_rates(Rates { read: 1_000_000, ..Rates::default() });
    assert!(matches!(shards.seal(BlockNumber(1)), Err(ShardError::Io { .. })));
    storage.set_rates(Rates::default());
    assert_eq!(shards.seal(BlockNumber(1)).unwrap()[0].data, sealed[0].data);
}

#[test]
fn a_full_disk_refuses_writes_by_name_and_takes_them_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    let (storage, clock) = (Faulty::new(FileStorage), ManualClock::default());
    let disk: Arc<dyn Storage> = Arc::new(storage.clone());
    let mut config = config(dir.path(), 1);
    config.clock = Arc::new(clock.clone());
    let shards = Shards::open(&disk, &config).unwrap();
    shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    let payload = vec![1; 60_000];
    storage.set_full(true);
    let is_full = |error: &ShardError| matches!(error, ShardError::Io { source, .. } if source.kind() == ErrorKind::StorageFull);
    // What is preallocated still takes writes; the next segment can't be made.
    let refused = (0..200)
        .find(|&seq| {
            let (write, tag) = device.write(seq, &payload);
            match shards.submit(Lane::Routine, &write, tag).unwrap().wait() {
                Ok(_) => false,
                Err(SubmitError::Shard(error)) => is_full(&error),
                Err(other) => panic!("{other}"),
            }
        })
        .expect("200 writes need a second segment");
    assert!(refused > 50);
    // A small one behind it would still fit, and would shut the refused one out for good: it is refused too.
    let (small, small_tag) = device.write(refused + 1, b"x");
    let Err(SubmitError::Shard(error)) = shards.submit(Lane::Routine, &small, small_tag).unwrap().wait()
    else {
        panic!()
    };
    assert!(is_full(&error), "{error}");
    assert!(is_full(&shards.seal(BlockNumber(1)).unwrap_err()));
    storage.set_full(false);
    // It is tried again after a second of the clock; whatever was refused is then taken, in its order.
    let (write, tag) = device.write(refused, &payload);
    let again = || shards.submit(Lane::Routine, &write, tag).unwrap().wait();
    for ms in [0, 999] {
        clock.advance_ms(ms);
        assert!(matches!(again(), Err(SubmitError::Shard(error)) if is_full(&error)));
    }
    clock.advance_ms(1);
    assert!(!again().unwrap().repeated);
    let durable: Vec<u64> = (0..=refused).collect();
    let sealed = shards.seal(BlockNumber(1)).unwrap();
    assert_eq!(sealed[0].batch.record_count(), durable.len());
}

/// The only segment of the only shard.
fn segment(dir: &Path) -> std::path::PathBuf {
    dir.join("shards/0000/log/0000000000000000.seg")
}

fn log_with_three_writes(dir: &Path, device: &Device) {
    let shards = open(&FileStorage, dir, 1);
    shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    for seq in 0..3 {
        let payload = payload(seq);
        let (write, tag) = device.write(seq, &payload);
        shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
    }
}

fn try_open(dir: &Path) -> Result<Shards, ShardError> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    Shards::open(&storage, &config(dir, 1))
}

#[test]
fn damage_before_the_last_group_is_corruption_and_in_it_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    log_with_three_writes(dir.path(), &device);
    let good = fs::read(segment(dir.path())).unwrap();
    let written = good.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    // Frames of one size for the three writes; the enrolment's before them.
    let frame = (16 + 32 + 40 + payload(0).len() + 64usize).next_multiple_of(8);
    let last = written.next_multiple_of(8) - frame;
    for at in (0..written).step_by(7) {
        let mut bytes = good.clone();
        // One turned bit would be damage anywhere.
        bytes[at] ^= 0x11;
        fs::write(segment(dir.path()), &bytes).unwrap();
        match try_open(dir.path()) {
            Err(ShardError::Corrupt { path, offset, .. }) => {
                assert!(
                    at < last && path == segment(dir.path()) && (at < 80 || offset <= at as u64),
                    "byte {at}: {offset}"
                );
            }
            Err(other) => panic!("byte {at}: {other}"),
            Ok(shards) => {
                assert!(at >= last, "byte {at} of {last}");
                assert!(shards.status()[0].cut_bytes > 0);
                assert_eq!(shards.unsealed_records(), 2);
            }
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_keeps_what_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    log_with_three_writes(dir.path(), &device);
    let good = fs::read(segment(dir.path())).unwrap();
    let written = good.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut seen = Vec::new();
    for keep in 80..=written {
        let mut bytes = good.clone();
        bytes[keep..].fill(0);
        fs::write(segment(dir.path()), &bytes).unwrap();
        let shards = try_open(dir.path()).unwrap();
        seen.push(shards.unsealed_records());
        // What was cut can be written again, and stays.
        if shards.status()[0].devices == 1 {
            let payload = payload(7);
            let (write, tag) = device.write(7, &payload);
            shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
            drop(shards);
            assert!(matches!(try_open(dir.path()).unwrap().locate(device.id, 7), Ok(Located::Unsealed)));
        }
    }
    assert!(seen.is_sorted() && seen.first() == Some(&0) && seen.last() == Some(&3), "{seen:?}");
}

#[test]
fn a_missing_segment_and_another_deployments_log_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    log_with_three_writes(dir.path(), &device);
    fs::rename(segment(dir.path()), segment(dir.path()).with_file_name("0000000000400000.seg")).unwrap();
    let error = try_open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
    fs::rename(segment(dir.path()).with_file_name("0000000000400000.seg"), segment(dir.path())).unwrap();
    let mut other = config(dir.path(), 1);
    other.domain = arterial_protocol::Domain(arterial_protocol::FieldElement::from(6u64));
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let error = Shards::open(&storage, &other).unwrap_err();
    assert!(error.to_string().contains("another deployment"), "{error}");
}

#[test]
fn a_lost_or_changed_batch_is_made_again_and_a_changed_index_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::new(1);
    log_with_three_writes(dir.path(), &device);
    open(&FileStorage, dir.path(), 1).seal(BlockNumber(1)).unwrap();
    let batch = dir.path().join("shards/0000/batches/0000000000000001.batch");
    let index = batch.with_extension("index");
    let (batch_bytes, index_bytes) = (fs::read(&batch).unwrap(), fs::read(&index).unwrap());
    fs::remove_file(&batch).unwrap();
    fs::remove_file(&index).unwrap();
    drop(open(&FileStorage, dir.path(), 1));
    assert_eq!(
        (fs::read(&batch).unwrap(), fs::read(&index).unwrap()),
        (batch_bytes.clone(), index_bytes.clone())
    );
    // Nothing is ever proven of a batch that is not the one that was sealed.
    for at in 0..batch_bytes.len() {
        let mut bytes = batch_bytes.clone();
        bytes[at] ^= 1;
        fs::write(&batch, bytes).unwrap();
        drop(open(&FileStorage, dir.path(), 1));
        assert_eq!(fs::read(&batch).unwrap(), batch_bytes, "byte {at}");
    }
    for at in 0..index_bytes.len() {
        let mut bytes = index_bytes.clone();
        bytes[at] ^= 1;
        fs::write(&index, bytes).unwrap();
        let error = open(&FileStorage, dir.path(), 1).locate(device.id, 1).unwrap_err();
        assert!(matches!(error, ShardError::Corrupt { .. }), "byte {at}: {error}");
    }
}

//! What the faulty storage does to those who use it.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use arterial_storage::{Blob, Fault, Faulty, MemoryStorage, Rates, Storage, at_once, is_temporary};
use std::{collections::BTreeSet, io::ErrorKind, path::Path};

const FILE: &str = "/file";

fn disk(seed: u64) -> Faulty<MemoryStorage> {
    let disk = Faulty::seeded(MemoryStorage::default(), seed);
    disk.replace(Path::new(FILE), b"old").unwrap();
    disk
}

fn file(disk: &Faulty<MemoryStorage>) -> Box<dyn Blob> {
    disk.open(Path::new(FILE)).unwrap()
}

fn content(disk: &Faulty<MemoryStorage>) -> Vec<u8> {
    disk.read(Path::new(FILE)).unwrap()
}

/// What seeds leave of the file after `act`.
fn fates(act: impl Fn(&Faulty<MemoryStorage>)) -> BTreeSet<Vec<u8>> {
    let fate = |seed| {
        let disk = disk(seed);
        act(&disk);
        content(&disk.restart().unwrap())
    };
    (0..64).map(fate).collect()
}

#[test]
fn what_was_synced_survives_and_the_rest_may() {
    let synced = fates(|disk| {
        file(disk).write_at(b"new", 0).unwrap();
        file(disk).sync().unwrap();
    });
    assert_eq!(synced, BTreeSet::from([b"new".to_vec()]));
    let unsynced = fates(|disk| file(disk).write_at(b"new", 0).unwrap());
    assert_eq!(unsynced, BTreeSet::from([b"new".to_vec(), b"old".to_vec()]));
    let in_a_sync = fates(|disk| {
        file(disk).write_at(b"new", 0).unwrap();
        disk.fail_at(disk.operations(), Fault::Crash);
        file(disk).sync().unwrap_err();
    });
    assert_eq!(in_a_sync, unsynced);
}

#[test]
fn a_replacement_is_old_or_new() {
    let fates = fates(|disk| {
        disk.fail_at(disk.operations(), Fault::Crash);
        disk.replace(Path::new(FILE), b"longer").unwrap_err();
    });
    assert_eq!(fates, BTreeSet::from([b"longer".to_vec(), b"old".to_vec()]));
}

#[test]
fn a_torn_replacement_can_leave_what_it_had_written_elsewhere() {
    let left = |seed| {
        let disk = disk(seed);
        disk.fail_at(disk.operations(), Fault::Kill(0));
        disk.replace(Path::new(FILE), b"longer").unwrap_err();
        let next = disk.kill();
        assert_eq!(content(&next), b"old");
        let files = next.list(Path::new("/")).unwrap();
        let temporary = files.iter().find(|path| is_temporary(path))?;
        Some(b"longer".starts_with(&next.read(temporary).unwrap()))
    };
    let fates: BTreeSet<Option<bool>> = (0..64).map(left).collect();
    assert_eq!(fates, BTreeSet::from([None, Some(true)]));
}

#[test]
fn after_a_crash_only_the_next_life_works() {
    let disk = disk(1);
    let blob = file(&disk);
    disk.crash().unwrap();
    assert!(disk.is_crashed());
    assert!(blob.write_at(b"x", 0).is_err() && blob.sync().is_err() && blob.read_at(&mut [0], 0).is_err());
    assert!(disk.read(Path::new(FILE)).is_err() && disk.open(Path::new(FILE)).is_err());
    let next = disk.restart().unwrap();
    assert!(!next.is_crashed() && content(&next) == b"old");
    assert!(blob.write_at(b"x", 0).is_err() && disk.list(Path::new("/")).is_err());
}

#[test]
fn a_killed_process_leaves_everything_that_it_wrote() {
    let disk = disk(1);
    let blob = file(&disk);
    blob.write_at(b"ab", 1).unwrap();
    disk.fail_at(disk.operations(), Fault::CrashAfter(3));
    blob.write_at(b"12345", 3).unwrap_err();
    assert_eq!(content(&disk.restart().unwrap()), b"oab123");
}

#[test]
fn after_a_kill_what_was_written_is_seen_and_can_still_be_lost() {
    let fates = fates(|disk| {
        file(disk).write_at(b"new", 0).unwrap();
        let next = disk.kill();
        assert!(disk.is_crashed() && content(&next) == b"new");
        next.crash().unwrap();
    });
    assert_eq!(fates, BTreeSet::from([b"new".to_vec(), b"old".to_vec()]));
}

#[test]
fn a_failed_sync_leaves_its_bytes_in_doubt_for_good() {
    let fates = fates(|disk| {
        let blob = file(disk);
        blob.write_at(b"new", 0).unwrap();
        disk.fail_at(disk.operations(), Fault::Once(ErrorKind::Other));
        blob.sync().unwrap_err();
        // The second call succeeds and helps nothing.
        blob.sync().unwrap();
    });
    assert_eq!(fates, BTreeSet::from([b"new".to_vec(), b"old".to_vec()]));
}

#[test]
fn a_short_write_and_a_full_disk_say_so() {
    let disk = disk(1);
    let blob = file(&disk);
    disk.fail_at(disk.operations(), Fault::Short(2));
    blob.write_at(b"new", 0).unwrap_err();
    assert_eq!(content(&disk), b"ned");
    disk.set_full(true);
    let full = |result: std::io::Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
    full(blob.write_at(b"x", 3));
    full(disk.replace(Path::new(FILE), b""));
    full(disk.create_dir(Path::new("/dir")));
    full(disk.create(Path::new("/segment"), 1, &mut at_once).map(|_| ()));
    full(disk.open(Path::new("/new")).map(|_| ()));
    // What is there can still be written over.
    blob.write_at(b"x", 2).unwrap();
    disk.set_full(false);
    blob.write_at(b"y", 3).unwrap();
    assert_eq!(content(&disk), b"nexy");
}

#[test]
fn a_flipped_bit_is_on_the_disk() {
    let disk = disk(1);
    disk.flip_bit(Path::new(FILE), 9).unwrap();
    assert_eq!(content(&disk.restart().unwrap()), b"ond");
    assert_eq!(disk.flip_bit(Path::new(FILE), 24).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn the_same_seed_meets_the_same_faults() {
    let run = |seed| {
        let disk = disk(seed);
        disk.set_rates(Rates { write: 200_000, sync: 200_000, read: 200_000, space: 200_000, crash: 10_000 });
        let mut outcomes = Vec::new();
        for n in 0..100u8 {
            let Ok(blob) = disk.open(Path::new(FILE)) else { continue };
            outcomes.push(blob.write_at(&[n; 700], u64::from(n) * 40).is_ok());
            outcomes.push(n % 3 != 0 || blob.sync().is_ok());
        }
        (outcomes, content(&disk.restart().unwrap()))
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

//! Looking at a deployment: what is there, what is damaged, and that looking changes nothing.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::BlockNumber;
use arterial_shards::{Lane, ShardReport, check_segment, inspect, limits::SEGMENT_BYTES_MIN};
use arterial_storage::{FileStorage, Storage};
use common::{Device, config, open, payload};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

const SHARDS: u32 = 2;
const RECORDS: u64 = 9;

/// Every file, its bytes and when it was last changed.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.extend(contents(&path));
            found.push((path, Vec::new(), changed));
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), fs::read(&path).unwrap(), changed));
        }
    }
    found.sort();
    found
}

/// Looks, and sees to it that nothing was changed by that.
fn look(dir: &Path) -> Vec<ShardReport> {
    let before = contents(dir);
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let reports = inspect(&storage, &config(dir, SHARDS)).unwrap();
    assert!(contents(dir) == before, "an inspection changed the files");
    reports
}

fn faults(dir: &Path) -> Vec<(PathBuf, String)> {
    let reports = look(dir);
    let all = reports.iter().flat_map(ShardReport::faults);
    all.map(|(path, fault)| (path.to_owned(), fault.to_owned())).collect()
}

/// The devices of a deployment, one in each shard.
fn devices() -> [Device; 2] {
    let shards = arterial_protocol::ShardCount::new(SHARDS).unwrap();
    let of = |shard| (0..).map(Device::new).find(|device| device.id.shard(shards).0 == shard).unwrap();
    [of(0), of(1)]
}

/// Two blocks of three records of each device, and three records more; each record is a group of its own.
fn deployment() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let shards = open(&FileStorage, dir.path(), SHARDS);
    for device in devices() {
        shards.enrol(&[device.enrolment()])[0].as_ref().unwrap();
    }
    for seq in 0..RECORDS {
        for device in devices() {
            let payload = payload(seq);
            let (write, tag) = device.write(seq, &payload);
            shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
        }
        if seq == 2 || seq == 5 {
            shards.seal(BlockNumber(1 + seq / 5)).unwrap();
        }
    }
    drop(shards);
    dir
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("shards/0000/log/0000000000000000.seg")
}

/// Changes two bits of one byte, counted from the front or, if negative, from the last byte that isn't zero.
fn damage(path: &Path, at: isize) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    let at = if at < 0 { last.checked_add_signed(at).unwrap() } else { usize::try_from(at).unwrap() };
    bytes[at] ^= 0x11;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_deployment_is_counted_and_has_no_fault() {
    let dir = deployment();
    let reports = look(dir.path());
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!(report.faults().count(), 0, "{report:?}");
        assert_eq!((report.devices, report.records, report.unsealed_records), (1, RECORDS, 3));
        assert_eq!((report.sealed, report.batches.len()), (BlockNumber(2), 4));
        let [segment] = &report.segments[..] else { panic!("{report:?}") };
        assert_eq!((segment.frames, segment.records, segment.torn_bytes), (1 + RECORDS + 4, RECORDS, 0));
        assert_eq!((segment.bytes, report.keys.bytes), (SEGMENT_BYTES_MIN, 128));
        let written = fs::read(&segment.path).unwrap().iter().rposition(|&byte| byte != 0).unwrap() as u64;
        // The last record ends with its padding.
        assert!((written + 1..written + 65).contains(&segment.end.0));
        assert!(report.batches.iter().all(|file| file.bytes == fs::metadata(&file.path).unwrap().len()));
        let alone =
            check_segment(&fs::read(&segment.path).unwrap(), config(dir.path(), 1).domain, report.shard);
        assert_eq!((alone.frames, alone.end, alone.fault), (segment.frames, segment.end, None));
    }
}

#[test]
fn a_torn_tail_is_no_fault_and_is_left_where_it_is() {
    let dir = deployment();
    damage(&segment(dir.path()), -20);
    let reports = look(dir.path());
    assert_eq!(reports[0].faults().count(), 0);
    assert!(reports[0].segments[0].torn_bytes > 0);
    assert_eq!((reports[0].records, reports[0].unsealed_records), (RECORDS - 1, 2));
    assert_eq!((reports[1].records, reports[1].segments[0].torn_bytes), (RECORDS, 0));
}

#[test]
fn a_segment_that_is_made_ahead_is_not_part_of_the_log() {
    let dir = deployment();
    let path = segment(dir.path()).with_file_name("0000000000400000.seg");
    fs::write(&path, vec![0; usize::try_from(SEGMENT_BYTES_MIN).unwrap()]).unwrap();
    let reports = look(dir.path());
    assert_eq!(reports[0].faults().count(), 0, "{reports:?}");
    assert_eq!((reports[0].segments.len(), reports[0].records), (1, RECORDS));
}

#[test]
fn a_damaged_frame_is_a_fault_and_nothing_after_it_in_its_segment_counts() {
    let dir = deployment();
    let sound = look(dir.path()).remove(0);
    // In the first record, which block 1 has.
    damage(&segment(dir.path()), 200);
    let report = look(dir.path()).remove(0);
    let fault = report.segments[0].fault.as_ref().unwrap();
    assert!(fault.contains("later frames were made durable"), "{fault}");
    assert_eq!(report.faults().count(), 1);
    assert_eq!((report.devices, report.records, report.batches.len()), (1, 0, 0));
    assert!(report.segments[0].end < sound.segments[0].end);
}

/// A shard with a log of two segments, closed by payloads that fill the first one.
fn two_segments() -> tempfile::TempDir {
    let dir = deployment();
    let shards = open(&FileStorage, dir.path(), SHARDS);
    let device = &devices()[0];
    let payload = vec![1; 60_000];
    for seq in RECORDS..RECORDS + 80 {
        let (write, tag) = device.write(seq, &payload);
        shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
    }
    shards.seal(BlockNumber(3)).unwrap();
    drop(shards);
    assert_eq!(faults(dir.path()), []);
    dir
}

#[test]
fn after_a_damaged_closed_segment_the_next_ones_frames_and_batches_are_still_checked() {
    let dir = two_segments();
    let sound = look(dir.path()).remove(0);
    damage(&segment(dir.path()), -20);
    let report = look(dir.path()).remove(0);
    assert!(report.segments[0].fault.as_ref().unwrap().contains("checksum"));
    assert_eq!(report.segments[1], sound.segments[1]);
    assert_eq!(report.records, sound.records - 1);
    assert_eq!((report.sealed, report.batches), (BlockNumber(3), sound.batches));
}

#[test]
fn a_missing_segment_is_named_and_a_lost_end_of_the_log_shows_in_the_batches() {
    let dir = two_segments();
    fs::remove_file(segment(dir.path())).unwrap();
    let [(path, fault), ..] = &faults(dir.path())[..] else { panic!() };
    assert!(path.ends_with("0000000000400000.seg") && fault.contains("is missing before it"), "{fault}");

    let dir = deployment();
    let batch = dir.path().join("shards/0000/batches/0000000000000004.batch");
    fs::write(&batch, b"of a block that the log doesn't know").unwrap();
    let expected = "the log has sealed nothing after block 2";
    assert_eq!(faults(dir.path()), [(batch, expected.to_owned())]);
}

#[test]
fn a_damaged_or_missing_batch_index_or_key_file_is_a_fault_of_that_file_alone() {
    let dir = deployment();
    let batch = dir.path().join("shards/0001/batches/0000000000000001.batch");
    for path in [batch.with_extension("index"), batch, dir.path().join("keys/0001.keys")] {
        let good = fs::read(&path).unwrap();
        let is_this = |expected: &str| {
            let found = faults(dir.path());
            assert!(
                matches!(&found[..], [(at, fault)] if *at == path && fault.contains(expected)),
                "{expected}: {found:?}"
            );
        };
        for at in (0..good.len()).step_by(23) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            is_this("byte 0: ");
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        is_this("");
        fs::remove_file(&path).unwrap();
        is_this("cannot ");
        fs::write(&path, good).unwrap();
    }
    assert_eq!(faults(dir.path()), []);
}

#[test]
fn a_log_that_does_not_make_its_batches_is_a_fault_of_the_log_alone() {
    let dir = deployment();
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    // The first record's frame, after the header and the enrolment: another digest behind the tag, with a checksum that fits.
    let frame = 80 + 72;
    let body = usize::try_from(u32::from_le_bytes(bytes[frame..frame + 4].try_into().unwrap())).unwrap();
    bytes[frame + 16 + 64] ^= 1;
    let crc = crc32c::crc32c(&(frame as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &bytes[frame + 8..frame + 16 + body]);
    bytes[frame + 4..frame + 8].copy_from_slice(&crc.to_le_bytes());
    fs::write(segment(dir.path()), bytes).unwrap();
    let [(path, fault)] = &faults(dir.path())[..] else { panic!("one fault") };
    assert!(*path == segment(dir.path()) && fault.contains("does not make the batch"), "{fault}");
}

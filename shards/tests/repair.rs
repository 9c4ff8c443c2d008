//! What a repair mends, what it refuses, and that it loses nothing.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::{BlockNumber, BundleTree, Write, bundle};
use arterial_shards::{Enrolment, Lane, Located, Repair, Shards, ShardsConfig, SignedBundle};
use arterial_storage::{Fault, Faulty, MemoryStorage, Storage};
use common::{Device, config, open, payload};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

const DIR: &str = "/deployment";
const FIRST: &str = "/deployment/shards/0000/log/0000000000000000.seg";
const SECOND: &str = "/deployment/shards/0000/log/0000000000400000.seg";
const CHECKPOINT: &str = "/deployment/shards/0000/checkpoint";
const BLOCKS: u64 = 3;
/// Numbers that each device has written.
const SEQS: u64 = 83;
/// The gateway's devices.
const BUNDLED: u8 = 3;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn configuration() -> ShardsConfig {
    let mut config = config(Path::new(DIR), 1);
    config.checkpoint_log_bytes = 1;
    config
}

fn large(seq: u64) -> Vec<u8> {
    if (3..80).contains(&seq) { vec![b'7'; 60_000] } else { payload(seq) }
}

fn gateway() -> Device {
    Device::new(9)
}

fn bundled(n: u8, payload: &[u8]) -> Write<'_> {
    Write { device: Device::new(20 + n).id, seq: 0, observed_at_ms: 1_700_000_000_000, kind: 1, payload }
}

fn write(shards: &Shards, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        let payload = large(seq);
        let (write, tag) = Device::new(1).write(seq, &payload);
        shards.submit(Lane::Routine, &write, tag).unwrap().wait().unwrap();
    }
}

/// A shard with a log of two segments, in which everything occurs that can; each write is a group of its own.
static SOUND: LazyLock<Files> = LazyLock::new(|| {
    let memory = MemoryStorage::default();
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let shards = Shards::open(&storage, &configuration()).unwrap();
    let key = gateway().key.verification_key().into();
    let of_gateway = (0..BUNDLED)
        .map(|n| Enrolment { subject_key: Some([n; 32]), ..Enrolment::ed25519(bundled(n, b"").device, key) });
    let enrolments: Vec<_> = [Device::new(1).enrolment()].into_iter().chain(of_gateway).collect();
    assert!(shards.enrol(&enrolments).iter().all(Result::is_ok));
    write(&shards, 0..3);
    shards.seal(BlockNumber(1)).unwrap();
    let writes: Vec<_> = (0..BUNDLED).map(|n| bundled(n, b"in a bundle")).collect();
    let seed = [4; 32];
    let message = BundleTree::new(bundle::leaves(&seed, &writes)).unwrap().message();
    let signature = gateway().key.sign(&message).into();
    let signed = SignedBundle { key, seed, signature, writes: &writes };
    let tickets = shards.submit_bundle(Lane::Routine, &signed).unwrap();
    assert!(tickets.wait().iter().all(Result::is_ok));
    write(&shards, 3..80);
    shards.seal(BlockNumber(2)).unwrap();
    write(&shards, 80..81);
    shards.seal(BlockNumber(3)).unwrap();
    write(&shards, 81..SEQS);
    drop(shards);
    files(&memory)
});

fn files(storage: &impl Storage) -> Files {
    let mut files = Files::new();
    let mut dirs = vec![PathBuf::from(DIR)];
    while let Some(dir) = dirs.pop() {
        for path in storage.list(&dir).unwrap() {
            match storage.read(&path) {
                Ok(bytes) => drop(files.insert(path, bytes)),
                Err(_) => dirs.push(path),
            }
        }
    }
    files
}

/// What was cut, and everything else.
fn apart(files: Files) -> (Files, Files) {
    files.into_iter().partition(|(path, _)| path.starts_with("/deployment/quarantine"))
}

fn stored(files: &Files) -> MemoryStorage {
    let storage = MemoryStorage::default();
    for (path, bytes) in files {
        storage.create_dir(path.parent().unwrap()).unwrap();
        storage.replace(path, bytes).unwrap();
    }
    storage
}

fn damaged(path: &str, damage: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = SOUND.clone();
    damage(files.get_mut(Path::new(path)).unwrap());
    files
}

fn repair_with(storage: &(impl Storage + Clone + 'static), newest: u64, apply: bool) -> Repair {
    let mut repair = Repair::new(Arc::new(storage.clone()), DIR.into(), apply);
    repair.shards(&configuration(), BlockNumber(newest)).unwrap();
    repair
}

/// Every record that was acknowledged, up to a number of the device's own, is there and shows what was written.
fn check(storage: &MemoryStorage, seqs: u64) {
    let shards = open(storage, Path::new(DIR), 1);
    shards.seal(BlockNumber(BLOCKS + 1)).unwrap();
    let shows = |write: &Write<'_>| {
        let Located::Sealed(found) = shards.locate(write.device, write.seq).unwrap() else {
            panic!("{write:?} is not sealed")
        };
        assert_eq!(found.record.write(), *write);
    };
    for seq in 0..seqs {
        let payload = large(seq);
        shows(&Device::new(1).write(seq, &payload).0);
    }
    (0..BUNDLED).for_each(|n| shows(&bundled(n, b"in a bundle")));
}

/// Looks, which changes nothing, and then mends; what was cut, and everything else.
fn mended(files: &Files) -> (Files, Files) {
    let storage = stored(files);
    let told = repair_with(&storage, BLOCKS, false);
    assert!(told.losses().is_empty() && !told.mended().is_empty(), "{told:?}");
    assert!(self::files(&storage) == *files, "looking changed something");
    let done = repair_with(&storage, BLOCKS, true);
    assert_eq!((done.mended(), done.losses()), (told.mended(), told.losses()));
    let again = repair_with(&storage, BLOCKS, true);
    assert!(again.mended().is_empty() && again.losses().is_empty(), "{again:?}");
    let (kept, rest) = apart(self::files(&storage));
    let at = |offset| usize::try_from(offset).unwrap();
    for mended in done.mended() {
        let kept = mended.kept.as_ref().map(|path| &kept[path]);
        let was = files.get(&mended.path).map(|bytes| match &mended.bytes {
            Some(range) => &bytes[at(range.start)..at(range.end)],
            None => &bytes[..],
        });
        assert_eq!(kept.map(Vec::as_slice), was, "what was cut is kept");
    }
    (kept, rest)
}

fn is_mended_to_what_it_was(files: &Files) {
    assert!(mended(files).1 == *SOUND, "it is not what it was");
}

/// What can't be mended is told, with these words, and left as it is.
fn is_lost(files: &Files, newest: u64, words: &[&str]) {
    let storage = stored(files);
    let repair = repair_with(&storage, newest, true);
    let [loss] = repair.losses() else { panic!("{words:?}: {repair:?}") };
    assert!(words.iter().all(|word| loss.what.contains(word)), "{words:?}: {}", loss.what);
    assert!(
        self::files(&storage) == *files && repair.mended().is_empty(),
        "{words:?}: something was changed"
    );
}

/// Where the log ends in a segment.
fn end_of(path: &str) -> usize {
    SOUND[Path::new(path)].iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_sound_deployment_is_left_alone() {
    let storage = stored(&SOUND);
    let repair = repair_with(&storage, BLOCKS, true);
    assert!(repair.mended().is_empty() && repair.losses().is_empty(), "{repair:?}");
    assert!(files(&storage) == *SOUND);
    check(&storage, SEQS);
}

#[test]
fn a_turned_bit_is_turned_back_in_every_kind_of_frame() {
    // Enrolments, records, a cut, a seal, a bundle; the end of the log, which would be taken for torn; a long record.
    let places = [(FIRST, 80..2200), (SECOND, end_of(SECOND) - 900..end_of(SECOND)), (FIRST, 9000..9200)];
    for (path, bytes) in places {
        for at in bytes.step_by(19) {
            let files = damaged(path, |bytes| bytes[at] ^= 1 << (at % 8));
            is_mended_to_what_it_was(&files);
            let storage: Arc<dyn Storage> = Arc::new(stored(&files));
            // In the last group, which opening would otherwise cut.
            if path == SECOND && at > end_of(SECOND) - 150 {
                let error = Shards::open(&storage, &configuration()).map(drop).unwrap_err();
                assert!(error.to_string().contains("0000000000400000.seg is corrupt"), "{at}: {error}");
            }
        }
    }
}

#[test]
fn a_damaged_header_is_made_again() {
    for path in [FIRST, SECOND] {
        for at in 0..80 {
            is_mended_to_what_it_was(&damaged(path, |bytes| bytes[at] = !bytes[at]));
        }
    }
}

#[test]
fn bytes_behind_the_end_of_a_closed_segment_are_cut() {
    let end = end_of(FIRST).next_multiple_of(64) + 64;
    for at in [end, end + 1000, (4 << 20) - 1] {
        is_mended_to_what_it_was(&damaged(FIRST, |bytes| bytes[at] = 0xaa));
    }
}

#[test]
fn batches_and_indexes_are_made_again() {
    for name in ["0000000000000001.batch", "0000000000000002.index"] {
        let path = format!("/deployment/shards/0000/batches/{name}");
        let length = SOUND[Path::new(&path)].len();
        for at in (0..length).step_by(length / 20) {
            is_mended_to_what_it_was(&damaged(&path, |bytes| bytes[at] ^= 1));
        }
        is_mended_to_what_it_was(&damaged(&path, |bytes| bytes.truncate(length / 2)));
        let mut files = SOUND.clone();
        files.remove(Path::new(&path));
        is_mended_to_what_it_was(&files);
    }
    let mut files = SOUND.clone();
    files.retain(|path, _| !path.starts_with("/deployment/shards/0000/batches"));
    is_mended_to_what_it_was(&files);
}

#[test]
fn a_torn_tail_is_cut_and_what_was_acknowledged_before_it_stays() {
    let end = end_of(SECOND);
    // The last record is a group of its own; no byte of its end is there.
    for keep in [end - 150, end - 60] {
        let files = damaged(SECOND, |bytes| bytes[keep..].fill(0));
        let (kept, rest) = mended(&files);
        assert_eq!(kept.len(), 1);
        let name = kept.keys().next().unwrap().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("0000000000400000.seg.") && name.contains('-'), "{name}");
        check(&stored(&rest), SEQS - 1);
    }
    // Leftovers of what never was of the log, also far behind.
    for at in [end + 700, end + (2 << 20)] {
        let (_, rest) = mended(&damaged(SECOND, |bytes| bytes[at] = 1));
        assert!(rest == *SOUND);
    }
}

#[test]
fn a_checkpoint_that_is_damaged_or_not_of_the_log_is_set_aside() {
    let sound = &SOUND[Path::new(CHECKPOINT)];
    let mut other = sound.clone();
    // A shorter count of an account's, with a checksum that fits.
    other[72 + 8] ^= 1;
    let covered = other.len() - 8;
    let crc = crc32c::crc32c(&other[..covered]);
    other[covered..covered + 4].copy_from_slice(&crc.to_le_bytes());
    let torn = sound[..sound.len() / 2].to_vec();
    for bytes in [other, torn, Vec::new()] {
        let mut files = SOUND.clone();
        files.insert(CHECKPOINT.into(), bytes.clone());
        let (kept, rest) = mended(&files);
        assert_eq!(kept[Path::new("/deployment/quarantine/shards/0000/checkpoint")], bytes);
        assert!(!rest.contains_key(Path::new(CHECKPOINT)));
        check(&stored(&rest), SEQS);
    }
}

#[test]
fn what_crashes_left_of_replacements_is_set_aside() {
    for name in ["checkpoint.tmp", "batches/0000000000000003.tmp"] {
        let path = Path::new("/deployment/shards/0000").join(name);
        let mut files = SOUND.clone();
        files.insert(path, b"half".to_vec());
        is_mended_to_what_it_was(&files);
    }
}

/// What may have been acknowledged is neither cut nor guessed at.
#[test]
fn acknowledged_data_is_refused() {
    let (first, second) = (end_of(FIRST), end_of(SECOND));
    // Records of which more than a bit is gone: in a closed segment, and before the last group.
    let record = 80 + 4 * 72;
    let device = Device::new(1).id.to_string();
    let seq = format!("seq 0 of device {device}");
    is_lost(&damaged(FIRST, |bytes| bytes[record + 20..record + 24].fill(0xee)), BLOCKS, &[&seq, "goes on"]);
    is_lost(&damaged(SECOND, |bytes| bytes[second - 300] ^= 0x33), BLOCKS, &["began later stands behind it"]);
    // A last group of which nothing is missing, and one of which that can't be told from its padding.
    is_lost(&damaged(SECOND, |bytes| bytes[second - 20] ^= 0x33), BLOCKS, &["seems to be missing"]);
    is_lost(&damaged(SECOND, |bytes| bytes[second - 9..].fill(0)), BLOCKS, &["seems to be missing"]);
    // More than a group is gone, and what is left behind it shows that it was there.
    is_lost(&damaged(SECOND, |bytes| bytes[80..second - 200].fill(0)), BLOCKS, &["began later"]);
    is_lost(&damaged(FIRST, |bytes| bytes[first - 50..].fill(0)), BLOCKS, &["next segment's header"]);
    let mut files = SOUND.clone();
    files.remove(Path::new(FIRST));
    is_lost(&files, BLOCKS, &["is missing before it"]);
    // A segment of another log.
    let mut other = configuration();
    other.domain = arterial_protocol::Domain(arterial_protocol::FieldElement::from(6u64));
    let memory = MemoryStorage::default();
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    drop(Shards::open(&storage, &other).unwrap());
    let foreign = memory.read(Path::new(FIRST)).unwrap();
    is_lost(
        &damaged(FIRST, |bytes| bytes[..80].copy_from_slice(&foreign[..80])),
        BLOCKS,
        &["another deployment"],
    );
    is_lost(&damaged(SECOND, |bytes| bytes.truncate(second)), BLOCKS, &["bytes long"]);
    is_lost(
        &damaged("/deployment/keys/0000.keys", |bytes| bytes[130] ^= 1),
        BLOCKS,
        &["checksum", "secrets"],
    );
}

/// It looks like a torn tail; other files know better.
#[test]
fn a_tail_that_other_files_know_of_is_refused() {
    let second = &SOUND[Path::new(SECOND)];
    // The last cut's frame; its head, the seal and two records behind it are gone.
    let cut =
        (80..end_of(SECOND)).step_by(8).rev().find(|&at| second[at] == 8 && second[at + 8] == 3).unwrap();
    let without_end = |also: &[&str]| {
        let mut files = damaged(SECOND, |bytes| {
            bytes[cut..cut + 8].fill(0);
            bytes[cut + 24..].fill(0);
        });
        files.retain(|path, _| !also.iter().any(|gone| path.ends_with(gone)));
        files
    };
    let batch = "batches/0000000000000003.batch";
    is_lost(&without_end(&[]), 2, &["the checkpoint was taken behind it"]);
    is_lost(&without_end(&["checkpoint"]), 3, &["block 3 was sealed"]);
    let mut later = without_end(&["checkpoint"]);
    later.insert("/deployment/shards/0000/batches/0000000000000004.batch".into(), b"later".to_vec());
    is_lost(&later, 2, &["block 3 was sealed"]);
    // A batch alone shows no more than that its cut was there.
    let (_, rest) = {
        let storage = stored(&without_end(&["checkpoint"]));
        let repair = repair_with(&storage, 2, true);
        assert!(repair.losses().is_empty() && repair.mended().len() == 1, "{repair:?}");
        apart(files(&storage))
    };
    assert!(rest.keys().any(|path| path.ends_with(batch)));
}

#[test]
fn a_repair_that_is_cut_short_anywhere_can_be_done_again() {
    let mut files = damaged(FIRST, |bytes| bytes[600] ^= 4);
    files.get_mut(Path::new(FIRST)).unwrap()[30] ^= 1;
    files.get_mut(Path::new(SECOND)).unwrap()[end_of(SECOND) - 60..].fill(0);
    files.get_mut(Path::new(CHECKPOINT)).unwrap()[60] ^= 1;
    files.remove(Path::new("/deployment/shards/0000/batches/0000000000000001.index"));
    for operation in 0.. {
        for fault in
            [Fault::Crash, Fault::CrashAfter(5), Fault::Kill(5), Fault::Once(std::io::ErrorKind::Other)]
        {
            let medium = stored(&files);
            let disk = Faulty::seeded(medium.clone(), operation);
            disk.fail_at(operation, fault);
            let mut repair = Repair::new(Arc::new(disk.clone()), DIR.into(), true);
            let outcome = repair.shards(&configuration(), BlockNumber(BLOCKS));
            if disk.faults() == 0 {
                assert!(outcome.is_ok() && operation > 12, "a repair has {operation} operations");
                return;
            }
            assert!(outcome.is_err(), "{fault:?} at {operation}");
            disk.restart().unwrap();
            let again = repair_with(&medium, BLOCKS, true);
            assert!(again.losses().is_empty(), "{fault:?} at {operation}: {again:?}");
            check(&stored(&apart(self::files(&medium)).1), SEQS - 1);
        }
    }
}

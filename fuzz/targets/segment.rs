//! No bytes make the look at a segment panic, and no bytes after frames that were synced take those away.
#![no_main]

use arterial_fuzz::{domain, patched};
use arterial_protocol::{BlockNumber, DeviceId, ShardCount, ShardId, Tag, Write};
use arterial_shards::{Enrolment, Lane, SegmentReport, Shards, ShardsConfig, check_segment};
use arterial_storage::{FileStorage, Storage};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

const HEADER_BYTES: usize = 80;
const FRAME_HEAD_BYTES: usize = 16;

/// The written part of a segment that a shard made: an enrolment, three records, a seal.
static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let one = ShardCount::new(1).expect("a power of two");
    let shards = Shards::open(&storage, &ShardsConfig::new(dir.path().into(), domain(), one)).expect("opens");
    let (device, key) = (DeviceId([0x5a; 16]), [8; 32]);
    shards.enrol(&[Enrolment { subject_key: Some([9; 32]), ..Enrolment::mac(device, key) }]);
    for seq in 0..3 {
        let write = Write { device, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload: b"98 bpm" };
        shards.submit(Lane::Routine, &write, Tag::mac(&key, &write)).expect("valid").wait().expect("durable");
    }
    shards.seal(BlockNumber(1)).expect("sealed");
    drop(shards);
    let mut bytes = std::fs::read(dir.path().join("shards/0000/log/0000000000000000.seg")).expect("a log");
    let end = check_segment(&bytes, domain(), ShardId(0)).end.0;
    bytes.truncate(usize::try_from(end).expect("a small log"));
    bytes
});

fn check(mut bytes: Vec<u8>) -> SegmentReport {
    if bytes.len() >= HEADER_BYTES {
        let length = bytes.len() as u64;
        bytes[64..72].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..76]);
        bytes[76..80].copy_from_slice(&crc.to_le_bytes());
    }
    check_segment(&bytes, domain(), ShardId(0))
}

/// Appends a frame whose checksum fits: 8 bytes of its head and its body from what was fuzzed.
fn append_frame(bytes: &mut Vec<u8>, content: &[u8]) {
    let (head, body) = content.split_at(content.len().min(8));
    let at = bytes.len();
    bytes.resize(at + FRAME_HEAD_BYTES, 0);
    bytes[at..at + 4].copy_from_slice(&u32::try_from(body.len()).expect("a short body").to_le_bytes());
    bytes[at + 8..at + 8 + head.len()].copy_from_slice(head);
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&(at as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &bytes[at + 8..]);
    bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    if choice % 4 == 0 {
        check(patched(data, &SAMPLE));
        return;
    }
    let mut bytes = SAMPLE.clone();
    match choice % 4 {
        1 => bytes.extend_from_slice(data),
        // One more frame of any content.
        2 => append_frame(&mut bytes, data),
        // The first record once more, changed.
        _ => {
            let record = HEADER_BYTES + 72;
            let body = 32 + 40 + 6 + 32;
            let changed = patched(data, &bytes[record + 8..record + FRAME_HEAD_BYTES + body]);
            append_frame(&mut bytes, &changed);
        }
    }
    let report = check(bytes);
    assert!(report.frames >= 5 && report.end.0 >= SAMPLE.len() as u64, "{report:?}");
});

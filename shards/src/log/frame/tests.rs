use super::*;
use crate::log::{
    bundle::{BundleFrame, RefusedMember},
    record::{StoredTag, lay_record, record_frame_bytes, set_slot},
};
use arterial_protocol::{Digest, Tag, Write};
use proptest::prelude::*;

const SIBLINGS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

fn refused() -> [RefusedMember; 1] {
    [RefusedMember { index: 3.into(), zero: 0.into(), leaf: [9; 32] }]
}

fn write(payload: &[u8]) -> Write<'_> {
    Write { device: DeviceId([3; 16]), seq: 9, observed_at_ms: 1 << 41, kind: 2, payload }
}

fn tags() -> [StoredTag; 4] {
    [
        StoredTag::Own(Tag::Ed25519([4; 64])),
        StoredTag::Own(Tag::Mac([5; 32])),
        StoredTag::Own(Tag::Host),
        StoredTag::Bundled { index: 3 },
    ]
}

/// Frames of every kind, finished one behind the other from position 80 on.
fn group(payload: &[u8], refused: &[RefusedMember]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    let credential = Credential::Ed25519([1; 32]);
    starts.push(bytes.len());
    Frame::Enrolment { slot: 7, device: DeviceId([3; 16]), credential }.append(&mut bytes);
    for tag in tags() {
        starts.push(bytes.len());
        let at = bytes.len();
        lay_record(&write(payload), &tag, &mut bytes);
        set_slot(&mut bytes[at..], 7);
    }
    let bundle = BundleFrame {
        signature: &[6; 64],
        seed: &[2; 32],
        writes: 5,
        back: 152,
        siblings: &SIBLINGS,
        refused,
    };
    let number = BlockNumber(4);
    for frame in
        [Frame::Bundle(bundle), Frame::Cut { number }, Frame::Seal { number, data: DataDigest([6; 32]) }]
    {
        starts.push(bytes.len());
        frame.append(&mut bytes);
    }
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([bytes.len()]).collect();
    for (&start, end) in starts.iter().zip(ends) {
        finish(&mut bytes[start..end], LogPosition(80 + start as u64), start == 0);
    }
    (bytes, starts)
}

#[test]
fn bytes_are_pinned_and_round_trip() {
    let refused = refused();
    let (bytes, starts) = group(b"98 bpm", &refused);
    let mut frames = Vec::new();
    let mut at = 0;
    for &start in &starts {
        assert_eq!(at, start);
        let decoded = decode(&bytes[at..], LogPosition(80 + at as u64)).ok().unwrap();
        assert_eq!(decoded.first, at == 0);
        frames.push(decoded.frame);
        at += decoded.stride;
    }
    assert_eq!(at, bytes.len());
    for (frame, tag) in frames[1..5].iter().zip(tags()) {
        let record = StoredRecord { digest: Digest::ZERO, write: write(b"98 bpm"), tag };
        assert_eq!(*frame, Frame::Record { slot: 7, record });
        let bytes = record_frame_bytes(record.write.payload.len(), &tag);
        assert_eq!(bytes, starts[2] - starts[1] - (64 - tag_bytes(&tag)));
    }
    let Frame::Bundle(bundle) = frames[5] else { panic!("{:?}", frames[5]) };
    assert_eq!(
        (bundle.writes, bundle.back, bundle.siblings, bundle.refused),
        (5, 152, &SIBLINGS[..], &refused[..])
    );
    assert_eq!(frames[6], Frame::Cut { number: BlockNumber(4) });
    // A change of this checksum is a change of the format: give the segment header a new version.
    assert_eq!(crc32c::crc32c(&bytes), 3_176_053_518);
}

fn tag_bytes(tag: &StoredTag) -> usize {
    match tag {
        StoredTag::Own(Tag::Ed25519(_)) => 64,
        StoredTag::Own(Tag::Mac(_)) => 32,
        StoredTag::Own(Tag::Host) => 0,
        StoredTag::Bundled { .. } => 8,
    }
}

#[test]
fn a_frame_is_valid_in_its_place_only() {
    let (bytes, starts) = group(b"x", &[]);
    for start in starts {
        let position = LogPosition(80 + start as u64);
        assert!(decode(&bytes[start..], position).is_ok());
        assert_eq!(decode(&bytes[start..], LogPosition(position.0 + 8)).err(), Some(FrameError::Crc));
    }
}

#[test]
fn each_rule_of_a_record_is_enforced_alone() {
    let mut bytes = Vec::new();
    lay_record(&write(b"98 bpm"), &StoredTag::Bundled { index: 3 }, &mut bytes);
    let broken = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        finish(&mut bytes, LogPosition(80), true);
        decode(&bytes, LogPosition(80)).err()
    };
    assert_eq!(broken(10, 4), None);
    // Behind the head: the tag, the digest, and the record from its byte 32 on.
    let digest = HEAD_BYTES + 8;
    assert_eq!(broken(10, 9), Some(FrameError::Content("a tag is none")));
    assert_eq!(broken(8, 9), Some(FrameError::Content("an unknown kind of frame")));
    assert_eq!(broken(HEAD_BYTES + 5, 1), Some(FrameError::Content("a tag is none")));
    assert_eq!(broken(digest + 3, 0xff), Some(FrameError::Content("a digest is not canonical")));
    assert_eq!(broken(digest + 68, 200), Some(FrameError::Content("a record is cut short")));
    assert_eq!(broken(digest + 127, 1), Some(FrameError::Content("a record's padding is none")));
    assert_eq!(broken(digest + 51, 0x40), Some(FrameError::Content("a record's fields are out of range")));
}

proptest! {
    #[test]
    fn any_changed_byte_is_noticed(at: prop::sample::Index, flip in 1u8..) {
        let refused = refused();
        let (bytes, starts) = group(b"98 bpm", &refused);
        let at = at.index(bytes.len());
        let start = *starts.iter().rfind(|start| **start <= at).unwrap();
        let mut changed = bytes.clone();
        changed[at] ^= flip;
        prop_assert!(decode(&changed[start..], LogPosition(80 + start as u64)).is_err());
    }

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..7, tag in 0u8..6) {
        let _ = decode(&bytes, LogPosition(0));
        // And with a head and a checksum that fit.
        let mut frame = head(bytes.len().max(8).next_multiple_of(8), kind, tag, 1).as_bytes().to_vec();
        frame.extend_from_slice(&bytes);
        frame.resize(HEAD_BYTES + bytes.len().max(8).next_multiple_of(8), 0);
        finish(&mut frame, LogPosition(0), true);
        let _ = decode(&frame, LogPosition(0));
    }
}

#[test]
fn every_turned_bit_is_found_and_nothing_else_is_mended() {
    let seal = Frame::Seal { number: BlockNumber(3), data: DataDigest([0xab; 32]) };
    let position = LogPosition(4096);
    let mut frame = Vec::new();
    seal.append(&mut frame);
    finish(&mut frame, position, true);
    let turned = |bits: &[usize]| {
        let mut bytes = frame.clone();
        bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
        mend(&bytes, position)
    };
    for bit in 0..8 * frame.len() {
        assert_eq!(turned(&[bit]), Some(bit));
        assert_eq!(turned(&[bit, (bit + 77) % (8 * frame.len())]), None);
    }
    // What was never written is not there to be mended.
    let cut = Frame::Cut { number: BlockNumber(1) };
    let mut frame = Vec::new();
    cut.append(&mut frame);
    finish(&mut frame, position, true);
    frame[HEAD_BYTES..].fill(0);
    assert_eq!(mend(&frame, position), None);
}

#[test]
fn a_frame_lacks_a_part_where_a_sector_or_its_end_was_not_written() {
    let mut frame = Vec::new();
    lay_record(&write(&[7; 1500]), &StoredTag::Own(Tag::Host), &mut frame);
    let position = LogPosition(4096 + 80);
    finish(&mut frame, position, true);
    let lacks = |from: usize, to: usize| {
        let mut bytes = [&frame[..], &[0; 64]].concat();
        bytes[from..to].fill(0);
        lacks_a_part(&bytes, position)
    };
    assert!(!lacks(0, 0) && !lacks(500, 900) && !lacks(frame.len() - 50, frame.len()));
    // The sectors begin at 432, 944 and 1456.
    assert!(lacks(0, 432) && lacks(432, 944) && lacks(944, 1456) && lacks(700, frame.len()));
    // Something stands behind it: it was not cut short.
    let mut bytes = [&frame[..], &[1; 64]].concat();
    bytes[frame.len() - 100..frame.len()].fill(0);
    assert!(!lacks_a_part(&bytes, position));
}

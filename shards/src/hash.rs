//! Hashing a group's records where they lie, in SIMD lanes: MACs, salts and digests.
//!
//! ```text
//!                  ┌ MAC key ─ hash ─▶ compared with the tag      the 32 bytes before a record's own
//! frame: … │ tag │ ┼ salt ──── hash ─▶ digest                     take each of these in turn
//!                  └ digest
//! ```

use crate::{
    check::{Checks, unauthentic},
    directory::Directory,
    group::Group,
    log::TagKind,
};
use arterial_protocol::{
    Digest, Salt, Tag,
    lanes::{LANES, Mode, hash_blocks, hash_many},
};

/// Records of so many blocks take lanes.
const BLOCKS_MAX: usize = 16;
const BLOCK_BYTES: usize = 64;

/// Entries of one length that wait for enough others of it to fill the lanes.
#[derive(Clone, Copy, Default)]
struct Lanes {
    entries: [u32; LANES],
    taken: usize,
}

/// Checks the MACs of a group's records, and puts each record's digest in its place.
pub(crate) fn complete(group: &mut Group, checks: &mut Checks, directory: &Directory) {
    let mut waiting = [Lanes::default(); BLOCKS_MAX + 1];
    for (index, at) in (0..group.offsets.len()).zip(0u32..) {
        if !checks.stands(index) {
            continue;
        }
        let blocks = (group.frame(index).end - checks.records[index] as usize) / BLOCK_BYTES;
        if blocks > BLOCKS_MAX {
            complete_lanes(group, checks, directory, &[at]);
            continue;
        }
        let lanes = &mut waiting[blocks];
        lanes.entries[lanes.taken] = at;
        lanes.taken += 1;
        if lanes.taken == LANES {
            complete_lanes(group, checks, directory, &lanes.entries);
            lanes.taken = 0;
        }
    }
    for lanes in waiting {
        if lanes.taken > 0 {
            complete_lanes(group, checks, directory, &lanes.entries[..lanes.taken]);
        }
    }
}

/// [`complete`] for up to [`LANES`] records of one length.
fn complete_lanes(group: &mut Group, checks: &mut Checks, directory: &Directory, entries: &[u32]) {
    let mut hashes = [[0; 32]; LANES];
    let hashes = &mut hashes[..entries.len()];
    check_macs(group, checks, directory, entries, hashes);

    let mut messages = [[0; BLOCK_BYTES]; LANES];
    let messages = &mut messages[..entries.len()];
    for (&entry, message) in entries.iter().zip(&mut *messages) {
        let laid = checks.laid(group, entry as usize);
        // A record whose MAC has just failed has no slot any more; what its lane hashes is of no matter.
        let keys = checks.stands(entry as usize).then(|| directory.device(checks.slots[entry as usize]).keys);
        if let Some(keys) = keys.flatten() {
            *message = Salt::message(&keys.subject, laid.device(), laid.seq());
        }
    }
    hash_blocks(Mode::Hash, messages, hashes);
    for (&entry, salt) in entries.iter().zip(&*hashes) {
        *before(group, checks, entry) = *salt;
    }
    hash_records(group, checks, Mode::Hash, entries, hashes);
    for (&entry, hash) in entries.iter().zip(&*hashes) {
        *before(group, checks, entry) = Digest::reduce(*hash).to_bytes();
    }
}

fn check_macs(
    group: &mut Group,
    checks: &mut Checks,
    directory: &Directory,
    entries: &[u32],
    hashes: &mut [[u8; 32]],
) {
    let mut with_mac = [0; LANES];
    let mut count = 0;
    for &entry in entries {
        if checks.tags[entry as usize] == TagKind::Mac {
            with_mac[count] = entry;
            count += 1;
        }
    }
    let (with_mac, hashes) = (&with_mac[..count], &mut hashes[..count]);
    for &entry in with_mac {
        let keys = directory.device(checks.slots[entry as usize]).keys;
        // A device that is enrolled with a MAC key has one until it is destroyed, which was looked at before.
        *before(group, checks, entry) = keys.and_then(|keys| keys.mac).unwrap_or_default();
    }
    hash_records(group, checks, Mode::Mac, with_mac, hashes);
    for (&entry, expected) in with_mac.iter().zip(hashes) {
        let laid = checks.laid(group, entry as usize);
        let tag = laid.tag().try_into().map(Tag::Mac);
        if !tag.is_ok_and(|tag| tag.check_mac(*expected).is_ok()) {
            checks.refuse(entry as usize, unauthentic(&laid));
        }
    }
}

/// The 32 bytes before a record's own.
fn before<'a>(group: &'a mut Group, checks: &Checks, entry: u32) -> &'a mut [u8; 32] {
    let at = checks.records[entry as usize] as usize;
    group.bytes[at..].first_chunk_mut().expect("a laid record has a place for its digest")
}

/// Hashes records with what stands before them.
fn hash_records(group: &Group, checks: &Checks, mode: Mode, entries: &[u32], hashes: &mut [[u8; 32]]) {
    let mut messages: [&[u8]; LANES] = [&[]; LANES];
    for (message, &entry) in messages.iter_mut().zip(entries) {
        let index = entry as usize;
        *message = &group.bytes[checks.records[index] as usize..group.frame(index).end];
    }
    hash_many(mode, &messages[..entries.len()], hashes);
}

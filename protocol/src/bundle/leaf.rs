//! From a bundle's writes to the leaves of its tree.

use crate::{
    lanes::{self, LANES, Mode},
    limits::{BUNDLE_WRITES_MAX, RECORD_ALIGN_BYTES},
    write::Write,
};
use alloc::vec::Vec;

/// The block whose BLAKE3 is the blind of a bundle's write; for whoever makes many with [`lanes::hash_blocks`].
#[must_use]
pub fn blind_message(seed: &[u8; 32], index: u16) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(seed);
    block[32..40].copy_from_slice(&u64::from(index).to_le_bytes());
    block[40..].copy_from_slice(b"arterial/bundle-blind/v1");
    block
}

/// What hides a bundle's write from the holders of its neighbours' receipts.
#[must_use]
pub fn blind(seed: &[u8; 32], index: u16) -> [u8; 32] {
    lanes::hash(Mode::Hash, &blind_message(seed, index))
}

/// The leaf of one write.
#[must_use]
pub fn leaf(blind: &[u8; 32], write: &Write<'_>) -> [u8; 32] {
    write.hash_behind(blind, Mode::BundleLeaf)
}

/// The leaves of a bundle's writes, in their order: writes of equal padded length side by side in lanes.
///
/// # Panics
/// More than [`BUNDLE_WRITES_MAX`] writes.
#[must_use]
pub fn leaves(seed: &[u8; 32], writes: &[Write<'_>]) -> Vec<[u8; 32]> {
    assert!(writes.len() <= BUNDLE_WRITES_MAX, "a bundle has at most {BUNDLE_WRITES_MAX} writes");
    // First the blinds, each of which its leaf then takes the place of.
    let blocks: Vec<[u8; 64]> = (0..).zip(writes).map(|(index, _)| blind_message(seed, index)).collect();
    let mut leaves = alloc::vec![[0; 32]; writes.len()];
    lanes::hash_blocks(Mode::Hash, &blocks, &mut leaves);
    let mut order: Vec<usize> = (0..writes.len()).collect();
    order.sort_unstable_by_key(|&at| writes[at].canonical_bytes());
    let mut scratch = Vec::new();
    for equal in order.chunk_by(|&a, &b| writes[a].canonical_bytes() == writes[b].canonical_bytes()) {
        for group in equal.chunks(LANES) {
            hash_group(writes, group, &mut scratch, &mut leaves);
        }
    }
    leaves
}

/// Puts the leaves of up to [`LANES`] writes of one padded length where their blinds are.
fn hash_group(writes: &[Write<'_>], group: &[usize], scratch: &mut Vec<u8>, leaves: &mut [[u8; 32]]) {
    scratch.clear();
    for &at in group {
        scratch.extend_from_slice(&leaves[at]);
        writes[at].encode_body(scratch);
        scratch.resize(scratch.len().next_multiple_of(RECORD_ALIGN_BYTES), 0);
    }
    let mut messages: [&[u8]; LANES] = [&[]; LANES];
    for (message, bytes) in messages.iter_mut().zip(scratch.chunks(scratch.len() / group.len())) {
        *message = bytes;
    }
    let mut hashes = [[0; 32]; LANES];
    lanes::hash_many(Mode::BundleLeaf, &messages[..group.len()], &mut hashes[..group.len()]);
    for (&at, hash) in group.iter().zip(hashes) {
        leaves[at] = hash;
    }
}

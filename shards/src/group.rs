//! Writes on their way to a shard's log, laid out as frames by whoever submits them and completed in place by the
//! writer: what a caller hands over is copied once.

use crate::{
    limits::{GROUP_BYTES, GROUP_WRITES, PAGE_BYTES},
    log::{StoredTag, bundle_frame_bytes, lay_record},
    ticket::{Outcome, Settled},
};
use arterial_protocol::Write;
use std::{ops::Range, sync::Arc, time::Instant};

/// Writes that are committed together.
#[derive(Debug)]
pub(crate) struct Group {
    /// Frames that are not complete.
    pub(crate) bytes: Vec<u8>,
    /// Where each begins.
    pub(crate) offsets: Vec<u32>,
    /// The entries that came in bundles, and whose bundles.
    pub(crate) bundles: Vec<Bundled>,
    /// When its first write was submitted.
    pub(crate) begun: Instant,
    outcome: Arc<Outcome>,
}

/// A bundle's part in a group.
#[derive(Clone, Debug)]
pub(crate) struct Bundled {
    /// The members' entries, and behind them the one for the bundle's own frame.
    pub(crate) entries: Range<u32>,
    pub(crate) part: BundlePart,
}

/// What the members of a bundle that go to one shard share.
#[derive(Clone, Debug)]
pub(crate) struct BundlePart {
    /// The public key that the signature was checked with.
    pub(crate) key: [u8; 32],
    pub(crate) signature: [u8; 64],
    pub(crate) seed: [u8; 32],
    /// Writes of the whole bundle.
    pub(crate) writes: u32,
    /// The members' places in the bundle, and their leaves.
    pub(crate) members: Vec<(u16, [u8; 32])>,
    pub(crate) siblings: Vec<[u8; 32]>,
}

/// Entries and bytes of a full group that is halved so often.
const fn room(halvings: u32) -> (usize, usize) {
    (GROUP_WRITES >> halvings, GROUP_BYTES >> halvings)
}

impl Group {
    /// An empty group that uses the memory of an old one, and takes what a full one does, halved so often.
    pub(crate) fn reusing(mut bytes: Vec<u8>, halvings: u32) -> Self {
        bytes.clear();
        // Reserved at once, so that it seldom moves; what is not written takes no memory.
        bytes.reserve(room(halvings).1 + PAGE_BYTES);
        let begun = Instant::now();
        Self { bytes, offsets: Vec::new(), bundles: Vec::new(), begun, outcome: Arc::default() }
    }

    /// Whether so many more frames with so many bytes fit; anything fits an empty group.
    pub(crate) fn has_room(&self, entries: usize, bytes: usize, halvings: u32) -> bool {
        let (entries_max, bytes_max) = room(halvings);
        self.offsets.is_empty()
            || (self.offsets.len() + entries <= entries_max && self.bytes.len() + bytes <= bytes_max)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a group is at most GROUP_BYTES_MAX long")]
    fn begin_entry(&mut self) -> u32 {
        self.offsets.push(self.bytes.len() as u32);
        self.offsets.len() as u32 - 1
    }

    /// Lays a write out; its index.
    pub(crate) fn lay(&mut self, write: &Write<'_>, tag: &StoredTag) -> u32 {
        let index = self.begin_entry();
        lay_record(write, tag, &mut self.bytes);
        index
    }

    /// Leaves room for a bundle's frame behind its members, which were laid out just before.
    #[expect(clippy::cast_possible_truncation, reason = "a bundle has at most BUNDLE_WRITES_MAX writes")]
    pub(crate) fn lay_bundle(&mut self, part: BundlePart) {
        let own = self.begin_entry();
        self.bytes.resize(self.bytes.len() + bundle_frame_bytes(part.siblings.len()), 0);
        self.bundles.push(Bundled { entries: own - part.members.len() as u32..own + 1, part });
    }

    /// Where an entry's frame lies.
    pub(crate) fn frame(&self, index: usize) -> Range<usize> {
        let end = self.offsets.get(index + 1).map_or(self.bytes.len(), |&offset| offset as usize);
        self.offsets[index] as usize..end
    }

    /// What its tickets wait for.
    pub(crate) const fn outcome(&self) -> &Arc<Outcome> {
        &self.outcome
    }

    /// Answers its tickets; the memory can be used again.
    pub(crate) fn settle(mut self, settled: Settled) -> Vec<u8> {
        self.outcome.settle(settled);
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.outcome.settle(Settled::Abandoned);
    }
}

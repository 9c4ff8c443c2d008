//! The tree over a bundle's writes, and its shape.

use super::{MESSAGE_BYTES, message};
use crate::{
    lanes::{self, Mode},
    limits::BUNDLE_WRITES_MAX,
};
use alloc::vec::Vec;
use core::ops::Range;

/// The tree over a bundle's writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BundleTree {
    count: u16,
    /// Every level, the leaves first, the root last.
    nodes: Vec<[u8; 32]>,
}

impl BundleTree {
    /// The tree over these leaves; `None` when there are none, or more than [`BUNDLE_WRITES_MAX`].
    #[must_use]
    pub fn new(leaves: Vec<[u8; 32]>) -> Option<Self> {
        let count = u16::try_from(leaves.len()).ok().filter(|&count| is_count(count))?;
        let mut nodes = leaves;
        nodes.reserve(levels(count).map(|level| level.len()).sum::<usize>() - nodes.len());
        for level in levels(count).take_while(|level| level.len() > 1) {
            let above = nodes.len();
            nodes.resize(above + level.len().div_ceil(2), [0; 32]);
            let (below, above) = nodes.split_at_mut(above);
            parents(&below[level], above);
        }
        Some(Self { count, nodes })
    }

    /// How many writes there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        *self.nodes.last().expect("a tree has at least one leaf")
    }

    /// What the gateway signs.
    #[must_use]
    pub fn message(&self) -> [u8; MESSAGE_BYTES] {
        message(self.count, &self.root())
    }

    /// The siblings on the way up from a leaf; `None` when there is no such leaf.
    #[must_use]
    pub fn path(&self, index: u16) -> Option<Vec<[u8; 32]>> {
        (index < self.count).then(|| {
            let mut at = usize::from(index);
            let mut path = Vec::new();
            for level in levels(self.count) {
                path.extend(self.nodes[level].get(at ^ 1));
                at /= 2;
            }
            path
        })
    }

    /// The fewest nodes that with the leaves of `members` make the root, each level from the left, the leaves' level
    /// first; `None` when the members don't rise or there is no such leaf.
    ///
    /// They are what a shard keeps of a bundle that other shards have writes of, too.
    #[must_use]
    pub fn siblings(&self, members: &[u16]) -> Option<Vec<[u8; 32]>> {
        are_members(self.count, members.iter().copied()).then(|| {
            let mut known: Vec<usize> = members.iter().copied().map(usize::from).collect();
            let mut siblings = Vec::new();
            for level in levels(self.count) {
                let nodes = &self.nodes[level];
                let missing =
                    known.iter().map(|at| at ^ 1).filter(|sibling| known.binary_search(sibling).is_err());
                siblings.extend(missing.filter_map(|sibling| nodes.get(sibling)));
                known.iter_mut().for_each(|at| *at /= 2);
                known.dedup();
            }
            siblings
        })
    }
}

/// The nodes above a level: one for each pair, and an odd last node as it is.
pub(super) fn parents(level: &[[u8; 32]], above: &mut [[u8; 32]]) {
    let (pairs, odd) = level.as_flattened().as_chunks::<64>();
    lanes::hash_blocks(Mode::Hash, pairs, &mut above[..pairs.len()]);
    above[pairs.len()..].copy_from_slice(odd.as_chunks::<32>().0);
}

/// Where each level stands in [`BundleTree::nodes`]; the last is the root's.
pub(super) fn levels(count: u16) -> impl Iterator<Item = Range<usize>> {
    let first = 0..usize::from(count);
    core::iter::successors(Some(first), |level| {
        (level.len() > 1).then(|| level.end..level.end + level.len().div_ceil(2))
    })
}

pub(super) const fn is_count(count: u16) -> bool {
    count > 0 && count as usize <= BUNDLE_WRITES_MAX
}

pub(super) fn are_members(count: u16, members: impl Iterator<Item = u16> + Clone) -> bool {
    members.clone().is_sorted_by(|a, b| a < b) && members.last().is_none_or(|last| last < count)
}

//! Cutting a batch into segments that fit into memory.

use super::witness::Move;
use crate::{
    air::{account::ACCOUNT_COLUMNS, node::NODE_COLUMNS, record::RECORD_COLUMNS},
    field::WireDigest,
    prover::witness::OldTree,
};
use arterial_protocol::limits::ACCOUNTS_DEPTH;

/// One subtree and what happens in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) level: usize,
    pub(crate) index: u32,
    pub(crate) moves: &'a [Move<'a>],
}

/// The parts of a batch, left to right, and the digests beside them.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) untouched: Vec<WireDigest>,
}

impl<'a> Plan<'a> {
    /// Halves subtrees until each part's tables have at most `cells_max` cells.
    pub(crate) fn new(moves: &'a [Move<'a>], tree: &dyn OldTree, cells_max: usize) -> Self {
        let mut plan = Self::default();
        plan.cut(Part { level: ACCOUNTS_DEPTH, index: 0, moves }, tree, cells_max);
        plan
    }

    fn cut(&mut self, part: Part<'a>, tree: &dyn OldTree, cells_max: usize) {
        let Part { level, index, moves } = part;
        if moves.is_empty() {
            self.untouched.push(WireDigest(tree.node(level, index)));
        } else if level == 0 || part.cells() <= cells_max {
            self.parts.push(part);
        } else {
            let middle = (2 * index + 1) << (level - 1);
            let (left, right) = moves.split_at(moves.partition_point(|moved| moved.slot < middle));
            self.cut(Part { level: level - 1, index: 2 * index, moves: left }, tree, cells_max);
            self.cut(Part { level: level - 1, index: 2 * index + 1, moves: right }, tree, cells_max);
        }
    }
}

impl Part<'_> {
    /// Records in it.
    pub(crate) fn records(&self) -> usize {
        self.moves.iter().map(|moved| moved.links.len()).sum()
    }

    /// Accounts that it opens.
    pub(crate) fn enrolments(&self) -> usize {
        self.moves.iter().filter(|moved| moved.enrolled).count()
    }

    /// Nodes above its accounts, up to its root.
    pub(crate) fn nodes(&self) -> usize {
        (1..=self.level)
            .map(|level| self.moves.chunk_by(|a, b| a.slot >> level == b.slot >> level).count())
            .sum()
    }

    /// Cells of its tables, padding aside.
    fn cells(&self) -> usize {
        self.records() * RECORD_COLUMNS + self.moves.len() * ACCOUNT_COLUMNS + self.nodes() * NODE_COLUMNS
    }
}

//! Cutting a block into segments that fit into memory.

use super::witness::{BatchWitness, Move, OldTree};
use crate::{
    air::{account::ACCOUNT_COLUMNS, node::NODE_COLUMNS, record::RECORD_COLUMNS},
    field::WireDigest,
    segment::CLAIMS_MAX,
};
use arterial_protocol::{ShardId, limits::ACCOUNTS_DEPTH};

/// One subtree of a shard's accounts and what happens in it.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) shard: ShardId,
    pub(crate) tree: &'a dyn OldTree,
    pub(crate) level: usize,
    pub(crate) index: u32,
    pub(crate) moves: &'a [Move<'a>],
}

/// The segments of a block, each one subtree of one shard or the whole trees of several, and the digests beside them.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    pub(crate) segments: Vec<Vec<Part<'a>>>,
    pub(crate) untouched: Vec<WireDigest>,
}

impl<'a> Plan<'a> {
    /// Gathers the trees of small batches, and halves those of large ones, until each segment's tables have at most
    /// `cells_max` cells. `moves` are all batches', one after another.
    pub(crate) fn new(batches: &[BatchWitness<'a>], moves: &'a [Move<'a>], cells_max: usize) -> Self {
        let mut plan = Self::default();
        let (mut rest, mut gathered) = (moves, Vec::new());
        let mut gathered_cells = 0;
        for BatchWitness { batch, tree, .. } in batches.iter().filter(|witness| !witness.batch.is_empty()) {
            let (moves, others) = rest.split_at(batch.account_count());
            rest = others;
            let whole = Part { shard: batch.shard, tree: *tree, level: ACCOUNTS_DEPTH, index: 0, moves };
            let cells = whole.cells();
            if gathered.len() == CLAIMS_MAX || gathered_cells + cells > cells_max {
                plan.segments.extend((!gathered.is_empty()).then(|| std::mem::take(&mut gathered)));
                gathered_cells = 0;
            }
            if cells > cells_max {
                plan.cut(whole, cells_max);
            } else {
                gathered.push(whole);
                gathered_cells += cells;
            }
        }
        plan.segments.extend((!gathered.is_empty()).then_some(gathered));
        plan
    }

    fn cut(&mut self, part: Part<'a>, cells_max: usize) {
        let Part { shard, tree, level, index, moves } = part;
        if moves.is_empty() {
            self.untouched.push(WireDigest(tree.node(level, index)));
        } else if level == 0 || part.cells() <= cells_max {
            self.segments.push(vec![part]);
        } else {
            let middle = (2 * index + 1) << (level - 1);
            let (left, right) = moves.split_at(moves.partition_point(|moved| moved.slot < middle));
            self.cut(Part { shard, tree, level: level - 1, index: 2 * index, moves: left }, cells_max);
            self.cut(Part { shard, tree, level: level - 1, index: 2 * index + 1, moves: right }, cells_max);
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

//! Filling the table of tree nodes, level by level.

use super::{
    Change,
    lanes::{Columns, LANES, columns_of, pack, unpack},
    record::concat,
    rows::{Cells, pad},
};
use crate::{
    air::{Compressions, node::NODE_COLUMNS},
    error::StarkError,
    field::{digest, elements},
    poseidon::C16_COLUMNS,
    prover::plan::Part,
};
use p3_field::{PrimeCharacteristicRing, integers::QuotientMap};
use p3_koala_bear::KoalaBear;
use rayon::prelude::*;

/// Columns before the compressions'.
const FRONT: usize = NODE_COLUMNS - 2 * C16_COLUMNS;

/// Fills every node from the leaves up and gives how each part's root moves.
pub(super) fn fill(
    parts: &[Part<'_>],
    leaves: Vec<Change>,
    compressions: &Compressions,
    cells: &mut Cells,
) -> Result<Vec<Change>, StarkError> {
    let mut places = cells.cells();
    let mut leaves = leaves.into_iter();
    let mut roots = Vec::with_capacity(parts.len());
    for part in parts {
        let own = leaves.by_ref().take(part.moves.len()).collect();
        roots.push(fill_part(part, own, compressions, &mut places)?);
    }
    pad(places, &inactive(compressions));
    Ok(roots)
}

/// Fills one part's nodes into the first of these places and takes them away.
fn fill_part(
    part: &Part<'_>,
    leaves: Vec<Change>,
    compressions: &Compressions,
    places: &mut Vec<&mut [KoalaBear]>,
) -> Result<Change, StarkError> {
    let mut changes = leaves;
    for level in 0..part.level {
        let siblings: Vec<&[Change]> = changes.chunk_by(|a, b| a.index / 2 == b.index / 2).collect();
        let rest = places.split_off(siblings.len());
        let mut own = std::mem::replace(places, rest);
        changes = siblings
            .par_chunks(LANES)
            .zip(own.par_chunks_mut(LANES))
            .map_init(Columns::default, |columns, (siblings, places)| {
                let nodes: Vec<Node> = siblings.iter().map(|moved| Node::new(part, level, moved)).collect();
                fill_lanes(&nodes, compressions, columns, places)
            })
            .flatten_iter()
            .collect();
    }
    let root = changes.first().copied().expect("a part has an account");
    let expected = part.tree.node(part.level, part.index);
    let got = digest(root.old);
    if expected != got {
        return Err(StarkError::Tree {
            shard: part.shard,
            level: part.level,
            index: part.index,
            expected,
            got,
        });
    }
    Ok(root)
}

/// A node above one or two that moved.
struct Node {
    shard: u32,
    level: usize,
    index: u32,
    moved: [bool; 2],
    old: [[KoalaBear; 8]; 2],
    new: [[KoalaBear; 8]; 2],
}

impl Node {
    fn new(part: &Part<'_>, level: usize, siblings: &[Change]) -> Self {
        let index = siblings[0].index / 2;
        let of = |child: u32| siblings.iter().find(|change| change.index == child);
        let children = [2 * index, 2 * index + 1].map(|child| {
            of(child).map_or_else(
                || {
                    let unmoved = elements(part.tree.node(level, child));
                    (false, unmoved, unmoved)
                },
                |change| (true, change.old, change.new),
            )
        });
        Self {
            shard: part.shard.0,
            level,
            index,
            moved: children.map(|(moved, ..)| moved),
            old: children.map(|(_, old, _)| old),
            new: children.map(|(.., new)| new),
        }
    }

    /// The columns before the compressions', in the order of `air::node`.
    fn front(&self) -> [KoalaBear; FRONT] {
        let level = u32::try_from(self.level).expect("a tree has few levels");
        concat([
            &self.moved.map(KoalaBear::from_bool),
            &[self.shard, level, self.index].map(KoalaBear::from_int),
            self.old.as_flattened(),
            self.new.as_flattened(),
        ])
    }
}

fn fill_lanes(
    nodes: &[Node],
    compressions: &Compressions,
    columns: &mut Columns,
    places: &mut [&mut [KoalaBear]],
) -> Vec<Change> {
    let input = |side: fn(&Node) -> &[[KoalaBear; 8]; 2]| {
        let inputs: Vec<[KoalaBear; 16]> =
            nodes.iter().map(|node| concat([side(node).as_flattened()])).collect();
        pack(&inputs)
    };
    let old = columns.compress(&compressions.c16, input(|node| &node.old));
    for (lane, (node, place)) in nodes.iter().zip(places.iter_mut()).enumerate() {
        place[..FRONT].copy_from_slice(&node.front());
        columns.write(lane, &mut place[FRONT..]);
    }
    let new = columns.compress(&compressions.c16, input(|node| &node.new));
    for (lane, place) in places.iter_mut().enumerate() {
        columns.write(lane, &mut place[FRONT + C16_COLUMNS..]);
    }
    nodes
        .iter()
        .enumerate()
        .map(|(lane, node)| Change { index: node.index, old: unpack(&old, lane), new: unpack(&new, lane) })
        .collect()
}

/// A cell of padding.
fn inactive(compressions: &Compressions) -> Vec<KoalaBear> {
    let hashed = columns_of(&compressions.c16, [KoalaBear::ZERO; 16]);
    let mut cell = KoalaBear::zero_vec(FRONT);
    cell.extend_from_slice(&hashed);
    cell.extend_from_slice(&hashed);
    cell
}

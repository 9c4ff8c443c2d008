//! A path without the tree: from the members that stand in one shard, and what that shard keeps of the others.

use super::tree::{are_members, is_count, levels, parents};
use alloc::vec::Vec;

/// The path of one of the members that [`BundleTree::siblings`](super::BundleTree::siblings) was asked for.
///
/// `members` are indices and leaves, rising. `None` when the siblings are not as many as these members need, or
/// `index` is no member. Whether they are the right ones shows when the path is verified.
#[must_use]
pub fn path_from_siblings(
    count: u16,
    members: &[(u16, [u8; 32])],
    siblings: &[[u8; 32]],
    index: u16,
) -> Option<Vec<[u8; 32]>> {
    if !is_count(count) || !are_members(count, members.iter().map(|&(at, _)| at)) {
        return None;
    }
    members.binary_search_by_key(&index, |&(at, _)| at).ok()?;
    let mut known: Vec<(usize, [u8; 32])> =
        members.iter().map(|&(at, leaf)| (usize::from(at), leaf)).collect();
    let (mut at, mut siblings) = (usize::from(index), siblings.iter());
    let mut path = Vec::new();
    for level in levels(count) {
        let nodes = with_siblings(&known, level.len(), &mut siblings)?;
        path.extend(nodes.iter().find(|(sibling, _)| *sibling == at ^ 1).map(|(_, hash)| *hash));
        at /= 2;
        known = climb(&nodes);
    }
    siblings.next().is_none().then_some(path)
}

/// The known nodes of a level of `width`, and their siblings, from the left.
fn with_siblings<'a>(
    known: &[(usize, [u8; 32])],
    width: usize,
    siblings: &mut impl Iterator<Item = &'a [u8; 32]>,
) -> Option<Vec<(usize, [u8; 32])>> {
    let mut nodes = Vec::with_capacity(2 * known.len());
    let mut rest = known.iter().copied().peekable();
    while let Some((at, hash)) = rest.next() {
        if at % 2 == 1 {
            nodes.push((at - 1, *siblings.next()?));
        }
        nodes.push((at, hash));
        if at % 2 == 0 && at + 1 < width {
            let right = rest.next_if(|(right, _)| *right == at + 1);
            nodes.push(match right {
                Some(right) => right,
                None => (at + 1, *siblings.next()?),
            });
        }
    }
    Some(nodes)
}

/// The level above some pairs of nodes, and above the odd last node if it is there.
fn climb(nodes: &[(usize, [u8; 32])]) -> Vec<(usize, [u8; 32])> {
    let hashes: Vec<[u8; 32]> = nodes.iter().map(|&(_, hash)| hash).collect();
    let mut above = alloc::vec![[0; 32]; hashes.len().div_ceil(2)];
    parents(&hashes, &mut above);
    nodes.iter().step_by(2).map(|(at, _)| at / 2).zip(above).collect()
}

//! From a shard's accounts to the one field element that stands on the chain.
//!
//! ```text
//! accounts   = binary tree of ACCOUNTS_DEPTH levels over the shard's slots with C16; an unused slot is zero
//! shard leaf = H( shard_id, pack(accounts root), total_records, data_hi, data_lo )
//! state root = H( domain, block_number, binary tree with H over the shard leaves )
//! ```

use crate::{
    device::{ShardCount, ShardId},
    digest::Digest,
    field::FieldElement,
    limits::ACCOUNTS_DEPTH,
    poseidon::{bn254, koala},
};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use once_cell::race::OnceBox;

/// BLAKE3 of the bytes of a shard's last non-empty batch; zeros before the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DataDigest(pub [u8; 32]);

impl DataDigest {
    /// The high and the low 128 bits of the digest read as a big-endian number.
    #[must_use]
    pub fn halves(self) -> [FieldElement; 2] {
        let half =
            |at: usize| FieldElement::from(u128::from_be_bytes(core::array::from_fn(|i| self.0[at + i])));
        [half(0), half(16)]
    }
}

/// Which deployment a state root is of: BLAKE3(chain id ‖ salt), reduced.
///
/// A proof made for one chain or contract is worthless at another because its roots commit to another domain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Domain(pub FieldElement);

impl Domain {
    /// The domain of a deployment on the chain with this EIP-155 id, told apart by a random salt.
    #[must_use]
    pub fn derive(chain_id: u64, salt: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&chain_id.to_le_bytes()).update(salt);
        Self(FieldElement::reduce(*hasher.finalize().as_bytes()))
    }
}

/// The number of a block; 0 is genesis, which has a root and no proof.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BlockNumber(pub u64);

impl BlockNumber {
    /// The state before the first block.
    pub const GENESIS: Self = Self(0);

    /// The block after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The commitment to every account of every shard at a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateRoot(pub FieldElement);

impl StateRoot {
    /// The root over the shards' leaves at a block.
    #[must_use]
    pub fn compute(domain: Domain, number: BlockNumber, leaves: &[ShardLeaf]) -> Self {
        Self::from_tree(domain, number, shards_root(leaves))
    }

    pub(crate) fn from_tree(domain: Domain, number: BlockNumber, tree: FieldElement) -> Self {
        Self(bn254::hash([domain.0, FieldElement::from(number.0), tree]))
    }

    /// The root of a deployment before its first block.
    #[must_use]
    pub fn genesis(domain: Domain, shards: ShardCount) -> Self {
        let leaves: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
        Self::compute(domain, BlockNumber::GENESIS, &leaves)
    }
}

impl fmt::Display for StateRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StateRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What the state root commits to of one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardLeaf {
    /// Which shard; its position among the leaves.
    pub shard: ShardId,
    /// The root of its accounts tree.
    pub accounts_root: Digest,
    /// Records of all its blocks.
    pub total_records: u64,
    /// Its last non-empty batch.
    pub data: DataDigest,
}

impl ShardLeaf {
    /// A shard before its first batch.
    #[must_use]
    pub fn genesis(shard: ShardId) -> Self {
        Self {
            shard,
            accounts_root: empty_subtree(ACCOUNTS_DEPTH),
            total_records: 0,
            data: DataDigest::default(),
        }
    }

    /// The leaf's inputs to `H`, in order.
    #[must_use]
    pub fn elements(&self) -> [FieldElement; 5] {
        let [high, low] = self.data.halves();
        [
            FieldElement::from(u64::from(self.shard.0)),
            FieldElement::from(self.accounts_root),
            FieldElement::from(self.total_records),
            high,
            low,
        ]
    }

    /// `H` of the leaf.
    #[must_use]
    pub fn hash(&self) -> FieldElement {
        bn254::hash(self.elements())
    }
}

/// `H(left, right)`: a node of the tree over the shards.
pub(crate) fn shards_node(left: FieldElement, right: FieldElement) -> FieldElement {
    bn254::hash([left, right])
}

/// The levels of the tree over the shards, from the leaves' hashes to the root.
///
/// The number of leaves is a power of two.
#[must_use]
pub fn shards_tree(leaves: &[ShardLeaf]) -> Vec<Vec<FieldElement>> {
    assert!(leaves.len().is_power_of_two(), "a shard count is a power of two");
    let mut levels = Vec::from([leaves.iter().map(ShardLeaf::hash).collect::<Vec<_>>()]);
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let parents =
            level.as_chunks::<2>().0.iter().map(|&[left, right]| shards_node(left, right)).collect();
        levels.push(parents);
    }
    levels
}

fn shards_root(leaves: &[ShardLeaf]) -> FieldElement {
    shards_tree(leaves).last().and_then(|level| level.first()).copied().expect("a tree has a root")
}

/// The root of a subtree of unused slots with this many levels; at most [`ACCOUNTS_DEPTH`].
#[must_use]
pub fn empty_subtree(levels: usize) -> Digest {
    static ROOTS: OnceBox<[Digest; ACCOUNTS_DEPTH + 1]> = OnceBox::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = Box::new([Digest::ZERO; ACCOUNTS_DEPTH + 1]);
        for level in 0..ACCOUNTS_DEPTH {
            roots[level + 1] = koala::node(roots[level], roots[level]);
        }
        roots
    });
    roots[levels]
}

/// The root that a path from a leaf leads to.
///
/// `siblings` run from the leaf's level up; bit `i` of `index` says whether the node at level `i` is on the right.
pub(crate) fn climb<T: Copy>(leaf: T, index: u32, siblings: &[T], node: impl Fn(T, T) -> T) -> T {
    siblings.iter().enumerate().fold(leaf, |current, (level, &sibling)| {
        if index >> level & 1 == 0 { node(current, sibling) } else { node(sibling, current) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u32) -> Vec<ShardLeaf> {
        ShardCount::new(count)
            .unwrap()
            .iter()
            .map(|shard| ShardLeaf { total_records: u64::from(shard.0) * 7, ..ShardLeaf::genesis(shard) })
            .collect()
    }

    #[test]
    fn a_path_climbs_to_the_root() {
        for count in [1, 2, 8] {
            let leaves = leaves(count);
            let levels = shards_tree(&leaves);
            for index in 0..count {
                let siblings: Vec<FieldElement> = levels[..levels.len() - 1]
                    .iter()
                    .enumerate()
                    .map(|(level, nodes)| nodes[(index as usize >> level) ^ 1])
                    .collect();
                let root = climb(leaves[index as usize].hash(), index, &siblings, shards_node);
                assert_eq!(root, shards_root(&leaves));
            }
        }
    }

    #[test]
    fn the_state_root_depends_on_domain_number_and_every_leaf() {
        let domain = Domain::derive(1, &[0; 32]);
        let leaves = leaves(4);
        let root = StateRoot::compute(domain, BlockNumber(3), &leaves);
        assert_ne!(root, StateRoot::compute(Domain::derive(2, &[0; 32]), BlockNumber(3), &leaves));
        assert_ne!(root, StateRoot::compute(Domain::derive(1, &[1; 32]), BlockNumber(3), &leaves));
        assert_ne!(root, StateRoot::compute(domain, BlockNumber(4), &leaves));
        for index in 0..4 {
            let mut changed = leaves.clone();
            changed[index].data.0[31] ^= 1;
            assert_ne!(root, StateRoot::compute(domain, BlockNumber(3), &changed));
        }
    }
}

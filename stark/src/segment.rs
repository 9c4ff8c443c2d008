//! What one of a proof's segments claims: how subtrees of shards' accounts move.
//!
//! Small batches share a segment, so that a block of many shards costs one proof. A batch that is too large to prove at
//! once is cut along its tree, into segments of one subtree each. The subtrees have no slot in common, so together they
//! say what one proof would; the levels above them are few hashes that the verifier does itself.

use crate::{
    field::{WireDigest, elements, limbs16},
    statement::StatementDigest,
};
use core::array::from_fn;
use p3_field::integers::QuotientMap;
use p3_koala_bear::KoalaBear;
use serde::{Deserialize, Serialize};

/// Subtrees of one segment.
pub(crate) const CLAIMS_MAX: usize = 64;

const CLAIM_VALUES: usize = 3 + 8 + 8 + 2;
const STATEMENT_VALUES: usize = 16;

/// Public values of a segment with so many claims: the claims, then the digest of the whole statement.
pub(crate) const fn public_values(claims: usize) -> usize {
    claims * CLAIM_VALUES + STATEMENT_VALUES
}

/// How one subtree moves: `index` is its root's, among the nodes of its `level` (0 for the leaves) in its shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) shard: u32,
    pub(crate) level: u8,
    pub(crate) index: u32,
    pub(crate) old: WireDigest,
    pub(crate) new: WireDigest,
    pub(crate) records: u32,
    pub(crate) enrolments: u32,
}

impl Claim {
    /// Whether all its slots are left of those of the node at this place.
    pub(crate) fn is_left_of(&self, level: usize, index: u32) -> bool {
        let first_slot = |level: usize, index: u32| u64::from(index) << level;
        first_slot(usize::from(self.level), self.index) < first_slot(level, index)
    }

    fn values(&self) -> [KoalaBear; CLAIM_VALUES] {
        let (old, new) = (elements(self.old.0), elements(self.new.0));
        let [shard, level, index, records, enrolments] =
            [self.shard, self.level.into(), self.index, self.records, self.enrolments]
                .map(KoalaBear::from_int);
        from_fn(|at| match at {
            0 => shard,
            1 => level,
            2 => index,
            3..11 => old[at - 3],
            11..19 => new[at - 11],
            19 => records,
            _ => enrolments,
        })
    }
}

/// The public values of a segment.
pub(crate) fn values(claims: &[Claim], statement: &StatementDigest) -> Vec<KoalaBear> {
    claims.iter().flat_map(Claim::values).chain(limbs16(statement.0)).collect()
}

/// A claim as the table of claims reads it from its public values.
pub(crate) struct PublicClaim<E> {
    pub(crate) shard: E,
    pub(crate) level: E,
    pub(crate) index: E,
    pub(crate) old: [E; 8],
    pub(crate) new: [E; 8],
    pub(crate) records: E,
    pub(crate) enrolments: E,
}

impl<E: Clone> PublicClaim<E> {
    pub(crate) fn read(values: &[E], claims: usize) -> impl Iterator<Item = Self> {
        values.chunks_exact(CLAIM_VALUES).take(claims).map(|values| {
            let at = |at: usize| values[at].clone();
            Self {
                shard: at(0),
                level: at(1),
                index: at(2),
                old: from_fn(|i| at(3 + i)),
                new: from_fn(|i| at(11 + i)),
                records: at(19),
                enrolments: at(20),
            }
        })
    }
}

//! What one of a proof's segments claims: how one subtree of the accounts moves.
//!
//! A batch that is too large to prove at once is cut along the tree. The cut subtrees have no slot in common, so
//! together they say what one proof would; the levels above them are few hashes that the verifier does itself.

use crate::{
    field::{WireDigest, elements},
    statement::{STATEMENT_VALUES, Statement},
};
use core::array::from_fn;
use p3_field::integers::QuotientMap;
use p3_koala_bear::KoalaBear;
use serde::{Deserialize, Serialize};

/// Public values of a segment's proof: its claim, then the whole statement.
pub(crate) const PUBLIC_VALUES: usize = CLAIM_VALUES + STATEMENT_VALUES;
const CLAIM_VALUES: usize = 2 + 8 + 8 + 2;

/// How one subtree moves: `index` is its root's, among the nodes of its `level` (0 for the leaves).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
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

    pub(crate) fn public_values(&self, statement: &Statement) -> Vec<KoalaBear> {
        [u32::from(self.level), self.index]
            .map(KoalaBear::from_int)
            .into_iter()
            .chain(elements(self.old.0))
            .chain(elements(self.new.0))
            .chain([self.records, self.enrolments].map(KoalaBear::from_int))
            .chain(statement.values())
            .collect()
    }
}

/// A claim's public values as the table of the claim reads them.
pub(crate) struct PublicValues<E> {
    pub(crate) level: E,
    pub(crate) index: E,
    pub(crate) old: [E; 8],
    pub(crate) new: [E; 8],
    pub(crate) records: E,
    pub(crate) enrolments: E,
}

impl<E: Clone> PublicValues<E> {
    pub(crate) fn read(values: [E; PUBLIC_VALUES]) -> Self {
        let at = |i: usize| values[i].clone();
        Self {
            level: at(0),
            index: at(1),
            old: from_fn(|i| at(2 + i)),
            new: from_fn(|i| at(10 + i)),
            records: at(18),
            enrolments: at(19),
        }
    }
}

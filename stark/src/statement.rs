//! What a batch proof says.

use crate::field::{elements, limbs16};
use arterial_protocol::{BlockNumber, DataDigest, Digest, ShardId};
use p3_field::integers::QuotientMap;
use p3_koala_bear::KoalaBear;

/// Field elements of a statement.
pub(crate) const STATEMENT_VALUES: usize = 2 + 4 + 8 + 8 + 1 + 1 + 16;

/// What a batch proof says: by the rules, some batch of `record_count` records and `enrolment_count` enrolments moves
/// a shard's accounts from `old_root` to `new_root`.
///
/// `shard`, `number` and `data` name that batch: a proof for one name is worthless for another. That `data` is the
/// digest of that batch's bytes is not in the proof; whoever has the bytes checks it by hashing them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The shard.
    pub shard: ShardId,
    /// The block that the batch is sealed into.
    pub number: BlockNumber,
    /// The root of the shard's accounts tree before it.
    pub old_root: Digest,
    /// The root after it.
    pub new_root: Digest,
    /// Records in it.
    pub record_count: u32,
    /// Accounts that it opens.
    pub enrolment_count: u32,
    /// BLAKE3 of its bytes.
    pub data: DataDigest,
}

impl Statement {
    /// An injective encoding in field elements: what does not fit one is split into 16-bit limbs.
    pub(crate) fn values(&self) -> [KoalaBear; STATEMENT_VALUES] {
        let values = limbs16(self.shard.0.to_le_bytes())
            .chain(limbs16(self.number.0.to_le_bytes()))
            .chain(elements(self.old_root))
            .chain(elements(self.new_root))
            .chain([self.record_count, self.enrolment_count].map(KoalaBear::from_int))
            .chain(limbs16(self.data.0));
        let mut all = [KoalaBear::default(); STATEMENT_VALUES];
        for (slot, value) in all.iter_mut().zip(values) {
            *slot = value;
        }
        all
    }
}

//! What a batch proof says.

use arterial_protocol::{BlockNumber, DataDigest, Digest, ShardId};

/// What a batch proof says of a block: by the rules, each of its batches moves its shard's accounts from `old_root` to
/// `new_root`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The block that the batches are sealed into.
    pub number: BlockNumber,
    /// Of every shard whose batch is not empty, in order of their ids.
    pub batches: Vec<BatchStatement>,
}

/// By the rules, some batch of `record_count` records and `enrolment_count` enrolments moves a shard's accounts from
/// `old_root` to `new_root`.
///
/// `shard`, the block's number and `data` name that batch: a proof for one name is worthless for another. That `data` is
/// the digest of that batch's bytes is not in the proof; whoever has the bytes checks it by hashing them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchStatement {
    /// The shard.
    pub shard: ShardId,
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

/// BLAKE3 of a statement, by which every segment's transcript is bound to all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StatementDigest(pub(crate) [u8; 32]);

impl Statement {
    /// Hashes, little-endian:
    ///
    /// ```text
    /// number u64 │ batches × { shard u32 │ old root[32] │ new root[32] │ records u32 │ enrolments u32 │ data[32] }
    /// ```
    pub(crate) fn digest(&self) -> StatementDigest {
        let mut hasher = blake3::Hasher::new_derive_key("arterial/batch-statement/v1");
        hasher.update(&self.number.0.to_le_bytes());
        for batch in &self.batches {
            hasher.update(&batch.shard.0.to_le_bytes());
            hasher.update(&batch.old_root.to_bytes());
            hasher.update(&batch.new_root.to_bytes());
            hasher.update(&batch.record_count.to_le_bytes());
            hasher.update(&batch.enrolment_count.to_le_bytes());
            hasher.update(&batch.data.0);
        }
        StatementDigest(*hasher.finalize().as_bytes())
    }
}

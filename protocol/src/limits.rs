//! Every bound of the formats, in one place.
//!
//! A decoder refuses what is over its bound before it allocates for it.

/// Bytes of one canonical record, head and padding included.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a record's salt, the first of it.
pub const SALT_BYTES: usize = 32;
/// Bytes of a record before its payload.
pub const RECORD_HEAD_BYTES: usize = 72;
/// Records are padded to a multiple of this: BLAKE3's block.
pub const RECORD_ALIGN_BYTES: usize = 64;
/// Bytes of one payload.
pub const PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX - RECORD_HEAD_BYTES;
/// `seq` is below this, so that it and every account counter is one KoalaBear element.
pub const SEQ_END: u64 = 1 << 30;
/// `observed_at_ms` is below this: two 24-bit limbs.
pub const OBSERVED_AT_MS_END: u64 = 1 << 48;
/// Records of one device in one block; what is over waits for the next block, so that receipts stay small.
pub const RUN_RECORDS_MAX: usize = 1024;
/// Writes that a gateway signs at once, in one bundle.
pub const BUNDLE_WRITES_MAX: usize = 4096;
/// Records of one batch.
pub const BATCH_RECORDS_MAX: usize = 1 << 20;
/// Accounts one batch may touch, enrolments without records included.
pub const BATCH_ACCOUNTS_MAX: usize = 1 << 20;
/// Levels of a shard's accounts tree.
pub const ACCOUNTS_DEPTH: usize = 20;
/// Slots of a shard.
pub const SLOTS_END: u32 = 1 << ACCOUNTS_DEPTH;
/// Shards of a deployment; always a power of two.
pub const SHARDS_MAX: u32 = 1 << SHARDS_DEPTH_MAX;
/// Levels of the tree over the shards at most.
pub const SHARDS_DEPTH_MAX: usize = 12;

const _: () = {
    assert!(RECORD_HEAD_BYTES + PAYLOAD_BYTES_MAX == RECORD_BYTES_MAX);
    assert!(RECORD_BYTES_MAX.is_multiple_of(RECORD_ALIGN_BYTES));
    // The KoalaBear modulus is 2^31 - 2^24 + 1; counters must stay below it.
    assert!(SEQ_END < (1 << 31) - (1 << 24) + 1);
    assert!((SLOTS_END as u64) < SEQ_END);
    assert!((BATCH_RECORDS_MAX as u64) < SEQ_END);
    // A bundle counts and numbers its writes with a u16.
    assert!(BUNDLE_WRITES_MAX <= u16::MAX as usize);
};

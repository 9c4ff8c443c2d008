//! Bounds of the write side.

/// Writes that one group commit takes at most.
pub const GROUP_WRITES_MAX: usize = 4096;
/// Bytes that one group commit appends at most; a group never crosses a segment.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// Bytes of a segment, by default and at least.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;
/// A segment holds at least one full group.
pub const SEGMENT_BYTES_MIN: u64 = 2 * GROUP_BYTES_MAX as u64;
/// And is small enough to map and to preallocate quickly.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Writes waiting in one shard's queue before `try_submit` answers `Busy`.
pub const QUEUE_WRITES_DEFAULT: usize = 8192;
/// Records of one shard that may wait for a block before its writer stops taking writes.
pub const BACKLOG_RECORDS_MAX: usize = arterial_protocol::limits::BATCH_RECORDS_MAX - GROUP_WRITES_MAX;
/// Devices that one enrolment call takes.
pub const ENROLMENTS_MAX: usize = 4096;
/// Files whose maps, indexes or batches are kept open for reading, each per shard.
pub const OPEN_FILES_MAX: usize = 32;

const _: () = {
    assert!(SEGMENT_BYTES_DEFAULT >= SEGMENT_BYTES_MIN && SEGMENT_BYTES_DEFAULT <= SEGMENT_BYTES_MAX);
    // The largest record is one frame, and a frame fits a group many times over.
    assert!(GROUP_BYTES_MAX >= 16 * arterial_protocol::limits::RECORD_BYTES_MAX);
    // What one seal takes always fits one batch.
    assert!(BACKLOG_RECORDS_MAX + GROUP_WRITES_MAX <= arterial_protocol::limits::BATCH_RECORDS_MAX);
};

//! Bounds of the write side.

use crate::lane::Lane;
use arterial_protocol::limits::{BATCH_RECORDS_MAX, BUNDLE_WRITES_MAX, RECORD_BYTES_MAX};
use std::time::Duration;

/// Writes and bytes that one group commit takes, but for a bundle or a record that is more by itself.
///
/// A disk likes four times as much best. But what comes next waits for what is being committed: an alarm for its shard's
/// writer, and where there are few processors another shard for a turn on one.
pub const GROUP_WRITES: usize = 1024;
/// See [`GROUP_WRITES`].
pub const GROUP_BYTES: usize = 256 << 10;
/// How often a full group is halved at most where writes are taken no faster than blocks are made.
pub(crate) const GROUP_HALVINGS_MAX: u32 = 3;
/// From one commit to the next there at least, as far as full groups allow it; twice the time that a commit takes, if that is more.
/// Groups are no larger than they must be for it: others have the processor and the disk between them.
///
/// Closer together, they would cost the blocks that the writes wait for: a commit takes the processors, for the disk's sake, as
/// long as a hundred writes and more do.
pub const GROUPS_APART: Duration = Duration::from_millis(2);
/// Writes of a group at most, whatever is in it.
pub const GROUP_WRITES_MAX: usize = 8192;
/// Bytes that one group commit appends at most; a group never crosses a segment.
pub const GROUP_BYTES_MAX: usize = 1 << 20;
/// Bytes of a segment, by default and at least.
pub const SEGMENT_BYTES_DEFAULT: u64 = 16 << 20;
/// A segment holds a few full groups at least.
pub const SEGMENT_BYTES_MIN: u64 = 4 * GROUP_BYTES_MAX as u64;
/// And is small enough to map and to preallocate quickly.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Writes waiting in one lane of a shard before `try_submit` answers `Busy`.
pub const LANE_WRITES_DEFAULT: usize = 16_384;
/// Bytes that wait in one lane at most, but for what is larger by itself.
pub const LANE_BYTES_MAX: usize = 2 * GROUP_BYTES_MAX;
/// So many groups are committed before a less urgent lane has its turn.
pub(crate) const TURN_EVERY: usize = 8;
/// Old writes of a shard that wait to be looked up before it takes no more writes, alarms excepted, which it takes until there
/// are twice as many.
pub const LOOKUPS_MAX: usize = 4096;
/// Signatures that are checked at once; alarms that come meanwhile are committed before the next are.
pub const SIGNATURES_AT_ONCE: usize = 512;
/// Records of all shards that may wait for a block before writers stop taking writes: what bounds the memory.
const BACKLOG_RECORDS_ALL: usize = 1 << 20;
/// What may come over that limit: a group, and the alarms that overtook it when there was still room.
const OVERSHOOT_RECORDS_MAX: usize = 2 * GROUP_WRITES_MAX;
/// Bytes that groups are padded to on their way to the disk: what the page cache works in.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bytes of log after which a seal leaves a checkpoint, by default.
pub const CHECKPOINT_LOG_BYTES_DEFAULT: u64 = 32 << 20;
/// Devices that one enrolment call takes.
pub const ENROLMENTS_MAX: usize = 4096;
/// Files whose maps, indexes or batches are kept open for reading, each per shard.
pub const OPEN_FILES_MAX: usize = 32;

/// Records of one of so many shards that may wait for a block, alarms included; the other lanes stop before.
#[must_use]
pub const fn backlog_records_max(shards: u32) -> usize {
    let share = BACKLOG_RECORDS_ALL / shards as usize;
    let (least, most) = (2 * GROUP_WRITES_MAX, BATCH_RECORDS_MAX - OVERSHOOT_RECORDS_MAX);
    if share < least {
        least
    } else if share > most {
        most
    } else {
        share
    }
}

/// Records that may wait for a block while a lane's writes are still taken. What is left of a backlog that waveforms have
/// filled belongs to the lanes that are more urgent.
pub(crate) const fn backlog_records_of(lane: Lane, backlog_records_max: usize) -> usize {
    match lane {
        Lane::Alarm => backlog_records_max,
        Lane::Routine => backlog_records_max / 4 * 3,
        Lane::Bulk => backlog_records_max / 2,
    }
}

/// Old writes that may wait to be looked up while a lane's writes are still taken.
pub(crate) const fn lookups_of(lane: Lane) -> usize {
    match lane {
        Lane::Alarm => 2 * LOOKUPS_MAX,
        Lane::Routine | Lane::Bulk => LOOKUPS_MAX,
    }
}

const _: () = {
    assert!(SEGMENT_BYTES_DEFAULT >= SEGMENT_BYTES_MIN && SEGMENT_BYTES_DEFAULT <= SEGMENT_BYTES_MAX);
    // The largest record is one frame, and a frame fits a group many times over.
    assert!(GROUP_BYTES_MAX >= 8 * RECORD_BYTES_MAX);
    // Every write of a bundle, with the bundle's own frame, fits one group by number.
    assert!(GROUP_WRITES_MAX > BUNDLE_WRITES_MAX);
    // However small the backlog, each lane has room for a group.
    assert!(backlog_records_of(Lane::Bulk, backlog_records_max(u32::MAX)) >= GROUP_WRITES_MAX);
    // What one seal takes always fits one batch.
    assert!(backlog_records_max(1) + OVERSHOOT_RECORDS_MAX <= BATCH_RECORDS_MAX);
};

//! A shard's log: preallocated segments of frames, appended in groups, synced once a group.
//!
//! ```text
//! log/0000000000000000.seg   log/0000000004000000.seg   …        named by the position of their first byte
//!
//! segment:  header[80] │ frame │ frame │ … │ zeros
//! frame:    8-byte aligned, see `frame`
//! ```
//!
//! A [`LogPosition`] is a byte of the log as a whole; segments of one log all have the same size, so the file
//! and the offset in it follow from the position.

mod bundle;
mod frame;
mod next;
mod reader;
mod record;
mod segment;
mod writer;

pub(crate) use bundle::{BundleFrame, RefusedMember, frame_bytes as bundle_frame_bytes};
pub(crate) use frame::{
    ALIGN_BYTES as FRAME_ALIGN_BYTES, CUT_FRAME_BYTES, Frame, HEAD_BYTES as FRAME_HEAD_BYTES,
    decode as decode_frame, finish, glimpse, lacks_a_part, mend,
};
pub(crate) use reader::LogReader;
pub(crate) use record::{
    Laid, StoredRecord, StoredTag, TagKind, lay_record, layout, record_frame_bytes, set_slot,
};
pub(crate) use segment::{
    Damage, Ending, HEADER_BYTES, Place, SegmentId, base_of, list_begun, missing_before, path_of,
    previous_end, recover, to_usize, written_bytes,
};
pub(crate) use writer::LogWriter;

use std::fmt;

/// Where a record stands in its shard's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LogPosition(pub u64);

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log position {}", self.0)
    }
}

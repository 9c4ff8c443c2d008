//! Appending to a log.

use super::{
    LogPosition,
    frame::Frame,
    segment::{HEADER_BYTES, SegmentId, path_of},
};
use crate::{
    error::{IoContext, ShardError},
    limits::GROUP_BYTES_MAX,
};
use arterial_storage::{Blob, Storage};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The one writer of a log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    id: SegmentId,
    active: Box<dyn Blob>,
    base: u64,
    end: u64,
    group: Vec<u8>,
    /// Where the log ends as far as readers may look.
    durable_end: Arc<AtomicU64>,
    /// Why the next segment could not be made, and until when it isn't tried again.
    refusal: Option<(io::ErrorKind, Instant)>,
}

/// After a segment could not be made, everything is refused for so long, also what would still fit: whoever has more
/// writes under way learns of the refusal before a later one is accepted, which would shut the earlier ones out.
const REFUSE_FOR: Duration = Duration::from_secs(1);

impl LogWriter {
    /// Goes on where recovery found the end.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        id: SegmentId,
        end: LogPosition,
    ) -> Result<Self, ShardError> {
        // A log's end never coincides with a segment's: a group that fills one exactly would still need a header.
        let base = (end.0 - 1) / id.segment_bytes * id.segment_bytes;
        let path = path_of(&dir, base);
        let active = storage.open(&path).context("cannot open segment", &path)?;
        let durable_end = Arc::new(AtomicU64::new(end.0));
        let group = Vec::with_capacity(GROUP_BYTES_MAX);
        Ok(Self { storage, dir, id, active, base, end: end.0, group, durable_end, refusal: None })
    }

    /// Where readers may look up to.
    pub(crate) fn durable_end(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.durable_end)
    }

    /// Makes sure that a group of so many bytes fits, in a new segment if need be.
    ///
    /// Nothing is in doubt when this fails: a full disk is met here, before any state has moved.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), ShardError> {
        assert!(bytes <= GROUP_BYTES_MAX, "a group is at most {GROUP_BYTES_MAX} bytes");
        assert!(self.group.is_empty(), "a group is reserved before it begins");
        if self.refusal.is_none() && self.end - self.base + bytes as u64 <= self.id.segment_bytes {
            return Ok(());
        }
        let base = self.base + self.id.segment_bytes;
        if let Some((kind, until)) = self.refusal
            && Instant::now() < until
        {
            let path = path_of(&self.dir, base);
            return Err(ShardError::Io { what: "cannot allocate segment", path, source: kind.into() });
        }
        let created = self.id.create(&*self.storage, &self.dir, base, self.end).inspect_err(|error| {
            let kind =
                if let ShardError::Io { source, .. } = error { source.kind() } else { io::ErrorKind::Other };
            self.refusal = Some((kind, Instant::now() + REFUSE_FOR));
        });
        self.active = created?;
        self.refusal = None;
        (self.base, self.end) = (base, base + HEADER_BYTES);
        Ok(())
    }

    /// Adds a frame to the group. It is nowhere yet.
    pub(crate) fn push(&mut self, frame: &Frame<'_>) -> LogPosition {
        frame.append(LogPosition(self.end), &mut self.group)
    }

    /// Bytes in the group.
    pub(crate) fn group_bytes(&self) -> usize {
        self.group.len()
    }

    /// Appends the group and syncs it: from here on it survives a crash.
    ///
    /// After an error the group is in doubt and the writer must not be used again.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.group.is_empty() {
            return Ok(());
        }
        self.active.write_at(&self.group, self.end - self.base)?;
        self.active.sync()?;
        self.end += self.group.len() as u64;
        self.group.clear();
        self.durable_end.store(self.end, Ordering::Release);
        Ok(())
    }
}

//! Appending to a log.

use super::{
    LogPosition,
    frame::{self, Frame},
    next::NextSegment,
    segment::{HEADER_BYTES, SegmentId, path_of, to_usize, write_end_again},
};
use crate::{
    error::{IoContext, ShardError},
    limits::{GROUP_BYTES_MAX, PAGE_BYTES},
    measures::LogMeasures,
};
use arterial_storage::{Blob, Clock, Storage, at_once};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
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
    /// Frames of the writer's own, on their way to the log.
    own: Vec<u8>,
    /// Where the log ends as far as readers may look.
    durable_end: Arc<AtomicU64>,
    /// The next segment, if it is being made ahead.
    next: Option<NextSegment>,
    /// Whether segments are made ahead, by threads of their own.
    makes_ahead: bool,
    clock: Arc<dyn Clock>,
    /// Why the next segment could not be made, and when.
    refusal: Option<(io::ErrorKind, u64)>,
    measures: LogMeasures,
}

/// After a segment could not be made, everything is refused for so long, also what would still fit: whoever has more
/// writes under way learns of the refusal before a later one is accepted, which would shut the earlier ones out.
const REFUSE_FOR_MS: u64 = 1000;

const PAGE: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

impl LogWriter {
    /// Goes on where recovery found the end.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        dir: PathBuf,
        id: SegmentId,
        end: LogPosition,
        makes_ahead: bool,
    ) -> Result<Self, ShardError> {
        // A log's end never coincides with a segment's: a group that fills one exactly would still need a header.
        let base = (end.0 - 1) / id.segment_bytes * id.segment_bytes;
        let path = path_of(&dir, base);
        let active = storage.open(&path).context("cannot open segment", &path)?;
        // From here on it is answered for.
        write_end_again(&*active, end.0 - base, id.segment_bytes).context("cannot sync segment", &path)?;
        let durable_end = Arc::new(AtomicU64::new(end.0));
        Ok(Self {
            storage,
            dir,
            id,
            active,
            base,
            end: end.0,
            own: Vec::new(),
            durable_end,
            next: None,
            makes_ahead,
            clock,
            refusal: None,
            measures: LogMeasures::new(),
        })
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
        let used = self.end - self.base;
        if self.refusal.is_none() && used + bytes as u64 <= self.id.segment_bytes {
            if self.makes_ahead && self.next.is_none() && used > self.id.segment_bytes / 4 {
                self.make_next();
            }
            return Ok(());
        }
        let base = self.base + self.id.segment_bytes;
        // A clock that was set back ends it at once.
        let is_recent = |since| self.clock.now_ms().checked_sub(since).is_some_and(|ms| ms < REFUSE_FOR_MS);
        if let Some((kind, since)) = self.refusal
            && is_recent(since)
        {
            let path = path_of(&self.dir, base);
            return Err(ShardError::Io { what: "cannot allocate segment", path, source: kind.into() });
        }
        self.active = self.begin_next(base).inspect_err(|error| {
            let kind =
                if let ShardError::Io { source, .. } = error { source.kind() } else { io::ErrorKind::Other };
            self.refusal = Some((kind, self.clock.now_ms()));
        })?;
        self.refusal = None;
        (self.base, self.end) = (base, base + HEADER_BYTES);
        Ok(())
    }

    /// Begins to make the next segment, so that it is there when it is needed: zeros have to be written for it, because
    /// only over written blocks an append syncs nothing but its own data.
    fn make_next(&mut self) {
        let (storage, dir, id) = (Arc::clone(&self.storage), self.dir.clone(), self.id);
        let base = self.base + self.id.segment_bytes;
        let make = move |pace: &mut dyn FnMut(u64)| id.allocate(&*storage, &dir, base, pace);
        // Without a thread it is made when it is needed.
        self.next = NextSegment::begin(self.durable_end(), make);
    }

    fn begin_next(&mut self, base: u64) -> Result<Box<dyn Blob>, ShardError> {
        let blob = match self.next.take().and_then(NextSegment::wait) {
            Some(blob) => blob,
            None => self.id.allocate(&*self.storage, &self.dir, base, &mut at_once)?,
        };
        self.id.begin(&*blob, &self.dir, base, self.end)?;
        Ok(blob)
    }

    /// Where the next frame goes.
    pub(crate) const fn end(&self) -> LogPosition {
        LogPosition(self.end)
    }

    /// Appends finished frames and syncs them: from here on they survive a crash.
    ///
    /// After an error they are in doubt and the writer must not be used again.
    pub(crate) fn commit(&mut self, frames: &mut Vec<u8>) -> io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let (offset, bytes) = (self.end - self.base, frames.len());
        // Zeros stand there already. Whole pages spare the kernel the reading of the last one.
        let in_page = to_usize((offset + bytes as u64) % PAGE.len() as u64);
        if in_page > 0 {
            frames.extend_from_slice(&PAGE[in_page..]);
        }
        self.active.write_at(frames, offset)?;
        let begun = Instant::now();
        self.active.sync()?;
        self.measures.sync_seconds.record(begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "an append is at most a group's bytes")]
        self.measures.append_bytes.record(bytes as f64);
        frames.truncate(bytes);
        // But for the last page, which the next append goes on with.
        let page = PAGE.len() as u64;
        self.active.forget(offset / page * page..(offset + bytes as u64) / page * page);
        self.end += bytes as u64;
        self.durable_end.store(self.end, Ordering::Release);
        if let Some(next) = &self.next {
            next.go_on();
        }
        Ok(())
    }

    /// [`LogWriter::commit`] of frames that are no records, as a group of their own.
    pub(crate) fn append<'a>(&mut self, frames: impl IntoIterator<Item = Frame<'a>>) -> io::Result<()> {
        let mut own = std::mem::take(&mut self.own);
        own.clear();
        for frame in frames {
            let at = own.len();
            frame.append(&mut own);
            frame::finish(&mut own[at..], LogPosition(self.end + at as u64), at == 0);
        }
        let committed = self.commit(&mut own);
        self.own = own;
        committed
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // Nobody else may find the file half made.
        if let Some(next) = self.next.take() {
            next.wait();
        }
    }
}

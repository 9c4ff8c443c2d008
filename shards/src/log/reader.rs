//! Reading single records back.

use super::{
    BundleFrame, LogPosition,
    frame::{self, Decoded, Frame},
    segment::{path_of, to_usize},
};
use crate::{
    error::{IoContext, ShardError},
    limits::{GROUP_BYTES_MAX, OPEN_FILES_MAX, PAGE_BYTES},
};
use arterial_storage::{Blob, Cache, Map, Storage};
use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Reads frames of a log while its writer goes on.
///
/// Closed segments are read through memory maps, the one that is still written through `pread`.
#[derive(Debug)]
pub(crate) struct LogReader {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    segment_bytes: u64,
    durable_end: Arc<AtomicU64>,
    closed: Cache<u64, Map>,
    active: Cache<u64, Box<dyn Blob>>,
}

impl LogReader {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        segment_bytes: u64,
        durable_end: Arc<AtomicU64>,
    ) -> Self {
        let (closed, active) = (Cache::new(OPEN_FILES_MAX), Cache::new(1));
        Self { storage, dir, segment_bytes, durable_end, closed, active }
    }

    /// Shows the frame at `position` to `read`.
    pub(crate) fn read<T>(
        &self,
        position: LogPosition,
        read: impl FnOnce(&Frame<'_>) -> Result<T, ShardError>,
    ) -> Result<T, ShardError> {
        self.bytes(position, frame::bytes_at, |bytes| read(&self.decode(bytes, position)?.frame))
    }

    /// Shows each frame between two positions of one group to `read`.
    pub(crate) fn read_each(
        &self,
        positions: Range<LogPosition>,
        mut read: impl FnMut(&Frame<'_>) -> Result<(), ShardError>,
    ) -> Result<(), ShardError> {
        let Range { start: mut position, end } = positions;
        let length = to_usize(end.0 - position.0).min(GROUP_BYTES_MAX);
        self.bytes(
            position,
            |_| length,
            |bytes| {
                let mut bytes = bytes;
                while position < end {
                    let decoded = self.decode(bytes, position)?;
                    read(&decoded.frame)?;
                    bytes = &bytes[decoded.stride..];
                    position.0 += decoded.stride as u64;
                }
                Ok(())
            },
        )
    }

    fn decode<'a>(&self, bytes: &'a [u8], position: LogPosition) -> Result<Decoded<'a>, ShardError> {
        frame::decode(bytes, position)
            .map_err(|error| self.corrupt(position, format!("the frame there is not valid ({error:?})")))
    }

    /// Shows the first bundle's frame behind `position`, and where it stands, to `read`.
    pub(crate) fn read_bundle_after<T>(
        &self,
        position: LogPosition,
        read: impl FnOnce(LogPosition, &BundleFrame<'_>) -> Result<T, ShardError>,
    ) -> Result<T, ShardError> {
        // It is in the same group.
        self.bytes(
            position,
            |_| GROUP_BYTES_MAX,
            |bytes| {
                let mut at = 0;
                loop {
                    let here = LogPosition(position.0 + at as u64);
                    match bytes.get(at..).map(|bytes| frame::decode(bytes, here)) {
                        Some(Ok(decoded)) => match &decoded.frame {
                            Frame::Bundle(bundle) => return read(here, bundle),
                            _ => at += decoded.stride,
                        },
                        _ => return Err(self.corrupt(position, "no bundle stands behind its member".into())),
                    }
                }
            },
        )
    }

    /// Shows the log's bytes from `position` on to `show`: as many as are wanted after a look at the first page of them, and
    /// at most to the segment's end.
    fn bytes<T>(
        &self,
        position: LogPosition,
        wanted: impl FnOnce(&[u8]) -> usize,
        show: impl FnOnce(&[u8]) -> Result<T, ShardError>,
    ) -> Result<T, ShardError> {
        let end = self.durable_end.load(Ordering::Acquire);
        let (base, offset) =
            (position.0 / self.segment_bytes * self.segment_bytes, position.0 % self.segment_bytes);
        let path = path_of(&self.dir, base);
        if position.0 >= end {
            return Err(self.corrupt(position, "it ends before the position".into()));
        }
        if base == (end - 1) / self.segment_bytes * self.segment_bytes {
            let blob = self
                .active
                .get_or_try_insert(base, || self.storage.open(&path).context("cannot open segment", &path))?;
            let left = to_usize(end - position.0);
            let mut bytes = vec![0; left.min(PAGE_BYTES)];
            blob.read_at(&mut bytes, offset).context("cannot read segment", &path)?;
            let (read, wanted) = (bytes.len(), wanted(&bytes).min(left));
            if wanted > read {
                bytes.resize(wanted, 0);
                blob.read_at(&mut bytes[read..], offset + read as u64)
                    .context("cannot read segment", &path)?;
            }
            return show(&bytes);
        }
        let map = self
            .closed
            .get_or_try_insert(base, || self.storage.map(&path).context("cannot map segment", &path))?;
        show(usize::try_from(offset).ok().and_then(|offset| map.get(offset..)).unwrap_or_default())
    }

    pub(crate) fn corrupt(&self, position: LogPosition, what: String) -> ShardError {
        let (base, offset) =
            (position.0 / self.segment_bytes * self.segment_bytes, position.0 % self.segment_bytes);
        ShardError::Corrupt { path: path_of(&self.dir, base), offset, what }
    }
}

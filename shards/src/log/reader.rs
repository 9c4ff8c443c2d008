//! Reading single records back.

use super::{
    BundleFrame, LogPosition,
    frame::{self, FRAME_BYTES_MAX, Frame},
    segment::path_of,
};
use crate::{
    error::{IoContext, ShardError},
    limits::{GROUP_BYTES_MAX, OPEN_FILES_MAX},
};
use arterial_storage::{Blob, Cache, Map, Storage};
use std::{
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
        self.bytes(position, FRAME_BYTES_MAX, |bytes| match frame::decode(bytes, position) {
            Ok(decoded) => read(&decoded.frame),
            Err(error) => Err(self.corrupt(position, format!("the frame there is not valid ({error:?})"))),
        })
    }

    /// Shows the first bundle's frame behind `position`, and where it stands, to `read`.
    pub(crate) fn read_bundle_after<T>(
        &self,
        position: LogPosition,
        read: impl FnOnce(LogPosition, &BundleFrame<'_>) -> Result<T, ShardError>,
    ) -> Result<T, ShardError> {
        // It is in the same group.
        self.bytes(position, GROUP_BYTES_MAX, |bytes| {
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
        })
    }

    /// Shows the log's bytes from `position` on to `show`: at most so many, and at most to the segment's end.
    fn bytes<T>(
        &self,
        position: LogPosition,
        bytes_max: usize,
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
            let length = usize::try_from(end - position.0).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length.min(bytes_max)];
            blob.read_at(&mut bytes, offset).context("cannot read segment", &path)?;
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

//! Reading single records back.

use super::{
    LogPosition,
    frame::{self, Frame},
    segment::path_of,
};
use crate::{
    error::{IoContext, ShardError},
    limits::OPEN_FILES_MAX,
};
use arterial_protocol::limits::PAYLOAD_BYTES_MAX;
use arterial_storage::{Blob, Cache, Map, Storage};
use std::{
    path::{Path, PathBuf},
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
        let end = self.durable_end.load(Ordering::Acquire);
        let (base, offset) =
            (position.0 / self.segment_bytes * self.segment_bytes, position.0 % self.segment_bytes);
        let path = path_of(&self.dir, base);
        if position.0 >= end {
            return Err(corrupt(&path, offset, "it ends before the position".into()));
        }
        if base == (end - 1) / self.segment_bytes * self.segment_bytes {
            let blob = self
                .active
                .get_or_try_insert(base, || self.storage.open(&path).context("cannot open segment", &path))?;
            let length = usize::try_from(end - position.0).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length.min(frame::record_frame_bytes_max(PAYLOAD_BYTES_MAX))];
            blob.read_at(&mut bytes, offset).context("cannot read segment", &path)?;
            return show(&bytes, position, &path, offset, read);
        }
        let map = self
            .closed
            .get_or_try_insert(base, || self.storage.map(&path).context("cannot map segment", &path))?;
        let bytes = usize::try_from(offset).ok().and_then(|offset| map.get(offset..)).unwrap_or_default();
        show(bytes, position, &path, offset, read)
    }
}

fn show<T>(
    bytes: &[u8],
    position: LogPosition,
    path: &Path,
    offset: u64,
    read: impl FnOnce(&Frame<'_>) -> Result<T, ShardError>,
) -> Result<T, ShardError> {
    match frame::decode(bytes, position) {
        Ok(decoded) => read(&decoded.frame),
        Err(error) => Err(corrupt(path, offset, format!("the frame there is not valid ({error:?})"))),
    }
}

fn corrupt(path: &Path, offset: u64, what: String) -> ShardError {
    ShardError::Corrupt { path: path.to_owned(), offset, what }
}

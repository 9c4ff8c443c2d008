//! A disk whose syncs are counted.

use arterial::storage::{Blob, FileStorage, Lock, Map, Storage};
use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What went through a [`CountedStorage`] to open files.
#[derive(Debug, Default)]
pub(crate) struct DiskCounts {
    pub(crate) syncs: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Files, counting.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountedStorage {
    pub(crate) counts: Arc<DiskCounts>,
}

impl CountedStorage {
    fn count(&self, inner: io::Result<Box<dyn Blob>>) -> io::Result<Box<dyn Blob>> {
        let counts = Arc::clone(&self.counts);
        inner.map(|inner| Box::new(CountedBlob { inner, counts }) as Box<dyn Blob>)
    }
}

impl Storage for CountedStorage {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        FileStorage.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        FileStorage.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        FileStorage.exists(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        FileStorage.lock(path)
    }

    fn create(&self, path: &Path, bytes: u64, pace: &mut dyn FnMut(u64)) -> io::Result<Box<dyn Blob>> {
        self.count(FileStorage.create(path, bytes, pace))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        self.count(FileStorage.open(path))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        FileStorage.replace(path, content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileStorage.rename(from, to)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        FileStorage.read(path)
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        FileStorage.map(path)
    }
}

#[derive(Debug)]
struct CountedBlob {
    inner: Box<dyn Blob>,
    counts: Arc<DiskCounts>,
}

impl Blob for CountedBlob {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.inner.write_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync()
    }

    fn forget(&self, bytes: Range<u64>) {
        self.inner.forget(bytes);
    }

    fn bytes(&self) -> io::Result<u64> {
        self.inner.bytes()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.inner.set_len(bytes)
    }
}

//! Files in memory.

use crate::{Blob, Lock, Map, Storage};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of one file at most.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Files in memory, which clones share: for tests, and for whoever needs no disk.
///
/// What is written is there at once and for as long as a clone lives; [`Faulty`](crate::Faulty) makes a disk of it
/// that can lose power.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Tree>>);

#[derive(Debug, Default)]
struct Tree {
    dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Content>,
    locks: BTreeSet<PathBuf>,
}

/// A file's bytes; a map of them keeps them as they were when it was made.
type Content = Arc<Mutex<Arc<Vec<u8>>>>;

impl Tree {
    /// A file can only be made in a directory that is there. Those at the root always are.
    fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if !self.is_dir(parent) => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(()),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.parent().is_none() || path.as_os_str().is_empty() || self.dirs.contains(path)
    }

    fn file(&self, path: &Path) -> io::Result<Content> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn zeros(bytes: u64) -> io::Result<Vec<u8>> {
    match usize::try_from(bytes) {
        Ok(length) if bytes <= FILE_BYTES_MAX => Ok(vec![0; length]),
        _ => Err(io::ErrorKind::StorageFull.into()),
    }
}

impl Storage for MemoryStorage {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut tree = self.0.lock();
        if dir.ancestors().any(|above| tree.files.contains_key(above)) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        tree.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let tree = self.0.lock();
        if !tree.is_dir(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |path: &&PathBuf| path.parent() == Some(dir);
        let mut paths: Vec<PathBuf> = tree.files.keys().chain(&tree.dirs).filter(inside).cloned().collect();
        paths.sort_unstable();
        Ok(paths)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let tree = self.0.lock();
        Ok(tree.files.contains_key(path) || tree.is_dir(path))
    }

    fn create(&self, path: &Path, bytes: u64, _: &mut dyn FnMut(u64)) -> io::Result<Box<dyn Blob>> {
        let mut tree = self.0.lock();
        tree.check_parent(path)?;
        let zeros = Arc::new(zeros(bytes)?);
        let content = tree.files.entry(path.to_owned()).or_default();
        *content.lock() = zeros;
        Ok(Box::new(MemoryBlob(Arc::clone(content))))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let mut tree = self.0.lock();
        tree.check_parent(path)?;
        Ok(Box::new(MemoryBlob(Arc::clone(tree.files.entry(path.to_owned()).or_default()))))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut tree = self.0.lock();
        tree.check_parent(path)?;
        tree.files.insert(path.to_owned(), Arc::new(Mutex::new(Arc::new(content.to_vec()))));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = self.0.lock();
        tree.check_parent(to)?;
        let content = tree.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        tree.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = self.0.lock().file(path)?;
        let bytes = Arc::clone(&content.lock());
        Ok(bytes.to_vec())
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        let content = self.0.lock().file(path)?;
        let bytes = Arc::clone(&content.lock());
        Ok(Map::from(bytes))
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut tree = self.0.lock();
        tree.check_parent(path)?;
        if !tree.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        tree.files.entry(path.to_owned()).or_default();
        Ok(Lock::new(HeldLock { tree: Arc::clone(&self.0), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct HeldLock {
    tree: Arc<Mutex<Tree>>,
    path: PathBuf,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.tree.lock().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct MemoryBlob(Content);

impl Blob for MemoryBlob {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > FILE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.0.lock();
        let content = Arc::make_mut(&mut content);
        let (start, end) = (in_memory(offset)?, in_memory(end)?);
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.0.lock();
        let start = in_memory(offset)?;
        let found = content.get(start..).and_then(|rest| rest.get(..bytes.len()));
        // Nothing can be read anywhere, as from a file.
        if !bytes.is_empty() {
            bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        if bytes > FILE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Arc::make_mut(&mut self.0.lock()).resize(in_memory(bytes)?, 0);
        Ok(())
    }
}

fn in_memory(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull.into())
}

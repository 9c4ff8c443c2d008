//! Files of the operating system.

use crate::{Blob, Lock, Map, Storage};
use rustix::fs::{FallocateFlags, fallocate};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileStorage;

/// Readings and keys are nobody else's business.
const OWNER_ONLY: u32 = 0o600;

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Storage for FileStorage {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let above = parent(dir);
        self.create_dir(above)?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_dir(above)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        paths.sort_unstable();
        Ok(paths)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn Blob>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(OWNER_ONLY)
            .open(path)?;
        let allocated = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            // A file system without preallocation still gets a file of the right length.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
            result => result.map_err(io::Error::from),
        };
        if let Err(error) = allocated.and_then(|()| file.sync_all()) {
            // Half a file would be taken for a damaged one at the next start.
            drop(file);
            fs::remove_file(path)?;
            return Err(error);
        }
        sync_dir(parent(path))?;
        Ok(Box::new(OpenFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let existed = path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_ONLY)
            .open(path)?;
        if !existed {
            sync_dir(parent(path))?;
        }
        Ok(Box::new(OpenFile(file)))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&temporary)?;
        let written = file.write_all(content).and_then(|()| file.sync_data());
        if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
            fs::remove_file(&temporary)?;
            return Err(error);
        }
        sync_dir(parent(path))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        Map::new(&File::open(path)?)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct OpenFile(File);

impl Blob for OpenFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn bytes(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let paths = ["created", "opened", "replaced", "lock"].map(|name| dir.path().join(name));
        FileStorage.create(&paths[0], 4096).unwrap();
        FileStorage.open(&paths[1]).unwrap();
        FileStorage.replace(&paths[2], b"key").unwrap();
        drop(FileStorage.lock(&paths[3]).unwrap());
        for path in paths {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY, "{path:?}");
        }
    }
}

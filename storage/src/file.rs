//! Files of the operating system.

use crate::{BYTES_AT_ONCE, Blob, Lock, Map, Storage, temporary_for};
use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    num::NonZero,
    ops::Range,
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

/// Drops what the page cache has of a file's pages, as far as they are whole: a page that is used again at once costs the
/// next write less than one that was never touched.
fn forget(file: &File, bytes: Range<u64>) {
    // To the system a length of none means everything up to the file's end.
    if let Some(length) = NonZero::new(bytes.end.saturating_sub(bytes.start)) {
        // Best effort, as the advice itself is.
        let _ = fadvise(file, bytes.start, Some(length), Advice::DontNeed);
    }
}

/// Zeros in whole blocks of any disk.
#[repr(align(4096))]
struct Zeros([u8; BYTES_AT_ONCE]);

static ZEROS: Zeros = Zeros([0; BYTES_AT_ONCE]);

/// Writes zeros over space that is allocated. A file system keeps a note that allocated blocks were never written, and
/// changing that note is a journal commit with every sync: an append over zeros syncs its own data only.
///
/// They go past the page cache where they can: nobody reads them.
fn write_zeros(file: &File, path: &Path, bytes: u64, pace: &mut dyn FnMut(u64)) -> io::Result<()> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
    let direct = OpenOptions::new().write(true).custom_flags(flags).open(path);
    let mut offset = 0;
    while offset < bytes {
        pace(offset);
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
        let zeros = &ZEROS.0[..left.min(ZEROS.0.len())];
        let written = direct.as_ref().is_ok_and(|direct| direct.write_all_at(zeros, offset).is_ok());
        if !written {
            file.write_all_at(zeros, offset)?;
        }
        offset += zeros.len() as u64;
    }
    Ok(())
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

    fn create(&self, path: &Path, bytes: u64, pace: &mut dyn FnMut(u64)) -> io::Result<Box<dyn Blob>> {
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
        let allocated = allocated.and_then(|()| write_zeros(&file, path, bytes, pace));
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
        let temporary = temporary_for(path);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&temporary)?;
        let mut written = Ok(());
        for part in content.chunks(BYTES_AT_ONCE) {
            written = written.and_then(|()| file.write_all(part)).and_then(|()| file.sync_data());
        }
        forget(&file, 0..content.len() as u64);
        if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
            fs::remove_file(&temporary)?;
            return Err(error);
        }
        sync_dir(parent(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        // The new name first: a crash between the two may leave both, never none.
        sync_dir(parent(to))?;
        sync_dir(parent(from))
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

    fn forget(&self, bytes: Range<u64>) {
        forget(&self.0, bytes);
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
    use crate::at_once;

    #[test]
    fn zeros_are_written_in_pieces_at_their_maker_s_pace() {
        let dir = tempfile::tempdir().unwrap();
        let (piece, mut written) = (BYTES_AT_ONCE as u64, Vec::new());
        FileStorage
            .create(&dir.path().join("file"), 2 * piece + 4096, &mut |bytes| written.push(bytes))
            .unwrap();
        assert_eq!(written, [0, piece, 2 * piece]);
    }

    /// Bytes that this thread had the disk read, where the system counts them.
    fn read_from_disk() -> Option<u64> {
        let counters = fs::read_to_string("/proc/thread-self/io").ok()?;
        counters.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok())
    }

    #[test]
    fn a_page_that_is_not_to_be_forgotten_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = FileStorage.create(&dir.path().join("file"), 4 * 4096, &mut at_once).unwrap();
        file.write_at(&[7; 4096], 4096).unwrap();
        file.sync().unwrap();
        let before = read_from_disk();
        for kept in [0..0, 4096..4096, 8192..16384] {
            file.forget(kept);
        }
        let mut byte = [0];
        file.read_at(&mut byte, 4097).unwrap();
        assert_eq!((byte, read_from_disk()), ([7], before));
    }

    #[test]
    fn a_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let paths = ["created", "opened", "replaced", "lock"].map(|name| dir.path().join(name));
        FileStorage.create(&paths[0], 4096, &mut at_once).unwrap();
        FileStorage.open(&paths[1]).unwrap();
        FileStorage.replace(&paths[2], b"key").unwrap();
        drop(FileStorage.lock(&paths[3]).unwrap());
        for path in paths {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY, "{path:?}");
        }
    }
}

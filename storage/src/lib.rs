//! The disk as Arterial sees it, the clock, and turns on a processor: what both of its sides have from the machine.
//!
//! Everything that Arterial keeps reaches the disk through [`Storage`]: [`FileStorage`] is the file system,
//! [`MemoryStorage`] is memory, and [`Faulty`] is either of them with faults and losses of power, for tests. [`Clock`]
//! tells the time. [`run_promptly`] and [`yield_to_writers`] say which threads others wait for.

#![warn(missing_docs)]

mod cache;
mod checksum;
mod clock;
mod faulty;
mod file;
mod lock;
mod map;
mod memory;
mod turns;

pub use cache::Cache;
pub use checksum::{append_checksum, checked_content};
pub use clock::{Clock, ManualClock, SystemClock};
pub use faulty::{Fault, Faulty, Rates};
pub use file::FileStorage;
pub use lock::Lock;
pub use map::Map;
pub use memory::MemoryStorage;
pub use turns::{run_promptly, yield_to_writers};

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// What [`Storage::replace`] writes before it takes the place of the old content. A crash can leave it, and nobody reads it.
const TEMPORARY: &str = "tmp";

/// What is written at once to files that nobody waits for: a fifth of a millisecond of a fast disk, as a log's sync has to
/// wait for what was handed to the disk before it.
pub const BYTES_AT_ONCE: usize = 256 << 10;

fn temporary_for(path: &Path) -> PathBuf {
    path.with_extension(TEMPORARY)
}

/// Whether a file is what a crash left of a [`Storage::replace`].
#[must_use]
pub fn is_temporary(path: &Path) -> bool {
    path.extension() == Some(TEMPORARY.as_ref())
}

/// The pace of [`Storage::create`] for whoever waits for the file.
pub const fn at_once(_: u64) {}

/// A place to keep files in.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Makes a directory and those above it, durably. An existing one is fine.
    ///
    /// # Errors
    /// The operating system's.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The files in a directory, sorted by name.
    ///
    /// # Errors
    /// The operating system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether there is a file or directory.
    ///
    /// # Errors
    /// The operating system's, when it can't tell.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes a file of `bytes` zeros whose space is allocated, durably, and opens it for writing.
    ///
    /// Where the zeros have to be written, `pace` is called before each piece with the bytes that were: whoever needs the
    /// file later waits in it, so that the disk has time for others meanwhile. Nobody else may wait for what it waits for.
    ///
    /// # Errors
    /// The operating system's; a full disk is met here and not at the first write.
    fn create(&self, path: &Path, bytes: u64, pace: &mut dyn FnMut(u64)) -> io::Result<Box<dyn Blob>>;

    /// Opens an existing file, or makes an empty one.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>>;

    /// Replaces a file's content as a whole, durably: after a crash it is the old one or the new one.
    ///
    /// # Errors
    /// The operating system's; the old content then stands.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Gives a file another name, durably; one that had it is gone. After a crash the file has the old name or the new.
    ///
    /// # Errors
    /// The operating system's; the file then has its old name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Reads a whole file, also one that is written meanwhile.
    ///
    /// # Errors
    /// The operating system's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Maps a file that nobody writes any more.
    ///
    /// # Errors
    /// The operating system's.
    fn map(&self, path: &Path) -> io::Result<Map>;

    /// Takes the right to a place, of which the file at `path` is the sign.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while somebody else holds it, or the operating system's.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// An open file.
pub trait Blob: Send + Sync + fmt::Debug {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// The operating system's; any part of the bytes may then have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `bytes` from `offset`.
    ///
    /// # Errors
    /// The operating system's, or [`io::ErrorKind::UnexpectedEof`].
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Makes what was written durable (`fdatasync`).
    ///
    /// # Errors
    /// The operating system's. What was written since the last success is then in doubt, for good: the kernel
    /// may have dropped it, and a second call can succeed without it.
    fn sync(&self) -> io::Result<()>;

    /// Says that these bytes, which are synced, will not be read soon: what caches them is better used for others.
    fn forget(&self, bytes: Range<u64>) {
        let _ = bytes;
    }

    /// Bytes in the file.
    ///
    /// # Errors
    /// The operating system's.
    fn bytes(&self) -> io::Result<u64>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// The operating system's.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
}

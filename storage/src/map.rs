//! Read-only views of files that nobody writes any more.
#![expect(unsafe_code, reason = "mapping a file is unsafe: somebody else could change it meanwhile")]

use std::{fs::File, io, ops::Deref, sync::Arc};

/// A file's bytes, read-only.
#[derive(Debug)]
pub struct Map(Source);

#[derive(Debug)]
enum Source {
    File(memmap2::Mmap),
    Memory(Arc<Vec<u8>>),
}

impl Map {
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: only closed segments and sealed batches are mapped. Arterial never writes to those again, and
        // its lock on the directory keeps other instances away. A file that something else truncates meanwhile
        // ends the process with SIGBUS, as for every program that maps files; its content is checked by CRC
        // after mapping, so changed bytes are noticed, not believed.
        unsafe { memmap2::Mmap::map(file) }.map(|map| Self(Source::File(map)))
    }
}

/// A view of bytes in memory.
impl From<Arc<Vec<u8>>> for Map {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self(Source::Memory(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::File(map) => map,
            Source::Memory(bytes) => bytes,
        }
    }
}

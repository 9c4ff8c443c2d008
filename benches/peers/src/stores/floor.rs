//! `pwrite` and `fdatasync` and nothing else: what the disk does at best.

use super::Store;
use crate::{Error, load::Meter};
use arterial::storage::{Blob, FileStorage, Storage as _, at_once};
use std::path::Path;

pub(super) const STORE: Store = Store {
    name: "pwrite",
    package: None,
    setup: "one file for each commit in flight, written with zeros beforehand, from the beginning again when it is full",
    lacks: "keeps nothing: no format, checksum, order, index or recovery",
    write,
    check: None,
};

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    meter.on_threads(|writer| {
        let mut ring = Ring::create(&dir.join(format!("{}", writer.id)))?;
        while let Some(commit) = writer.next() {
            ring.append(writer.records().as_flattened())?;
            writer.durable(commit);
        }
        Ok(())
    })
}

/// A file that is written round and round, so that no sync has to wait for the file system to find it more space.
pub(super) struct Ring {
    file: Box<dyn Blob>,
    offset: u64,
}

impl Ring {
    const BYTES: u64 = 64 << 20;

    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self { file: FileStorage.create(path, Self::BYTES, &mut at_once)?, offset: 0 })
    }

    /// Writes and syncs.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.offset + bytes.len() as u64 > Self::BYTES {
            self.offset = 0;
        }
        self.file.write_at(bytes, self.offset)?;
        self.file.sync()?;
        self.offset += (bytes.len() as u64).next_multiple_of(4096);
        Ok(())
    }
}

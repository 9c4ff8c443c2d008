//! What is told of the machine, and of what a directory takes of it.

use serde::Serialize;
use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path, thread};

/// Where it was measured.
#[derive(Serialize, Debug)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let of = |file: &str, key: &str| {
            let content = fs::read_to_string(file).unwrap_or_default();
            let line = content.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
        };
        Self {
            cpu: of("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory: of("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// What the file system gave to the files of a directory.
pub(crate) fn disk_bytes(dir: &Path) -> io::Result<u64> {
    fs::read_dir(dir)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let bytes = if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * 512 };
        Ok(sum + bytes)
    })
}

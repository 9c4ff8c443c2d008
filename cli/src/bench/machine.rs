//! What this machine can do at best, and what this process takes of it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Bytes a second, by all cores together, each measured for so long.
const MEASURE_FOR: Duration = Duration::from_secs(2);
const FILE_BYTES: u64 = 64 << 20;

/// Bytes resident in memory now: files that are mapped count as well.
pub(crate) fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// [`resident_bytes`] at their highest.
pub(crate) fn peak_resident_bytes() -> u64 {
    status_bytes("VmHWM:")
}

fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Bytes a second that go to disk in commits of `commit_bytes`, by nothing but `pwrite` and `fdatasync`, on a
/// preallocated file for each of `files` threads.
pub(crate) fn bare_writes(dir: &Path, commit_bytes: usize, files: usize) -> io::Result<f64> {
    let commit: Vec<u8> = (0..=u8::MAX).cycle().take(commit_bytes.max(1)).collect();
    let write = |n: usize| -> io::Result<f64> {
        let path = dir.join(format!("bare-{n}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let written = write_for(&file, &commit);
        fs::remove_file(&path)?;
        written
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..files).map(|n| scope.spawn(move || write(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))))
            .sum()
    })
}

fn write_for(file: &File, commit: &[u8]) -> io::Result<f64> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, FILE_BYTES)?;
    file.sync_all()?;
    let (begun, mut written, mut offset) = (Instant::now(), 0u64, 0);
    while begun.elapsed() < MEASURE_FOR {
        if offset + commit.len() as u64 > FILE_BYTES {
            // As segments do, it goes on in fresh space.
            file.set_len(0)?;
            rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, FILE_BYTES)?;
            file.sync_all()?;
            offset = 0;
        }
        file.write_all_at(commit, offset)?;
        file.sync_data()?;
        offset += commit.len() as u64;
        written += commit.len() as u64;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    Ok(written as f64 / begun.elapsed().as_secs_f64())
}

/// Messages of `bytes` that all cores hash in a second with BLAKE3, one by one.
pub(crate) fn hashes_per_second(bytes: usize) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let hash = || {
        let mut message = vec![7; bytes];
        let (begun, mut hashed) = (Instant::now(), 0u32);
        while begun.elapsed() < MEASURE_FOR {
            for _ in 0..1000 {
                let hash = blake3::hash(&message);
                message[..32].copy_from_slice(hash.as_bytes());
            }
            hashed += 1000;
        }
        f64::from(hashed) / begun.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(hash)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0.0)).sum()
    })
}

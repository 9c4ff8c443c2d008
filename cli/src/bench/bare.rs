//! What the disk does with nothing of ours above it.

use super::report::latencies;
use arterial::storage::{FileStorage, Storage as _};
use hdrhistogram::Histogram;
use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const MEASURE_FOR: Duration = Duration::from_secs(3);
const FILE_BYTES: u64 = 32 << 20;

/// Commits by nothing but `pwrite` and `fdatasync`.
#[derive(Debug)]
pub(crate) struct BareCommits {
    pub(crate) bytes_per_second: f64,
    /// Microseconds that each took, from when it was due if they were.
    pub(crate) latencies: Histogram<u64>,
}

/// Commits of so many bytes by so many threads, each over written space of a file of its own, as segments are; one after
/// the other, or one every so often.
pub(crate) fn bare_commits(
    dir: &Path,
    commit_bytes: usize,
    threads: usize,
    every: Option<Duration>,
) -> io::Result<BareCommits> {
    let commit: Vec<u8> = (0..=u8::MAX).cycle().take(commit_bytes.max(1)).collect();
    thread::scope(|scope| {
        let commit = &commit;
        let threads: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || commits_of_one(&dir.join(format!("bare-{n}")), commit, every)))
            .collect();
        let mut all = BareCommits { bytes_per_second: 0.0, latencies: latencies() };
        for thread in threads {
            let one = thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
            all.bytes_per_second += one.bytes_per_second;
            all.latencies.add(one.latencies).expect("all have the same range");
        }
        Ok(all)
    })
}

fn commits_of_one(path: &Path, commit: &[u8], every: Option<Duration>) -> io::Result<BareCommits> {
    let file = FileStorage.create(path, FILE_BYTES.max(commit.len() as u64))?;
    let mut latencies = latencies();
    let (begun, mut commits, mut offset) = (Instant::now(), 0u32, 0);
    while begun.elapsed() < MEASURE_FOR {
        let due = every.map_or_else(Instant::now, |every| begun + every * commits);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        file.write_at(commit, offset)?;
        file.sync()?;
        latencies.saturating_record(due.elapsed().as_micros().try_into().unwrap_or(u64::MAX));
        commits += 1;
        offset += (commit.len() as u64).next_multiple_of(4096);
        if offset + commit.len() as u64 > FILE_BYTES {
            offset = 0;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let bytes_per_second = f64::from(commits) * commit.len() as f64 / seconds;
    Ok(BareCommits { bytes_per_second, latencies })
}

//! What the disk does with nothing of ours above it.

use super::report::latencies;
use crate::error::CliError;
use arterial::storage::{FileStorage, Storage as _, at_once};
use hdrhistogram::Histogram;
use rustix::fs::syncfs;
use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a figure takes.
pub(crate) const MEASURE_FOR: Duration = Duration::from_secs(3);
const FILE_BYTES: u64 = 32 << 20;

/// Commits by nothing but `pwrite` and `fdatasync`.
#[derive(Debug)]
pub(crate) struct BareCommits {
    pub(crate) bytes_per_second: f64,
    /// Microseconds that each took, from when it was due if they were.
    pub(crate) latencies: Histogram<u64>,
}

/// What one thread commits: so many bytes, one after the other or one every so often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commits {
    pub(crate) bytes: usize,
    pub(crate) every: Option<Duration>,
}

impl BareCommits {
    /// Those of several threads together.
    pub(crate) fn sum(all: &[Self]) -> Self {
        let mut sum = Self { bytes_per_second: 0.0, latencies: latencies() };
        for one in all {
            sum.bytes_per_second += one.bytes_per_second;
            sum.latencies.add(&one.latencies).expect("all have the same range");
        }
        sum
    }
}

/// Commits of several threads at once, each over written space of a file of its own, as segments are.
pub(crate) fn bare_commits(
    dir: &Path,
    commits: &[Commits],
    measure_for: Duration,
) -> Result<Vec<BareCommits>, CliError> {
    let failed = |source| CliError::Io { action: "measure the disk in", path: dir.to_owned(), source };
    // What was measured before may have left pages that the kernel would write meanwhile.
    File::open(dir).and_then(|dir| Ok(syncfs(dir)?)).map_err(failed)?;
    let measured = thread::scope(|scope| {
        let threads: Vec<_> = commits
            .iter()
            .zip(0..)
            .map(|(commits, n)| {
                let path = dir.join(format!("bare-{n}"));
                scope.spawn(move || commits_of_one(&path, *commits, measure_for))
            })
            .collect();
        let joined = |thread: thread::ScopedJoinHandle<'_, io::Result<BareCommits>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        };
        threads.into_iter().map(joined).collect::<io::Result<_>>()
    });
    measured.map_err(failed)
}

fn commits_of_one(
    path: &Path,
    Commits { bytes, every }: Commits,
    measure_for: Duration,
) -> io::Result<BareCommits> {
    let commit: Vec<u8> = (0..=u8::MAX).cycle().take(bytes.max(1)).collect();
    let file = FileStorage.create(path, FILE_BYTES.max(commit.len() as u64), &mut at_once)?;
    let mut latencies = latencies();
    let (begun, mut commits, mut offset) = (Instant::now(), 0u32, 0);
    while begun.elapsed() < measure_for {
        let due = every.map_or_else(Instant::now, |every| begun + every * commits);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        file.write_at(&commit, offset)?;
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

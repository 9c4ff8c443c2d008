//! What the benches share.
//!
//! A bench is named `module::operation/key=value` and measures the real thing: files are on disk, in the directory
//! that `TMPDIR` names, and synced, unless its name says otherwise.

use criterion::Criterion;
use std::{fs, thread, time::Duration};

/// Criterion as every bench here uses it, after the machine was printed: short, so that all benches take minutes.
#[must_use]
pub fn criterion() -> Criterion {
    let of = |file: &str, key: &str| {
        let content = fs::read_to_string(file).unwrap_or_default();
        let line = content.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpu = of("/proc/cpuinfo", "model name");
    println!("machine: {cores} cores of {cpu}, {} of memory", of("/proc/meminfo", "MemTotal"));
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args()
}

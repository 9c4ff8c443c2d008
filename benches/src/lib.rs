//! What the benches share.
//!
//! A bench is named `module::operation/key=value` and measures the real thing: files are on disk, in the directory
//! that `TMPDIR` names, and synced.

use criterion::Criterion;
use std::{fs, thread};

/// Criterion as every bench here uses it, after the machine was printed.
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
    Criterion::default().configure_from_args()
}

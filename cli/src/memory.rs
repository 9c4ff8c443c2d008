//! What this process takes of the machine's memory.

use std::fs;

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

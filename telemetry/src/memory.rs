//! What this process takes of the machine's memory, where the system tells: mapped files count as well.

use std::fs;

/// Bytes resident in memory now.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

/// Bytes resident in memory at their highest.
#[must_use]
pub fn peak_resident_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

fn status_bytes(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))?;
    Some(kib.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_no_less_than_what_is_resident() {
        let resident = resident_bytes().unwrap();
        assert!((1..=peak_resident_bytes().unwrap()).contains(&resident));
    }
}

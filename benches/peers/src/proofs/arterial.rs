//! Arterial's batch proof and its ceiling, as `arterial bench prove` measures both in one run.

use super::{Proven, Prover};
use crate::Error;
use serde::Deserialize;
use std::{env, process::Command};

pub(super) const PROVER: Prover = Prover {
    name: "arterial",
    package: None,
    setup: "`arterial bench prove --records 65536 --devices 4096`: from accepted records to a checked proof",
    lacks: "large; the contract does not verify it yet",
};

pub(super) const BARE: Prover = Prover {
    name: "p3-poseidon1-air",
    package: None,
    setup: "in the same run, by the same parameters: as many bare permutations as those records take",
    lacks: "the ceiling: permutations that nothing joins, of no statement",
};

/// What is taken from its report.
#[derive(Deserialize)]
struct Report {
    records_per_second: f64,
    proof_bytes: f64,
    verify_ms: f64,
    peak_rss_bytes: f64,
    ratio_to_bare: f64,
}

/// Arterial's, and the ceiling's.
pub(super) fn measure() -> Result<(Proven, Proven), Error> {
    let arterial = env::current_exe()?.with_file_name("arterial");
    let output = Command::new(&arterial)
        .args(["bench", "prove", "--json", "--records", "65536", "--devices", "4096"])
        .output()
        .map_err(|error| format!("{}: {error}; `cargo build --release` makes it", arterial.display()))?;
    if !output.status.success() {
        return Err(format!("`arterial bench prove`: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let report: Report = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{} is of another version: {error}", arterial.display()))?;
    let proven = Proven {
        records_per_second: report.records_per_second,
        proof_bytes: Some(report.proof_bytes),
        verify_ms: Some(report.verify_ms),
        rss_bytes: Some(report.peak_rss_bytes),
    };
    let records_per_second = report.records_per_second / report.ratio_to_bare;
    let bare = Proven { records_per_second, proof_bytes: None, verify_ms: None, rss_bytes: None };
    Ok((proven, bare))
}

//! Killed in the middle, and taken up again.

use crate::common::{Ending, QUICK, arterial, json, receipts, stderr, verify};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Enough to be busy for a while: some 50,000 records.
fn command(dir: &Path) -> Command {
    let mut command = arterial();
    command.arg("run").arg("--out").arg(dir).args(QUICK);
    command.args([
        "--devices",
        "16",
        "--seconds",
        "50",
        "--replicate",
        "20",
        "--block-records",
        "4096",
        "--json",
    ]);
    command
}

/// Whether the first segment of the only shard is no longer preallocated zeros at a byte.
fn log_has_grown_to(dir: &Path, at: u64) -> bool {
    let Ok(entries) = fs::read_dir(dir.join("shards/0000/log")) else { return false };
    let Some(segment) = entries.filter_map(|entry| Some(entry.ok()?.path())).min() else { return false };
    let mut page = [0; 4096];
    let read = File::open(segment).and_then(|file| file.read_exact_at(&mut page, at));
    read.is_ok() && page.iter().any(|byte| *byte != 0)
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut child = Ending::spawn(command(&dir).stdout(Stdio::null()).stderr(Stdio::null()));
    let begin = Instant::now();
    while !log_has_grown_to(&dir, 1 << 20) {
        assert!(begin.elapsed() < PATIENCE, "nothing was written");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(!dir.join("report.json").exists(), "it had finished");

    let output = command(&dir).args(["--receipts", "500"]).output().unwrap();
    let report = json(&output, 0);
    assert_eq!(report["records"], 16 * 20 * (50 * 3 + 2));
    assert_eq!(report["block_records"], report["records"], "nothing was stored twice");
    let repeated = report["repeated"].as_u64().unwrap();
    assert!(repeated > 0 && report["refused"] == 0, "{report}");
    assert_eq!(report["receipts_verified"], 500);
    let verified = verify(&receipts(&dir), &["--chain".as_ref(), dir.as_ref()]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[test]
fn two_at_once_on_one_directory_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let child = Ending::spawn(command(&dir).stdout(Stdio::null()).stderr(Stdio::null()));
    let begin = Instant::now();
    while !dir.join("genesis").exists() {
        assert!(begin.elapsed() < PATIENCE, "no deployment was begun");
        thread::sleep(Duration::from_millis(2));
    }
    let second = command(&dir).output().unwrap();
    drop(child);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("in use"), "{}", stderr(&second));
}

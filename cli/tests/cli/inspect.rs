//! `arterial inspect`, on whole directories and on damaged ones.

use crate::common::{SAMPLES, json, run, run_into, stderr, stdout};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

fn inspect(dir: &Path, args: &[&str]) -> Output {
    run([OsStr::new("inspect"), dir.as_ref()].into_iter().chain(args.iter().map(OsStr::new)))
}

/// The first file of a directory.
fn first_in(dir: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.remove(0)
}

#[test]
fn a_damaged_file_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    json(&run_into(dir, &["--input", SAMPLES, "--json"]), 0);
    let whole = inspect(dir, &[]);
    assert_eq!(whole.status.code(), Some(0), "{}{}", stdout(&whole), stderr(&whole));
    assert!(stdout(&whole).contains("every file is whole"), "{}", stdout(&whole));
    let report = json(&inspect(dir, &["--json"]), 0);
    assert_eq!(report["whole"], true);
    assert_eq!((&report["shards"][0]["devices"], &report["shards"][0]["records"]), (&9.into(), &21.into()));
    assert_eq!(report["blocks"][0]["stage"], "final");
    assert!(report["blocks"][0]["soundness"]["proven_bits"].as_f64().unwrap() >= 100.0);
    assert!(stdout(&whole).contains("bits proven by"), "{}", stdout(&whole));

    let segment = first_in(&dir.join("shards/0000/log"));
    let [block, proof] = ["block", "batches"].map(|kind| dir.join(format!("blocks/{:016x}.{kind}", 1)));
    let batch = first_in(&dir.join("shards/0000/batches"));
    let key = dir.join("block.key");
    for (file, at) in [(segment, 5000), (block, 200), (proof, 9000), (batch, 60), (key, 100)] {
        let bytes = fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&file, damaged).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let output = inspect(dir, &[]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", stdout(&output));
        assert!(stderr(&output).contains(&*name), "{name}: {}", stderr(&output));
        let report = json(&inspect(dir, &["--json"]), 1);
        assert_eq!(report["whole"], false);
        assert!(report["faults"][0]["path"].as_str().unwrap().ends_with(&*name), "{report}");
        fs::write(&file, bytes).unwrap();
    }
    assert!(inspect(dir, &[]).status.success());
}

#[test]
fn what_is_no_deployment_is_said_to_be_none() {
    let temp = tempfile::tempdir().unwrap();
    let output = inspect(temp.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("holds no deployment"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

//! `arterial repair`: it tells, it mends, it refuses.

use crate::common::{SAMPLES, json, receipts, run, run_into, stderr, stdout, verify};
use std::{ffi::OsStr, fs, path::Path, process::Output};

fn repair(dir: &Path, args: &[&str]) -> Output {
    run([OsStr::new("repair"), dir.as_ref()].into_iter().chain(args.iter().map(OsStr::new)))
}

#[test]
fn what_can_be_made_again_is_told_and_then_mended_and_what_was_acknowledged_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    json(&run_into(dir, &["--input", SAMPLES, "--json"]), 0);
    let whole = repair(dir, &[]);
    assert_eq!(whole.status.code(), Some(0), "{}{}", stdout(&whole), stderr(&whole));
    assert!(stdout(&whole).contains("every file is whole"));

    let batch = dir.join("shards/0000/batches/0000000000000001.batch");
    let segment = dir.join("shards/0000/log/0000000000000000.seg");
    let (batch_bytes, segment_bytes) = (fs::read(&batch).unwrap(), fs::read(&segment).unwrap());
    fs::write(&batch, b"damaged").unwrap();
    let mut turned = segment_bytes.clone();
    turned[5000] ^= 8;
    fs::write(&segment, &turned).unwrap();
    fs::write(dir.join("genesis.tmp"), b"half").unwrap();

    let told = repair(dir, &[]);
    assert_eq!(told.status.code(), Some(3), "{}{}", stdout(&told), stderr(&told));
    for words in ["genesis.tmp", "bytes 5,000 to 5,001", "made again from the log", "nothing was changed"] {
        assert!(stdout(&told).contains(words), "{words}: {}", stdout(&told));
    }
    assert_eq!(fs::read(&batch).unwrap(), b"damaged");
    assert!(!dir.join("quarantine").exists());

    let report = json(&repair(dir, &["--apply", "--json"]), 0);
    assert_eq!((report["mended"].as_array().unwrap().len(), &report["applied"]), (3, &true.into()));
    assert!(fs::read(&batch).unwrap() == batch_bytes && fs::read(&segment).unwrap() == segment_bytes);
    let quarantine = dir.join("quarantine");
    assert_eq!(fs::read(quarantine.join("genesis.tmp")).unwrap(), b"half");
    let kept = fs::read(quarantine.join("shards/0000/log/0000000000000000.seg.5000-5001")).unwrap();
    assert_eq!(kept, turned[5000..5001]);
    assert!(run([OsStr::new("inspect"), dir.as_ref()]).status.success());
    // The same run goes on as if nothing had been.
    let again = json(&run_into(dir, &["--input", SAMPLES, "--json"]), 0);
    assert_eq!(
        (&again["records"], &again["repeated"], &again["refused"]),
        (&21.into(), &21.into(), &0.into())
    );
    assert!(verify(&receipts(dir), &[OsStr::new("--chain"), dir.as_ref()]).status.success());

    let mut lost = fs::read(&segment).unwrap();
    lost[5000..5008].fill(0x5a);
    fs::write(&segment, &lost).unwrap();
    let refused = repair(dir, &["--apply"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stdout(&refused));
    for words in ["can't be mended", "0000000000000000.seg", "of device"] {
        assert!(stderr(&refused).contains(words), "{words}: {}", stderr(&refused));
    }
    assert!(fs::read(&segment).unwrap() == lost);
    assert_eq!(json(&repair(dir, &["--json"]), 1)["lost"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_deployment_is_not_repaired() {
    let temp = tempfile::tempdir().unwrap();
    let output = repair(temp.path(), &["--apply"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("holds no deployment"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    let help = stdout(&run(["repair", "--help"]));
    assert!(help.contains("Examples:") && help.contains("Exit codes:") && help.contains("--apply"), "{help}");
}

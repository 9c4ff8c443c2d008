//! `arterial run` on files, on nothing, on directories of all sorts.

use crate::common::{SAMPLES, json, receipts, run_into, stderr, stdout, verify};
use std::{fs, path::Path};

#[test]
fn samples_come_through_and_every_receipt_verifies() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let first = run_into(&dir, &["--input", SAMPLES, "--replicate", "2", "--receipts", "all", "--json"]);
    let report = json(&first, 0);
    assert!(stderr(&first).contains("development setup"), "{}", stderr(&first));
    assert_eq!(report["records"], 42);
    assert_eq!(report["devices"], 18);
    assert_eq!((&report["shards"], &report["proof_bytes"]), (&1.into(), &256.into()));
    assert_eq!(report["block_records"], 42);
    assert_eq!(report["receipts_verified"], 42);
    assert_eq!(
        (&report["repeated"], &report["refused"], &report["skipped_inputs"]),
        (&0.into(), &0.into(), &0.into())
    );
    for positive in [
        "blocks",
        "seconds",
        "records_per_second",
        "sign_seconds",
        "prove_seconds",
        "gas_per_block",
        "gas_per_record",
    ] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
    assert_eq!(fs::read(dir.join("report.json")).unwrap(), first.stdout);

    let files = receipts(&dir);
    assert_eq!(files.len(), 42);
    let verified = verify(&files, &["--chain".as_ref(), dir.as_ref()]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    assert!(stdout(&verified).contains("42 of 42 receipts verify"));

    // The same again: everything is there, nothing is posted twice.
    let again = run_into(&dir, &["--input", SAMPLES, "--replicate", "2", "--receipts", "all", "--json"]);
    let again = json(&again, 0);
    assert_eq!((&again["records"], &again["repeated"]), (&42.into(), &42.into()));
    assert_eq!((&again["blocks"], &again["state_root"]), (&report["blocks"], &report["state_root"]));
    assert_eq!(again["receipts_verified"], 42);
}

#[test]
fn vitals_are_made_where_no_input_is_given() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["--seed", "7", "--devices", "3", "--seconds", "20", "--json", "--receipts", "10"];
    let report = json(&run_into(temp.path(), &args), 0);
    // Three a second, and each device's glucose and blood pressure at its begin.
    assert_eq!(report["records"], 3 * (3 * 20 + 2));
    assert_eq!(report["receipts_verified"], 10);
    assert_eq!(receipts(temp.path()).len(), 10);

    let table = run_into(temp.path(), &args[..6]);
    assert!(stdout(&table).contains("state root                   0x"), "{}", stdout(&table));
}

#[test]
fn the_seed_of_the_devices_is_theirs_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let temp = tempfile::tempdir().unwrap();
    json(&run_into(temp.path(), &["--devices", "1", "--seconds", "1", "--json"]), 0);
    let seed = temp.path().join("devices.seed");
    assert_eq!(fs::metadata(&seed).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&seed, [0; 31]).unwrap();
    let damaged = run_into(temp.path(), &["--devices", "1", "--seconds", "1"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(stderr(&damaged).contains("devices.seed"), "{}", stderr(&damaged));
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("thesis.txt"), "precious").unwrap();
    let refused = run_into(temp.path(), &["--devices", "1", "--seconds", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("is not empty") && stderr(&refused).contains("--out"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}

#[test]
fn what_is_skipped_is_named_and_told_by_the_exit_code() {
    let temp = tempfile::tempdir().unwrap();
    let broken = temp.path().join("broken.json");
    fs::write(&broken, "{").unwrap();
    let dir = temp.path().join("run");
    let output = run_into(&dir, &["--json", "--input", SAMPLES, broken.to_str().unwrap()]);
    let report = json(&output, 3);
    assert_eq!((&report["records"], &report["skipped_inputs"]), (&21.into(), &1.into()));
    assert!(stderr(&output).contains("broken.json: not JSON"), "{}", stderr(&output));

    // Other content under numbers that are taken is equivocation, not data.
    let reading = r#"{"body": {"effective_time_frame": {"date_time": "2020-01-01T00:00:00Z"}, "x": 1}}"#;
    fs::write(&broken, reading).unwrap();
    let added = run_into(&dir, &["--json", "--input", broken.to_str().unwrap()]);
    assert_eq!(json(&added, 0)["records"], 1);
    fs::write(&broken, reading.replace('1', "2")).unwrap();
    let changed = run_into(&dir, &["--json", "--input", broken.to_str().unwrap()]);
    assert_eq!(json(&changed, 3)["refused"], 1);
    assert!(stderr(&changed).contains("equivocation"), "{}", stderr(&changed));
}

#[test]
fn nothing_to_do_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let output = run_into(&dir, &["--input", "/nowhere/at/all"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/at/all"), "{}", stderr(&output));
    assert!(!dir.exists());
}

#[test]
fn a_wrong_command_line_says_what_would_be_right() {
    let wrong: [(&[&str], &str); 5] = [
        (&["run", "--shards", "3"], "power of two"),
        (&["run", "--receipts", "some"], "`all`"),
        (&["run", "--input", "x", "--seed", "1"], "cannot be used with"),
        (&["verify", "a.receipt"], "--chain"),
        (&["verify", "a.receipt", "--state-root", "12"], "64 hex digits"),
    ];
    for (args, says) in wrong {
        let output = crate::common::run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
    for command in ["run", "verify", "inspect", "export-proof"] {
        let help = stdout(&crate::common::run([command, "--help"]));
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}

/// Real files, kept beside the workspace where there are any.
#[test]
fn real_recordings_come_through() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    if !data.is_dir() {
        eprintln!("skipped: no real data at {}", data.display());
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let report = json(&run_into(temp.path(), &["--json", "--input", data.to_str().unwrap()]), 0);
    assert_eq!(report["records"], 1806 + 2148 + 24 + 14 + 25 + 2875 + 129);
    assert_eq!((&report["receipts_verified"], &report["skipped_inputs"]), (&64.into(), &0.into()));
    let verified = verify(&receipts(temp.path()), &["--chain".as_ref(), temp.path().as_ref()]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

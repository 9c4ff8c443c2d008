//! `arterial bench`: what it prints adds up, whatever the figures are.

use crate::common::{arterial, json, stderr, stdout};
use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

fn ingest(dir: &Path, args: &[&str]) -> std::process::Output {
    let fixed = ["bench", "ingest", "--seconds", "1", "--shards", "2", "--devices", "64"];
    arterial().args(fixed).arg("--dir").arg(dir).args(args).output().unwrap()
}

#[test]
fn every_kind_of_authentication_is_measured_and_nothing_is_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    for auth in ["none", "mac", "ed25519", "bundle"] {
        // Ed25519 writes are signed beforehand, for a rate; the others go as fast as they can.
        let rate: &[&str] =
            if auth == "ed25519" { &["--rate", "500", "--json"] } else { &["--commit", "--json"] };
        let report = json(&ingest(temp.path(), &[&["--auth", auth], rate].concat()), 0);
        assert_eq!((&report["auth"], &report["refused"]), (&auth.into(), &0.into()));
        for positive in [
            "writes",
            "writes_per_second",
            "megabytes_per_second",
            "durable_p50_ms",
            "durable_p999_ms",
            "fsyncs",
            "rss_bytes",
            "ratio_to_bare_writes",
            "ratio_to_hashing",
        ] {
            assert!(report[positive].as_f64().unwrap() > 0.0, "{auth}, {positive}: {report}");
        }
        assert!(report["durable_p50_ms"].as_f64() <= report["durable_max_ms"].as_f64());
        let signs = auth == "ed25519";
        assert_eq!(report["verifications_per_second"].is_number(), signs, "{report}");
        assert_eq!(report["bare_commit_ms"].is_object(), signs, "only a rate is compared with: {report}");
    }
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn a_table_is_for_people_and_a_mistake_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let table = ingest(temp.path(), &["--rate", "1000"]);
    assert!(table.status.success(), "{}", stderr(&table));
    for line in ["writes per second", "due to durable, ms", "allocations per write", "bare pwrite+fdatasync"]
    {
        assert!(stdout(&table).contains(line), "{line}: {}", stdout(&table));
    }
    let odd = ingest(temp.path(), &["--record-bytes", "100"]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(stderr(&odd).contains("a multiple of 64"), "{}", stderr(&odd));
    let nowhere = ingest(&temp.path().join("missing"), &[]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(stderr(&nowhere).contains("cannot make a directory in"), "{}", stderr(&nowhere));
}

#[test]
fn proving_is_measured_beside_the_bare_permutations() {
    let prove = |args: &[&str]| arterial().args(["bench", "prove"]).args(args).output().unwrap();
    let small = ["--records", "300", "--devices", "40", "--shards", "4", "--threads", "1"];
    let report = json(&prove(&[&small[..], &["--json"]].concat()), 0);
    assert_eq!(
        (&report["records"], &report["shards"], &report["segments"]),
        (&300.into(), &4.into(), &1.into())
    );
    assert!(report["proven_bits"].as_f64().unwrap() >= 100.0, "{report}");
    for positive in [
        "records_per_second",
        "prove_seconds",
        "trace_cells",
        "proof_bytes",
        "verify_ms",
        "peak_rss_bytes",
        "bare_p24_per_second",
        "bare_p16_per_second",
        "ratio_to_bare",
    ] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
    let table = prove(&small);
    assert!(stdout(&table).contains("of the bare permutations' rate"), "{}", stdout(&table));
    let crowded = prove(&["--records", "2000", "--devices", "1"]);
    assert_eq!(crowded.status.code(), Some(1));
    assert!(stderr(&crowded).contains("at most 1,024 records"), "{}", stderr(&crowded));
}

#[test]
fn committing_alone_counts_every_record_and_permutation() {
    let temp = tempfile::tempdir().unwrap();
    // 30 devices take 1,024 records each in a block, so that two blocks are made.
    let args = ["bench", "commit", "--records", "40000", "--devices", "30", "--shards", "4", "--json"];
    let report = json(&arterial().args(args).arg("--dir").arg(temp.path()).output().unwrap(), 0);
    assert_eq!((&report["records"], &report["blocks"]), (&40_000.into(), &2.into()));
    assert_eq!(report["p24"], 40_060);
    // Eight accounts a shard in two shards, seven in two: 4 + 2 + 1 nodes and 17 above, twice.
    assert_eq!(report["p16"], 2 * 4 * (4 + 2 + 1 + 17));
    for positive in ["records_per_second", "written_bytes", "reopen_seconds", "ratio_to_bare"] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn fairness_is_measured_with_and_without_a_flood() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["bench", "fairness", "--seconds", "1", "--shards", "2", "--devices", "64", "--json"];
    let report = json(&arterial().args(args).arg("--dir").arg(temp.path()).output().unwrap(), 0);
    for who in ["neighbour", "alarms"] {
        let suffered = &report[who];
        for figure in [&suffered["ratio"], &suffered["flood_writes_per_second"], &suffered["idle_ms"]["p99"]]
        {
            assert!(figure.as_f64().unwrap() > 0.0, "{who}: {report}");
        }
    }
    let alone = ["bench", "fairness", "--shards", "1"];
    assert_eq!(arterial().args(alone).output().unwrap().status.code(), Some(2));
}

#[test]
fn what_a_killed_run_left_is_opened() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["bench", "open", "--records", "20000", "--rate", "10000", "--shards", "2", "--json"];
    let report = json(&arterial().args(args).arg("--dir").arg(temp.path()).output().unwrap(), 0);
    assert!(report["records"].as_u64().unwrap() > 0, "{report}");
    assert!(report["blocks"].as_u64().unwrap() > 0, "{report}");
    assert!(report["open_seconds"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn peers_are_another_program_beside_this_one() {
    let temp = tempfile::tempdir().unwrap();
    let command = temp.path().join("arterial");
    std::fs::hard_link(env!("CARGO_BIN_EXE_arterial"), &command)
        .or_else(|_| std::fs::copy(env!("CARGO_BIN_EXE_arterial"), &command).map(drop))
        .unwrap();
    let peers = |args: &[&str]| Command::new(&command).args(["bench", "peers"]).args(args).output().unwrap();
    let missing = peers(&["--help"]);
    assert_eq!(missing.status.code(), Some(1));
    for said in ["arterial-peers", "cargo build --release --manifest-path benches/peers/Cargo.toml"] {
        assert!(stderr(&missing).contains(said), "{}", stderr(&missing));
    }
    // Whatever stands there gets the arguments as they are, and its exit code is the command's.
    let program = temp.path().join("arterial-peers");
    std::fs::write(&program, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let handed = peers(&["--only", "redb", "--json", "--help"]);
    assert_eq!((handed.status.code(), stdout(&handed).trim()), (Some(7), "--only redb --json --help"));
}

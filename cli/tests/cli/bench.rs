//! `arterial bench`: what it prints adds up, whatever the figures are.

use crate::common::{arterial, json, stderr, stdout};
use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

fn ingest(dir: &Path, args: &[&str]) -> std::process::Output {
    let fixed = ["bench", "ingest", "--seconds", "1", "--shards", "2", "--devices", "64"];
    arterial().args(fixed).arg("--dir").arg(dir).args(args).arg("--no-report").output().unwrap()
}

#[test]
fn every_kind_of_authentication_is_measured_and_nothing_is_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    for auth in ["none", "mac", "ed25519", "bundle"] {
        // Ed25519 writes are signed beforehand, for a rate. Behind the backlog of what goes as fast as it can, a slow machine
        // could commit nothing within the second.
        let pace: &[&str] = match auth {
            "ed25519" => &["--rate", "500"],
            "mac" => &["--rate", "2000", "--commit"],
            _ => &[],
        };
        let report = json(&ingest(temp.path(), &[&["--auth", auth, "--json"], pace].concat()), 0);
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
        assert_eq!(report["zebra_verifications_per_second"].is_number(), signs, "{report}");
        assert_eq!(
            report["bare_commit_ms"].is_object(),
            !pace.is_empty(),
            "only a rate is compared with: {report}"
        );
    }
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn ingest_is_measured_by_cores_where_that_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let report = json(&ingest(temp.path(), &["--by-cores", "--json"]), 0);
    let by_cores = report["by_cores"].as_array().unwrap();
    let rate = |scaled: &serde_json::Value| scaled["per_second"].as_f64().unwrap();
    assert!(by_cores.iter().all(|scaled| rate(scaled) > 0.0), "{report}");
    let last = by_cores.last().unwrap();
    assert_eq!(
        (&last["count"], Some(rate(last))),
        (&report["environment"]["cores"], report["writes_per_second"].as_f64())
    );
    assert!(
        by_cores.is_sorted_by(|fewer, more| fewer["count"].as_u64() < more["count"].as_u64()),
        "{report}"
    );
    let paced = ingest(temp.path(), &["--by-cores", "--rate", "100"]);
    assert_eq!(paced.status.code(), Some(2), "a rate is the same on any number of cores");
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
    let temp = tempfile::tempdir().unwrap();
    let prove = |args: &[&str]| {
        arterial().args(["bench", "prove"]).args(args).current_dir(temp.path()).output().unwrap()
    };
    let small = ["--records", "300", "--devices", "40", "--shards", "4", "--threads", "1"];
    let report = json(&prove(&[&small[..], &["--json"]].concat()), 0);
    let page = temp.path().join("report.html");
    assert!(!page.exists(), "a page is not for machines");
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
    let no_page = prove(&[&small[..], &["--no-report"]].concat());
    assert!(no_page.status.success() && !page.exists(), "{}", stderr(&no_page));
    let table = prove(&small);
    assert!(std::fs::read_to_string(&page).unwrap().contains("<svg"));
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
        // Of all, as a slow machine may spend the measured second on committing what the warm-up flooded it with.
        for figure in [&suffered["ratio"], &suffered["flood_writes"], &suffered["idle"]["p99_ms"]] {
            assert!(figure.as_f64().unwrap() > 0.0, "{who}: {report}");
        }
    }
    assert!(report["bare"]["ratio"].as_f64().unwrap() > 0.0, "{report}");
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

#[test]
fn workloads_come_through_in_their_lanes_and_runs_are_compared() {
    let temp = tempfile::tempdir().unwrap();
    let icu = json(&ingest(temp.path(), &["--workload", "icu", "--rate", "600", "--runs", "2", "--json"]), 0);
    assert_eq!(
        (&icu["bench"], &icu["workload"], &icu["refused"]),
        (&"ingest".into(), &"icu".into(), &0.into())
    );
    let lanes: Vec<_> =
        icu["lanes"].as_array().unwrap().iter().map(|lane| lane["lane"].as_str().unwrap()).collect();
    assert!(lanes.ends_with(&["routine", "bulk"]), "{icu}");
    // Four frames of 1,024 bytes to one of 256.
    let bytes = icu["record_bytes"].as_f64().unwrap();
    assert!((850.0..890.0).contains(&bytes), "{bytes}");
    let spread = &icu["spread"]["writes_per_second"];
    assert_eq!(icu["runs"], 2);
    assert!(
        spread["min"].as_f64() <= spread["median"].as_f64()
            && spread["median"].as_f64() <= spread["max"].as_f64()
    );
    assert!(
        icu["over_time"].as_array().unwrap().len() > 5 && icu["percentiles"].as_array().unwrap().len() > 5
    );
    for auth in ["ed25519", "bundle"] {
        for workload in ["home", "clinic", "storm"] {
            let args = ["--auth", auth, "--workload", workload, "--rate", "300", "--json"];
            let report = json(&ingest(temp.path(), &args), 0);
            assert_eq!(
                (&report["refused"], report["writes"].as_u64() > Some(100)),
                (&0.into(), true),
                "{report}"
            );
        }
    }
    let both = ingest(temp.path(), &["--workload", "home", "--record-bytes", "256"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_result_says_what_it_was_taken_on() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["bench", "settle", "--blocks", "1", "--shards", "1"];
    let run =
        |more: &[&str]| arterial().args(args).arg("--dir").arg(temp.path()).args(more).output().unwrap();
    let report = json(&run(&["--json"]), 0);
    let environment = &report["environment"];
    for text in ["taken_at", "command", "version", "build", "cpu", "kernel", "filesystem", "durability"] {
        assert!(environment[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {environment}");
    }
    assert!(environment["cores"].as_u64() > Some(0) && environment["memory_bytes"].as_u64() > Some(1 << 20));
    assert!(environment["command"].as_str().unwrap().contains("bench settle --blocks 1"), "{environment}");
    let page = temp.path().join("page.html");
    let table = run(&["--report", page.to_str().unwrap()]);
    for line in ["program", "machine", "file system", "durable by"] {
        assert!(stdout(&table).contains(line), "{line}: {}", stdout(&table));
        assert!(std::fs::read_to_string(&page).unwrap().contains(&format!("<dt>{line}</dt>")), "{line}");
    }
}

#[test]
fn settling_costs_what_the_contract_costs() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["bench", "settle", "--blocks", "2", "--shards", "2", "--json", "--dir"];
    let report = json(&arterial().args(args).arg(temp.path()).output().unwrap(), 0);
    let gas = report["gas_per_block"].as_f64().unwrap();
    assert!((258_000.0..260_000.0).contains(&gas), "{report}");
    let first = report["gas_first"].as_f64().unwrap();
    assert!((258_000.0..260_000.0).contains(&first), "{report}");
    assert!(report["gas_floor"].as_f64().unwrap() < gas);
    let parts: u64 =
        report["parts"].as_array().unwrap().iter().map(|part| part["gas"].as_u64().unwrap()).sum();
    assert!(report["gas_min"].as_u64().unwrap() <= parts && parts <= report["gas_max"].as_u64().unwrap());
    let by_size = report["by_size"].as_array().unwrap();
    assert_eq!((by_size.len(), &by_size[4]["records"]), (5, &10_000_000.into()));
    assert!(by_size[4]["gas_per_record"].as_f64().unwrap() < 0.03);
    for positive in ["setup_seconds", "prove_seconds", "posts_per_second", "calldata_bytes"] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
}

#[test]
fn real_receipts_are_verified_step_by_step() {
    let temp = tempfile::tempdir().unwrap();
    for auth in ["mac", "ed25519", "bundle"] {
        let size = ["--records", "400", "--receipts", "30", "--devices", "40", "--shards", "2"];
        let args = [&["bench", "verify", "--auth", auth, "--json"][..], &size, &["--dir"]].concat();
        let report = json(&arterial().args(args).arg(temp.path()).output().unwrap(), 0);
        assert_eq!(report["receipts"], 30);
        let steps = report["steps"].as_array().unwrap();
        let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(names, ["encoding", "authorship", "chain", "account", "state"]);
        let micros = |n: usize| steps[n]["micros"].as_f64().unwrap();
        assert!(micros(0) > 0.0 && micros(3) > 0.0 && micros(4) > 0.0, "{report}");
        for positive in
            ["one_thread_per_second", "all_threads_per_second", "taken_per_second", "receipt_bytes"]
        {
            assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
        }
    }
}

#[test]
fn the_whole_path_is_measured_to_its_end() {
    let temp = tempfile::tempdir().unwrap();
    let size = ["--shards", "2", "--devices", "100", "--slot-ms", "50", "--rate", "1000", "--seconds", "1"];
    let args = [&["bench", "pipeline", "--workload", "storm", "--json"][..], &size, &["--dir"]].concat();
    let report = json(&arterial().args(args).arg(temp.path()).output().unwrap(), 0);
    assert_eq!((&report["refused"], &report["receipts_verified"]), (&0.into(), &64.into()));
    let writes = report["writes"].as_u64().unwrap();
    let blocks = report["block_times"].as_array().unwrap();
    let records: u64 = blocks.iter().map(|block| block["records"].as_u64().unwrap()).sum();
    assert_eq!(records, writes, "everything that became durable is in a block: {report}");
    for block in blocks {
        let stages = ["sealed", "applied", "batches_proven", "proven", "posted", "finalized"];
        let times = stages.map(|stage| block[stage].as_f64().unwrap());
        assert!(times.is_sorted() && times[0] > 0.0, "{block}");
    }
    for positive in ["final_records_per_second", "settle_seconds", "rss_bytes"] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
    // The first block's gas is not counted, and a slow machine may put everything into it.
    assert_eq!(report["gas_per_record"].as_f64().is_some_and(|gas| gas > 0.0), blocks.len() > 1, "{report}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

//! The commands on a chain that is reached over JSON-RPC.

use crate::{
    common::{Ending, arterial, json, receipts, stderr, stdout},
    devnet::{self, Devnet},
    nodes::{self, Anvil},
};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

fn command(args: &[&str], password: &str) -> Output {
    arterial().args(args).env("ARTERIAL_PASSWORD", password).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_deployment_settles_on_a_real_chain_and_its_receipts_are_checked_there() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut anvil) = Anvil::start(dir.path(), &["--block-time", "1", "--slots-in-an-epoch", "1"]) else {
        return;
    };
    let (url, keystore, out) = (anvil.url(), nodes::keystore(), dir.path().join("ward"));
    let (keystore, out_dir) = (text(&keystore), text(&out));
    let account = ["--keystore", keystore];

    let deploy =
        [&["deploy", "--chain", &url, "--out", out_dir, "--shards", "1", "--json"], &account[..]].concat();
    let wrong = command(&deploy, "not the password");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("can't be opened with this password"), "{}", stderr(&wrong));
    assert!(!stderr(&wrong).contains("not the password"));
    let deployed = json(&command(&deploy, nodes::PASSWORD), 0);
    assert_eq!(
        (&deployed["sequencer"], &deployed["chain_id"]),
        (&json!(nodes::ACCOUNT), &json!(nodes::CHAIN_ID))
    );
    let contract = deployed["contract"].as_str().unwrap().to_owned();

    let there = ["--chain", &url, "--contract", &contract];
    let run = [
        &["run", "-vvv", "--out", out_dir, "--devices", "2", "--seconds", "5", "--json"],
        &there[..],
        &account,
    ]
    .concat();
    // It begins while the node is away.
    anvil.end();
    let mut begun = arterial();
    begun.args(&run).env("ARTERIAL_PASSWORD", nodes::PASSWORD).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = begun.spawn().unwrap();
    let mut log = BufReader::new(running.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("the contract is looked at when it can") {
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
    }
    anvil.begin();
    log.read_to_string(&mut said).unwrap();
    assert!(!said.contains(nodes::PASSWORD));
    let report = json(&running.wait_with_output().unwrap(), 0);
    assert!(report["receipts_verified"].as_u64().unwrap() > 0);
    assert!(report["gas_per_block"].as_f64().unwrap() < 290_000.0);

    let status = [&["status", out_dir, "--json"], &there[..]].concat();
    let shown = json(&command(&status, ""), 0);
    assert_eq!(shown["blocks_final"], report["blocks"]);
    assert_eq!(
        (&shown["blocks"][0]["stage"], &shown["blocks"][0]["waits_for"]),
        (&json!("final"), &json!(null))
    );
    assert!(shown["blocks"][0]["gas"].as_u64().unwrap() > 250_000);

    let receipts = receipts(&out);
    let verify = |contract: &str| {
        let there = ["--rpc", &url, "--contract", contract];
        arterial().arg("verify").args(&receipts).args(there).output().unwrap()
    };
    let verified = verify(&contract);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    assert!(stdout(&verified).contains("final on the contract 0x"));
    let nowhere = verify("0x0000000000000000000000000000000000000001");
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(stderr(&nowhere).contains("there is no contract"), "{}", stderr(&nowhere));
}

#[test]
fn a_block_that_the_contract_refuses_is_shown_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--block-time", "1", "--slots-in-an-epoch", "1"]) else {
        return;
    };
    let (url, keystore, out) = (anvil.url(), nodes::keystore(), dir.path().join("ward"));
    let account = ["--keystore", text(&keystore)];
    let deploy =
        [&["deploy", "--chain", &url, "--out", text(&out), "--shards", "1", "--json"], &account[..]].concat();
    let contract = json(&command(&deploy, nodes::PASSWORD), 0)["contract"].as_str().unwrap().to_owned();
    // The role is somebody else's, who does not know it.
    let word = anvil.ask("eth_getStorageAt", json!([contract, "0x0", "latest"]));
    let taken = word.as_str().unwrap().replace(&nodes::ACCOUNT[2..], &"77".repeat(20));
    anvil.ask("anvil_setStorageAt", json!([contract, "0x0", taken]));
    let there = ["--chain", &url, "--contract", &contract];
    let run =
        [&["run", "--out", text(&out), "--devices", "1", "--seconds", "2"], &there[..], &account].concat();
    let mut command_line = arterial();
    command_line.args(&run).env("ARTERIAL_PASSWORD", nodes::PASSWORD).stderr(Stdio::piped());
    let mut running = Ending::spawn(&mut command_line);
    let mut said = String::new();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    while !said.contains("is not the registered sequencer") {
        said += &lines.next().expect("it goes on waiting").unwrap();
    }
    // The proof is right and the reason is another one, which status shows; it asks as the contract's own sequencer.
    let shown = json(&command(&[&["status", text(&out), "--json"], &there[..]].concat(), ""), 0);
    assert_eq!((&shown["blocks_posted"], &shown["blocks"][0]["stage"]), (&json!(0), &json!("proven")));
    drop(running);
    // Another genesis than the proof builds on: the slot is the hash of block 0 and of the mapping's own slot, 2.
    let genesis = "0xac33ff75c19e70fe83507db0d683fd3465c996598dc972688b7ace676c89077b";
    let root = anvil.ask("eth_getStorageAt", json!([contract, genesis, "latest"]));
    assert_ne!(root, json!(format!("0x{}", "0".repeat(64))));
    anvil.ask("anvil_setStorageAt", json!([contract, genesis, format!("0x{:064x}", 7)]));
    let stuck = command(&[&["status", text(&out)], &there[..]].concat(), "");
    assert!(stderr(&stuck).contains("the contract rejects block 1"), "{}{}", stdout(&stuck), stderr(&stuck));
    assert!(stdout(&stuck).contains("the contract to take it: the proof does not prove this block"));
    assert_eq!(stuck.status.code(), Some(1), "{}{}", stdout(&stuck), stderr(&stuck));
}

#[test]
fn a_chain_needs_a_contract_and_an_account_and_no_secret_is_taken() {
    let url = "http://127.0.0.1:9";
    let contract = "0x0000000000000000000000000000000000000001";
    for (args, why) in [
        (vec!["run", "--chain", url], "--contract"),
        (vec!["run", "--chain", url, "--contract", contract, "--slot-ms", "5"], "cannot be used with"),
        (vec!["run", "--chain", "node", "--contract", contract], "http://"),
        (vec!["status", "x", "--chain", url], "--contract"),
        (vec!["verify", "a", "--rpc", url], "--contract"),
        (vec!["deploy", "--chain", url, "--signer", url], "--account"),
        (vec!["deploy", "--chain", url, "--private-key", "0x1"], "unexpected argument"),
        (vec!["deploy", "--chain", url, "--fee-max=-3"], "gwei"),
    ] {
        let output = command(&args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
    }
    let none = command(&["deploy", "--chain", url], "");
    assert!(stderr(&none).contains("no account to post from"), "{}", stderr(&none));
}

/// `ARTERIAL_DEVNET=1` runs it: five of a devnet's eight validators are less than two thirds.
#[test]
fn status_says_why_nothing_is_final_where_too_few_validators_are_online() {
    if !devnet::is_wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let devnet = Devnet::start(&dir.path().join("devnet"), 0..=4);
    let began = Instant::now();
    let (url, keystore, out) = (devnet.url(), nodes::keystore(), dir.path().join("ward"));
    let account = ["--keystore", text(&keystore)];
    let deploy =
        [&["deploy", "--chain", &url, "--out", text(&out), "--shards", "1", "--json"], &account[..]].concat();
    let contract = json(&command(&deploy, nodes::PASSWORD), 0)["contract"].as_str().unwrap().to_owned();
    let there = ["--chain", &url, "--contract", &contract];
    let run =
        [&["run", "--out", text(&out), "--devices", "1", "--seconds", "2"], &there[..], &account].concat();
    let mut command_line = arterial();
    command_line.args(&run).env("ARTERIAL_PASSWORD", nodes::PASSWORD);
    let mut running = Ending::spawn(command_line.stdout(Stdio::null()).stderr(Stdio::null()));
    let status = [&["status", text(&out), "--json"], &there[..]].concat();
    let shown = || json(&command(&status, ""), 0);
    // With all eight, everything is final some eighty seconds after the chain began.
    while shown()["blocks_posted"] == json!(0) || began.elapsed() < Duration::from_secs(120) {
        assert!(running.try_wait().unwrap().is_none(), "it does not wait for finality");
        thread::sleep(Duration::from_secs(1));
    }
    let shown = shown();
    assert_eq!((&shown["blocks_final"], &shown["blocks"][0]["stage"]), (&json!(0), &json!("posted")));
    let why = shown["blocks"][0]["waits_for"].as_str().unwrap();
    assert!(why.contains("the chain has finalised nothing yet"), "{why}");
    assert!(why.contains("validators with a third of the stake or more are offline"), "{why}");
}

#[test]
fn accounts_are_rebuilt_from_blobs_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--block-time", "1", "--slots-in-an-epoch", "1"]) else {
        return;
    };
    let (url, keystore, out) = (anvil.url(), nodes::keystore(), dir.path().join("ward"));
    let account = ["--keystore", text(&keystore)];
    let deploy =
        [&["deploy", "--chain", &url, "--out", text(&out), "--shards", "2", "--json"], &account[..]].concat();
    let contract = json(&command(&deploy, nodes::PASSWORD), 0)["contract"].as_str().unwrap().to_owned();
    let there = ["--chain", &url, "--contract", &contract];
    let run = |more: &[&str]| {
        let run = [
            &["run", "--out", text(&out), "--devices", "6", "--seconds", "5", "--json"],
            &there[..],
            &account,
        ];
        json(&command(&[&run.concat(), more].concat(), nodes::PASSWORD), 0)
    };
    let rebuild = ["rebuild", "--rpc", &url, "--beacon", &url, "--contract", &contract];
    let rebuilt = || json(&command(&[&rebuild[..], &["--json"]].concat(), ""), 0);
    let nothing = command(&rebuild, "");
    assert!(stderr(&nothing).contains("nothing to rebuild"), "{}", stderr(&nothing));

    let first = run(&["--blobs"]);
    let shown = rebuilt();
    assert_eq!((&shown["block"], &shown["records"]), (&first["blocks"], &first["records"]));
    assert_eq!((&shown["accounts"], &shown["is_final"]), (&json!(6), &json!(true)));
    let blocks = shown["blocks"].as_array().unwrap();
    assert!(blocks.iter().all(|block| block["blobs"] == json!(1) && block["blob_gas"] == json!(131_072)));
    // A second run writes on.
    run(&["--blobs", "--replicate", "2"]);
    let more = rebuilt();
    assert!(more["block"].as_u64() > shown["block"].as_u64());
    assert!(more["accounts"].as_u64() >= Some(12), "{more}");
    let table = command(&rebuild, "");
    assert!(stdout(&table).contains("rebuilt from blobs alone"), "{}", stdout(&table));
    println!("{}", stdout(&table));
    // What was posted without is named.
    run(&["--replicate", "3"]);
    let broken = command(&rebuild, "");
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains("was posted without blobs"), "{}", stderr(&broken));
}

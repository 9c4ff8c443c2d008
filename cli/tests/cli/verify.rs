//! `arterial verify` and `export-proof`, on receipts that hold and on such that don't.

use crate::common::{SAMPLES, json, receipts, run, run_into, stderr, stdout, verify};
use serde_json::Value;
use std::{ffi::OsStr, fs};

#[test]
fn what_was_changed_is_caught_at_its_step() {
    let temp = tempfile::tempdir().unwrap();
    let report = json(&run_into(temp.path(), &["--input", SAMPLES, "--json"]), 0);
    let chain: [&OsStr; 2] = ["--chain".as_ref(), temp.path().as_ref()];
    let files = receipts(temp.path());

    let root = report["state_root"].as_str().unwrap();
    let given = verify(&files[..1], &["--state-root".as_ref(), root.as_ref(), "--print".as_ref()]);
    assert_eq!(given.status.code(), Some(0), "{}", stderr(&given));
    assert!(stdout(&given).contains("arterial/receipt/v2"));
    for step in ["encoding", "authorship", "chain", "account", "state"] {
        assert!(stdout(&given).contains(&format!("✓ {step}")), "{}", stdout(&given));
    }

    let another = format!("0x00{}", "17".repeat(31));
    let wrong = verify(&files[..1], &["--state-root".as_ref(), another.as_ref()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stdout(&wrong).contains("FAILED at step \"state\""), "{}", stdout(&wrong));

    let bytes = fs::read(&files[0]).unwrap();
    let damaged = temp.path().join("damaged.receipt");
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&damaged, changed).unwrap();
        let output = verify(std::slice::from_ref(&damaged), &chain);
        assert_eq!(output.status.code(), Some(1), "byte {at}");
        assert!(stdout(&output).contains("FAILED at step \"encoding\""), "byte {at}: {}", stdout(&output));
    }

    // One bad among good ones fails the whole, and says which.
    let mixed = verify(&[files[0].clone(), damaged], &[chain[0], chain[1], "--json".as_ref()]);
    let mixed = json(&mixed, 1);
    assert_eq!(mixed["verified"], false);
    let verdicts: Vec<&Value> =
        mixed["receipts"].as_array().unwrap().iter().map(|r| &r["verified"]).collect();
    assert_eq!(verdicts, [true, false]);
    assert_eq!(mixed["receipts"][1]["failed_step"], "encoding");

    let missing = verify(&[temp.path().join("none")], &chain);
    assert_eq!(missing.status.code(), Some(1));
    let no_chain = verify(&files[..1], &["--chain".as_ref(), "/nowhere/at/all".as_ref()]);
    assert_eq!(no_chain.status.code(), Some(1));
    assert!(stderr(&no_chain).contains("no directory `chain`"), "{}", stderr(&no_chain));
}

#[test]
fn a_receipt_of_another_deployment_fails_at_the_state() {
    let temp = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| temp.path().join(name));
    for dir in [&here, &there] {
        json(&run_into(dir, &["--devices", "1", "--seconds", "2", "--json"]), 0);
    }
    let output = verify(&receipts(&here), &["--chain".as_ref(), there.as_ref(), "--json".as_ref()]);
    let report = json(&output, 1);
    for receipt in report["receipts"].as_array().unwrap() {
        assert_eq!(receipt["failed_step"], "state");
    }
}

#[test]
fn a_mac_has_no_third_party_authorship() {
    let temp = tempfile::tempdir().unwrap();
    json(&run_into(temp.path(), &["--auth", "mac", "--devices", "2", "--seconds", "2", "--json"]), 0);
    let chain: [&OsStr; 2] = ["--chain".as_ref(), temp.path().as_ref()];
    let output = verify(&receipts(temp.path()), &chain);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("NO THIRD-PARTY AUTHORSHIP"), "{}", stdout(&output));
    let report = json(&verify(&receipts(temp.path()), &[chain[0], chain[1], "--json".as_ref()]), 0);
    assert_eq!(report["receipts"][0]["third_party_authorship"], false);
}

#[test]
fn a_proof_is_exported_as_snarkjs_reads_it() {
    let temp = tempfile::tempdir().unwrap();
    let [dir, out] = ["run", "proof"].map(|name| temp.path().join(name));
    json(&run_into(&dir, &["--devices", "1", "--seconds", "2", "--json"]), 0);
    let export = |block: &str| {
        run(["export-proof".as_ref(), dir.as_os_str(), block.as_ref(), "--out".as_ref(), out.as_os_str()])
    };
    let exported = export("1");
    assert!(exported.status.success(), "{}", stderr(&exported));
    let read = |name| serde_json::from_slice::<Value>(&fs::read(out.join(name)).unwrap()).unwrap();
    // Old root, new root, number and record count in one.
    assert_eq!(read("verification_key.json")["nPublic"], 3);
    assert_eq!(read("public.json")[2], (1u128 << 64 | 8).to_string());
    assert_eq!(read("proof.json")["protocol"], "groth16");
    for (block, says) in [("0", "genesis"), ("99", "no proof yet")] {
        let refused = export(block);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    }
}

#[test]
fn a_block_is_verified_from_what_was_published_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let report = json(&run_into(dir, &["--input", SAMPLES, "--validators", "3", "--json"]), 0);
    let deep = |block: &str, args: &[&str]| {
        let fixed = [OsStr::new("verify"), OsStr::new("--deep"), dir.as_os_str(), OsStr::new(block)];
        run(fixed.into_iter().chain(args.iter().map(OsStr::new)))
    };
    let text = deep("1", &[]);
    assert_eq!(text.status.code(), Some(0), "{}", stderr(&text));
    for line in ["✓ block proof", "✓ batch proof", "bits proven", "✓ batch data", "✓ base chain   final"]
    {
        assert!(stdout(&text).contains(line), "{line}: {}", stdout(&text));
    }
    let whole = json(&deep("1", &["--json"]), 0);
    assert_eq!((&whole["verified"], &whole["records"]), (&true.into(), &report["records"]));

    let batch = fs::read_dir(dir.join("shards/0000/batches"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension() == Some(OsStr::new("batch")))
        .unwrap();
    let good = fs::read(&batch).unwrap();
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    fs::write(&batch, damaged).unwrap();
    let faulty = json(&deep("1", &["--json"]), 1);
    assert_eq!((&faulty["verified"], &faulty["step"]), (&false.into(), &"batch data".into()));
    fs::write(&batch, good).unwrap();

    for (block, code, says) in [("one", 1, "a block's number"), ("0", 1, "genesis"), ("9", 1, "block 9")] {
        let output = deep(block, &[]);
        assert_eq!(output.status.code(), Some(code), "{block}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{block}: {}", stderr(&output));
    }
    let both = deep("1", &["a.receipt"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
    // The chain in the directory has been made with three validators.
    let other = run_into(dir, &["--input", SAMPLES, "--validators", "4"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("--validators"), "{}", stderr(&other));
}

#[test]
fn a_consortiums_chain_shows_its_validators() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    json(&run_into(dir, &["--input", SAMPLES, "--validators", "40,30,20,10", "--json"]), 0);
    for command in ["status", "inspect"] {
        let shown = |args: &[&str]| {
            let fixed = [OsStr::new(command), dir.as_os_str()];
            run(fixed.into_iter().chain(args.iter().map(OsStr::new)))
        };
        let whole = json(&shown(&["--json"]), 0);
        let consortium = &whole["consortium"];
        let stakes: Vec<_> =
            consortium["validators"].as_array().unwrap().iter().map(|one| &one["stake"]).collect();
        assert_eq!(stakes, [40, 30, 20, 10]);
        assert!(consortium["certificate"]["signatures"].as_u64().unwrap() >= 2, "{consortium}");
        assert!(consortium["refusal"].is_null() && consortium["stalled"].is_null(), "{consortium}");
        let text = stdout(&shown(&[]));
        for line in ["more than two thirds of 100 stake", "newest certificate: height ", "it holds"] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
    for odd in ["129", "1,0", "1,", "a", "-1"] {
        let output = run_into(dir, &["--validators", odd]);
        assert_eq!(output.status.code(), Some(2), "{odd}: {}", stderr(&output));
    }
}

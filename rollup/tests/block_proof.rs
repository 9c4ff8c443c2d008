//! From keys to a proven block and back, through files and bytes that somebody tampered with.

use arterial_protocol::{
    BlockNumber, BlockProof, DataDigest, Digest, Domain, FieldElement, ShardCount, ShardId, ShardLeaf,
    StateRoot,
};
use arterial_rollup::{
    ProvenBlock,
    circuit::{BlockWitness, BrokenRule},
    proof::{BlockProver as _, KeyPair, ProofError, Prover, SnarkjsFiles, VerificationKey, circuit_digest},
};
use arterial_storage::FileStorage;
use proptest::prelude::*;
use std::{fs, path::PathBuf, sync::OnceLock};
use tempfile::TempDir;

fn shards(count: u32) -> ShardCount {
    ShardCount::new(count).expect("a power of two")
}

/// Block 5: every second shard gets records, every fourth only an enrolment.
fn witness(count: u32) -> BlockWitness {
    let old: Vec<ShardLeaf> = shards(count)
        .iter()
        .map(|shard| ShardLeaf { total_records: 10 * u64::from(shard.0), ..ShardLeaf::genesis(shard) })
        .collect();
    let mut new = old.clone();
    for leaf in new.iter_mut().step_by(2) {
        let batch = *blake3::hash(&leaf.shard.0.to_le_bytes()).as_bytes();
        (leaf.accounts_root, leaf.data) = (Digest::reduce(batch), DataDigest(batch));
        leaf.total_records += u64::from(leaf.shard.0 % 4 == 0) * 1_000;
    }
    BlockWitness { domain: Domain::derive(31_337, &[1; 32]), number: BlockNumber(5), old, new }
}

/// Keys for one shard, made once: the tests below need keys and not new ones.
fn keys() -> &'static KeyPair {
    static KEYS: OnceLock<KeyPair> = OnceLock::new();
    KEYS.get_or_init(|| KeyPair::generate(shards(1)).expect("a circuit"))
}

fn proven() -> &'static ProvenBlock {
    static PROVEN: OnceLock<ProvenBlock> = OnceLock::new();
    PROVEN.get_or_init(|| Prover::new(keys().clone()).prove(&witness(1)).expect("it breaks no rule"))
}

/// The keys' file, and a directory to put others into.
fn key_file() -> (TempDir, PathBuf, Vec<u8>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("deployment.keys");
    keys().write(&FileStorage, &path).expect("a writable directory");
    let bytes = fs::read(&path).expect("the file just written");
    (directory, path, bytes)
}

/// Gives a changed file the checksum of a whole one.
fn reseal(bytes: &mut [u8]) {
    let (content, checksum) = bytes.split_last_chunk_mut::<32>().expect("a checksum");
    *checksum = *blake3::hash(content).as_bytes();
}

#[test]
fn sixteen_shards_from_keys_to_verified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deployment.keys");
    KeyPair::generate(shards(16)).unwrap().write(&FileStorage, &path).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");

    let keys = KeyPair::read(&FileStorage, &path, shards(16)).unwrap();
    assert_eq!(keys.proving.shards(), shards(16));
    let key = keys.verifying.clone();
    let witness = witness(16);
    let block = Prover::new(keys).prove(&witness).unwrap();
    assert_eq!(*block.statement(), witness.statement().unwrap());
    assert_eq!(block.statement().record_count, 4_000);
    ProvenBlock::verify(*block.statement(), *block.proof(), &key).unwrap();
}

#[test]
fn a_block_that_breaks_a_rule_is_not_proven() {
    let prover = Prover::new(keys().clone());
    let mut broken = witness(1);
    broken.new[0].data = broken.old[0].data;
    let error = prover.prove(&broken).unwrap_err();
    assert!(
        matches!(error, ProofError::Rule(BrokenRule::AccountsWithoutData { shard: ShardId(0) })),
        "{error}"
    );
    let error = prover.prove(&witness(2)).unwrap_err();
    assert!(matches!(error, ProofError::Shards { expected: 1, got: 2 }), "{error}");
}

#[test]
fn proofs_of_one_block_differ_and_say_the_same() {
    let again = Prover::new(keys().clone()).prove(&witness(1)).unwrap();
    assert_eq!(again.statement(), proven().statement());
    assert_ne!(again.proof(), proven().proof(), "a proof without randomness would not hide its witness");
}

#[test]
fn a_proof_of_another_statement_is_refused() {
    let statement = *proven().statement();
    let proof = proven().proof();
    let other = StateRoot(FieldElement::from(1u64));
    let mut statements = [statement; 6];
    statements[0].old_state_root = other;
    statements[1].new_state_root = other;
    statements[2].number = statement.number.next();
    statements[3].record_count += 1;
    std::mem::swap(&mut statements[4].old_state_root, &mut statements[4].new_state_root);
    (statements[5].number, statements[5].record_count) =
        (BlockNumber(statement.record_count), statement.number.0);
    for changed in statements {
        let error = keys().verifying.verify(&changed, proof).unwrap_err();
        assert!(matches!(error, ProofError::NotProven), "{changed:?}: {error}");
    }
}

#[test]
fn a_proof_under_other_keys_is_refused() {
    let other = KeyPair::generate(shards(1)).unwrap().verifying;
    assert_ne!(other, keys().verifying);
    let error = other.verify(proven().statement(), proven().proof()).unwrap_err();
    assert!(matches!(error, ProofError::NotProven), "{error}");
    assert!(SnarkjsFiles::export(&other, proven()).is_err());
}

/// Well-formed points in other places: nothing but the pairing can tell.
#[test]
fn a_proof_with_its_points_exchanged_is_refused() {
    let mut proof = *proven().proof();
    let (a, rest) = proof.0.split_at_mut(64);
    a.swap_with_slice(&mut rest[128..]);
    let error = keys().verifying.verify(proven().statement(), &proof).unwrap_err();
    assert!(matches!(error, ProofError::NotProven), "{error}");
}

#[test]
fn a_key_file_round_trips() {
    let (_directory, path, bytes) = key_file();
    let read = KeyPair::read(&FileStorage, &path, shards(1)).unwrap();
    assert_eq!(read.verifying, keys().verifying);
    read.write(&FileStorage, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "one encoding, and an existing file is replaced");
    let block = Prover::new(read).prove(&witness(1)).unwrap();
    keys().verifying.verify(block.statement(), block.proof()).unwrap();
}

#[test]
fn a_key_file_is_refused_by_another_deployment() {
    let (_directory, path, mut bytes) = key_file();
    let error = KeyPair::read(&FileStorage, &path, shards(2)).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileShards { expected: 2, got: 1, .. }), "{error}");

    // As a program with another circuit would have written it.
    bytes[16] ^= 1;
    reseal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
    assert!(error.to_string().contains(&circuit_digest(shards(1)).to_string()), "{error}");
    assert!(matches!(error, ProofError::KeyFileCircuit { .. }), "{error}");
}

#[test]
fn what_is_no_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent.keys");
    let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileIo { action: "read", .. }), "{error}");
    assert!(error.to_string().contains("absent.keys"));
    let error = keys().write(&FileStorage, &directory.path().join("absent/deployment.keys")).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileIo { action: "write", .. }), "{error}");
    for bytes in [&b""[..], b"ARTKEY", b"{}"] {
        fs::write(&path, bytes).unwrap();
        let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
        assert!(matches!(error, ProofError::NotAKeyFile { .. }), "{error}");
    }
}

#[test]
fn a_damaged_key_file_is_refused() {
    let (_directory, path, bytes) = key_file();
    let head = 0..60;
    let spread = (60..bytes.len()).step_by(bytes.len() / 100);
    for at in head.chain(spread).chain(bytes.len() - 32..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
        let right = match at {
            0..8 => matches!(error, ProofError::NotAKeyFile { .. }),
            8..12 => matches!(error, ProofError::KeyFileVersion { expected: 1, .. }),
            _ => matches!(error, ProofError::KeyFileDamaged { .. }),
        };
        assert!(right, "byte {at}: {error}");
    }
    let lengths = [8, 11, 12, 48, 56, 87, 88, 1_000, bytes.len() - 64, bytes.len() - 1];
    for length in lengths {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
        assert!(matches!(error, ProofError::KeyFileDamaged { .. }), "{length} bytes: {error}");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    let error = KeyPair::read(&FileStorage, &path, shards(1)).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileDamaged { .. }), "one byte more: {error}");
}

/// Files that somebody made, with a checksum to match.
#[test]
fn a_forged_key_file_is_refused() {
    let (_directory, path, bytes) = key_file();
    let read = |mut forged: Vec<u8>| {
        reseal(&mut forged);
        fs::write(&path, &forged).unwrap();
        KeyPair::read(&FileStorage, &path, shards(1))
    };
    // Alpha's x, at the head's end.
    let mut forged = bytes.clone();
    forged[87] ^= 1;
    let error = read(forged).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileDamaged { .. }), "{error}");
    assert!(error.to_string().contains("verifying key"), "{error}");

    // A coordinate over the field's order, in the first of the proving key's points.
    let body = 56;
    let mut forged = bytes.clone();
    forged[body + 704..body + 704 + 32].fill(0xff);
    let error = read(forged).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileDamaged { .. }), "{error}");

    // A point less, everywhere consistent with the head.
    let mut forged = bytes.clone();
    forged.truncate(bytes.len() - 64);
    let shorter = (forged.len() - body - 32) as u64;
    forged[48..56].copy_from_slice(&shorter.to_le_bytes());
    let error = read(forged).unwrap_err();
    assert!(matches!(error, ProofError::KeyFileDamaged { .. }), "{error}");

    // Valid points that are not the key's: the prover finds out.
    let mut forged = bytes.clone();
    let l = bytes.len() - 32 - 64 * 100;
    let (before, after) = forged.split_at_mut(l);
    before[l - 64..].swap_with_slice(&mut after[..64]);
    let error = Prover::new(read(forged).unwrap()).prove(&witness(1)).unwrap_err();
    assert!(matches!(error, ProofError::Prover(_)), "{error}");
}

#[test]
fn a_verification_key_round_trips_as_words() {
    let key = &keys().verifying;
    let read = VerificationKey::from_words(&key.words()).unwrap();
    assert_eq!(read, *key);
    read.verify(proven().statement(), proven().proof()).unwrap();
    for at in 0..VerificationKey::WORDS {
        let mut words = key.words();
        words[at][31] ^= 1;
        assert!(VerificationKey::from_words(&words).is_err(), "word {at}");
    }
}

/// What snarkjs reads. `snarkjs groth16 verify` 0.7.6 accepts these files, and none with another public input.
#[test]
fn the_export_has_what_snarkjs_reads() {
    let files = SnarkjsFiles::export(&keys().verifying, proven()).unwrap();
    assert_eq!(files.verification_key["curve"], "bn128");
    assert_eq!(files.verification_key["nPublic"], 3);
    assert_eq!(files.verification_key["IC"].as_array().unwrap().len(), 4);
    let statement = proven().statement();
    let numbers = u128::from(statement.number.0) << 64 | u128::from(statement.record_count);
    assert_eq!(files.public[2], numbers.to_string());
    assert_eq!(files.proof["pi_b"][2], serde_json::json!(["1", "0"]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_proof_is_refused(at in 0..BlockProof::BYTES, change in 1u8..) {
        let mut proof = *proven().proof();
        proof.0[at] ^= change;
        prop_assert!(keys().verifying.verify(proven().statement(), &proof).is_err());
    }

    #[test]
    fn any_file_is_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..2_000), plausible: bool) {
        if plausible && bytes.len() >= 12 {
            bytes[..12].copy_from_slice(b"ARTKEY\r\n\x01\0\0\0");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("any.keys");
        fs::write(&path, &bytes).unwrap();
        prop_assert!(KeyPair::read(&FileStorage, &path, shards(1)).is_err());
    }
}

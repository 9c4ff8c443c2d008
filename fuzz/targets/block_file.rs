//! A block's file that reads back, with a checksum that fits, is the file that is written for that block.
#![no_main]

use arterial_fuzz::{domain, key_words, proof, raw_or_patched};
use arterial_protocol::{BlockNumber, BlockStatement, DataDigest, ShardCount, ShardLeaf, StateRoot};
use arterial_rollup::{BlockStore, ProvenBlock, ShardState, StoredBlock, proof::VerificationKey};
use arterial_storage::FileStorage;
use libfuzzer_sys::fuzz_target;
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock},
};
use tempfile::TempDir;

const FIRST: BlockNumber = BlockNumber(1);

struct Sample {
    store: BlockStore,
    key: VerificationKey,
    path: PathBuf,
    /// The file without its last 8 bytes.
    covered: Vec<u8>,
    _dir: TempDir,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let two = ShardCount::new(2).expect("a power of two");
    let store = BlockStore::open(Arc::new(FileStorage), dir.path().into(), domain(), two).expect("opens");
    let key = VerificationKey::from_words(&key_words()).expect("generators are valid points");
    let mut shards = ShardState::genesis(two);
    shards[1].leaf.total_records = 7;
    shards[1].leaf.data = DataDigest([4; 32]);
    let leaves: Vec<ShardLeaf> = shards.iter().map(|shard| shard.leaf).collect();
    let statement = BlockStatement {
        old_state_root: StateRoot::genesis(domain(), two),
        new_state_root: StateRoot::compute(domain(), FIRST, &leaves),
        number: FIRST,
        record_count: 7,
    };
    let block = ProvenBlock::verify(statement, proof(&statement), &key).expect("everything can be proven");
    store.write(&StoredBlock { block, shards }).expect("written");
    let path = store.path(FIRST);
    let mut covered = fs::read(&path).expect("just written");
    covered.truncate(covered.len() - 8);
    Sample { store, key, path, covered, _dir: dir }
});

fuzz_target!(|data: &[u8]| {
    let Sample { store, key, path, covered, .. } = &*SAMPLE;
    let mut bytes = raw_or_patched(data, covered);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&u64::from(crc).to_le_bytes());
    fs::write(path, &bytes).expect("written");
    if let Ok(stored) = store.read(FIRST, key) {
        store.write(&stored).expect("written");
        assert_eq!(fs::read(path).expect("just written"), bytes);
    }
});

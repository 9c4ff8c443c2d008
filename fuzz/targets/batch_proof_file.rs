//! A batch proof's file that reads back, with a checksum that fits, is the file that is written for that proof.
#![no_main]

use arterial_fuzz::raw_or_patched;
use arterial_protocol::{BlockNumber, DataDigest, Digest, ShardId};
use arterial_rollup::{
    ProvenBatches,
    batch_proof::{
        BatchProofs, BatchProver, BatchStatement, Options, Soundness, StarkError, Statement, Witness,
    },
};
use arterial_storage::{MemoryStorage, Storage};
use libfuzzer_sys::fuzz_target;
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

/// Takes any proof of any statement, so that all that decodes is read.
struct Credulous;

impl BatchProver for Credulous {
    fn prove(&self, _: &Witness<'_>, _: &Options<'_>) -> Result<ProvenBatches, StarkError> {
        Err(StarkError::Cancelled)
    }

    fn verify(&self, _: &Statement, _: &[u8]) -> Result<Vec<Soundness>, StarkError> {
        Ok(Vec::new())
    }
}

const NUMBER: BlockNumber = BlockNumber(7);

struct Sample {
    storage: Arc<dyn Storage>,
    proofs: BatchProofs,
    /// The file without its last 8 bytes.
    covered: Vec<u8>,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let batch = |shard| BatchStatement {
        shard: ShardId(shard),
        old_root: Digest::ZERO,
        new_root: Digest::reduce([3; 32]),
        record_count: 5,
        enrolment_count: 2,
        data: DataDigest([4; 32]),
    };
    let statement = Statement { number: NUMBER, batches: vec![batch(0), batch(3)] };
    let proven = ProvenBatches::verify(&statement, vec![5; 40], &Credulous).expect("taken");
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    storage.create_dir(Path::new("blocks")).expect("made");
    let proofs = BatchProofs::new(Arc::clone(&storage), Path::new("blocks"));
    proofs.write(&proven).expect("written");
    let mut covered = storage.read(&proofs.path(NUMBER)).expect("just written");
    covered.truncate(covered.len() - 8);
    Sample { storage, proofs, covered }
});

fuzz_target!(|data: &[u8]| {
    let Sample { storage, proofs, covered } = &*SAMPLE;
    let mut bytes = raw_or_patched(data, covered);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&u64::from(crc).to_le_bytes());
    let path = proofs.path(NUMBER);
    storage.replace(&path, &bytes).expect("written");
    if let Ok(proven) = proofs.read(NUMBER, &Credulous) {
        proofs.write(&proven).expect("written");
        assert_eq!(storage.read(&path).expect("just written"), bytes);
    }
});

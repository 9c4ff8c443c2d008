//! No bytes but a batch proof's own make the verifier accept its statement, and none make it panic.
#![no_main]

use arterial_fuzz::raw_or_patched;
use arterial_protocol::{AccountRun, Batch, BlockNumber, DataDigest, Digest, ShardId, empty_subtree};
use arterial_stark::{BatchWitness, Blake3, OldTree, Options, Statement, Witness, prove, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

struct Empty;

impl OldTree for Empty {
    fn node(&self, level: usize, _: u32) -> Digest {
        empty_subtree(level)
    }
}

/// The proof that a shard's first account is opened.
static SAMPLE: LazyLock<(Statement, Vec<u8>)> = LazyLock::new(|| {
    let mut batch = Batch::new(ShardId(1), BlockNumber(3));
    batch.push(AccountRun { slot: 0, enrolment: Some(Digest::ZERO), links: &[] }).expect("the first slot");
    let data = DataDigest::of(&batch.encode());
    let batches = [BatchWitness { batch: &batch, accounts: &[None], tree: &Empty, data }];
    let witness = Witness { number: batch.number, batches: &batches };
    let proof = prove::<Blake3>(&witness, &Options::default()).expect("a valid batch");
    (proof.verified.statement, proof.bytes)
});

fuzz_target!(|data: &[u8]| {
    let (statement, proof) = &*SAMPLE;
    let bytes = raw_or_patched(data, proof);
    assert_eq!(verify::<Blake3>(statement, &bytes).is_ok(), bytes == *proof);
});

//! What decodes as a batch encodes to the same bytes.
#![no_main]

use arterial_fuzz::{raw_or_patched, record};
use arterial_protocol::{AccountRun, Batch, BlockNumber, Digest, ShardId};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let links = [0, 1, 2].map(|seq| record(seq).link());
    let mut batch = Batch::new(ShardId(1), BlockNumber(3));
    for (slot, enrolment, links) in
        [(0, Some(Digest::ZERO), &links[..0]), (4, None, &links), (7, Some(Digest::ZERO), &links[..1])]
    {
        batch.push(AccountRun { slot, enrolment, links }).expect("slots rise");
    }
    batch.encode()
});

fuzz_target!(|data: &[u8]| {
    let bytes = raw_or_patched(data, &SAMPLE);
    if let Ok(batch) = Batch::decode(&bytes) {
        assert_eq!(batch.encode(), bytes);
    }
});

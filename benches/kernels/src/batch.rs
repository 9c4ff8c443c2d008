//! A batch's bytes.

use crate::{Kernel, Work};
use arterial_protocol::{AccountRun, Batch, BlockNumber, Digest, Link, ShardId};
use std::hint::black_box;

const RECORDS: u64 = 4096;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "batch::encode/records=4096", work: Work::Elements(RECORDS), setup: encode },
    Kernel { name: "batch::decode/records=4096", work: Work::Elements(RECORDS), setup: decode },
];

/// Four records of each of 1,024 accounts.
fn batch() -> Batch {
    let link = |seq| Link { digest: Digest::reduce([3; 32]), seq, observed_at_ms: 1 << 40, kind: 1 };
    let links = [0, 1, 2, 3].map(link);
    let mut batch = Batch::new(ShardId(0), BlockNumber(1));
    for slot in 0..1024 {
        batch.push(AccountRun { slot, enrolment: None, links: &links }).unwrap();
    }
    batch
}

fn encode() -> Box<dyn FnMut()> {
    let batch = batch();
    Box::new(move || {
        black_box(black_box(&batch).encode());
    })
}

fn decode() -> Box<dyn FnMut()> {
    let bytes = batch().encode();
    Box::new(move || {
        black_box(Batch::decode(black_box(&bytes)).unwrap());
    })
}

//! The write path of one shard on one thread, with its log in memory: inbox, group, frames.

use crate::{Kernel, Work, write};
use arterial_protocol::{DeviceId, Domain, FieldElement, ShardCount, ShardId, Tag};
use arterial_shards::{Enrolment, Lane, Shards, ShardsConfig, check_segment, limits::SEGMENT_BYTES_MIN};
use arterial_storage::{MemoryStorage, Storage};
use std::{hint::black_box, path::Path, sync::Arc};

const WRITES: u64 = 1024;
const DEVICES: u64 = 256;
/// Fewer than a shard lets wait for a block, and not much memory.
const RECORDS_MAX: u64 = 1 << 18;
const DOMAIN: Domain = Domain(FieldElement::ZERO);

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel {
        name: "shards::submit_many/writes=1024,tag=host,storage=memory",
        work: Work::Elements(WRITES),
        setup: submit,
    },
    Kernel { name: "log::check_segment/records=8192", work: Work::Elements(8 * WRITES), setup: check },
];

/// A shard with nobody beside it.
struct Shard {
    storage: Arc<dyn Storage>,
    shards: Shards,
    written: u64,
}

impl Shard {
    fn open() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let mut config = ShardsConfig::new("shard".into(), DOMAIN, ShardCount::new(1).unwrap());
        config.segment_bytes = SEGMENT_BYTES_MIN;
        let shards = Shards::open_stepped(&storage, &config).unwrap();
        let enrolments: Vec<Enrolment> = (0..DEVICES).map(|n| Enrolment::host(device(n))).collect();
        assert!(shards.enrol(&enrolments).iter().all(Result::is_ok));
        Self { storage, shards, written: 0 }
    }

    /// Submits, and lets the shard's writer take its turns until all is durable.
    fn write(&mut self) {
        let numbers = self.written..self.written + WRITES;
        let writes: Vec<_> = numbers.map(|n| (write(device(n % DEVICES), n / DEVICES), Tag::Host)).collect();
        let tickets = self.shards.submit_many(Lane::Routine, black_box(&writes));
        while self.shards.step(ShardId(0)) {}
        assert!(tickets.answers().all(|answer| answer.is_ok()));
        self.written += WRITES;
    }
}

fn device(n: u64) -> DeviceId {
    DeviceId(u128::from(n).to_le_bytes())
}

fn submit() -> Box<dyn FnMut()> {
    let mut shard = Shard::open();
    Box::new(move || {
        // Now and then, so that neither memory nor what waits for a block fills.
        if shard.written == RECORDS_MAX {
            shard = Shard::open();
        }
        shard.write();
    })
}

fn check() -> Box<dyn FnMut()> {
    let mut shard = Shard::open();
    (0..8).for_each(|_| shard.write());
    let path = Path::new("shard/shards/0000/log/0000000000000000.seg");
    let segment = shard.storage.read(path).unwrap();
    Box::new(move || {
        let report = check_segment(black_box(&segment), DOMAIN, ShardId(0));
        assert_eq!((report.records, report.fault), (8 * WRITES, None));
    })
}

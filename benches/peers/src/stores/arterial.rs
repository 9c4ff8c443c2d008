//! Arterial's write side, alone and with its accounts moved behind it.

use super::{Store, lost};
use crate::{
    Error,
    load::{DEVICES_OF_WRITER, Meter, Record, Sample},
};
use arterial::{
    BlockNumber, DeviceId, Domain, Enrolment, Lane, Tag, Write,
    protocol::{FieldElement, ShardCount, ShardId},
    rollup::accounts::{AccountsFile, AccountsTree, TreeRoot},
    shards::{Located, Shards, ShardsConfig, yield_to_writers},
    storage::{FileStorage, Storage},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub(super) const LOGS: Store = Store {
    name: "arterial",
    package: None,
    setup: "4 shards, the host vouches for its devices; digests, order and repeats are checked, and batches sealed behind the logs",
    lacks: "no root yet",
    write: |dir, meter| write(dir, meter, false),
    check: Some(check),
};

pub(super) const COMMITTED: Store = Store {
    name: "arterial-committed",
    setup: "as above, and every batch moves its accounts' trees, behind the logs",
    lacks: "no proof yet: that is below",
    write: |dir, meter| write(dir, meter, true),
    ..LOGS
};

const SHARDS: u32 = 4;
const DOMAIN: Domain = Domain(FieldElement::ZERO);
/// Records that make a block, and how long anything waits for one.
const BLOCK_RECORDS: usize = 1 << 18;
const BLOCK_INTERVAL: Duration = Duration::from_millis(200);

fn write(dir: &Path, meter: &Meter, commits: bool) -> Result<(), Error> {
    let shards = open(dir)?;
    let devices =
        (0..meter.load.in_flight as u64).flat_map(|writer| (0..DEVICES_OF_WRITER).map(move |n| (writer, n)));
    let enrolments: Vec<Enrolment> = devices
        .map(|(writer, n)| {
            Enrolment::host(DeviceId((u128::from(writer) << 64 | u128::from(n)).to_le_bytes()))
        })
        .collect();
    shards.enrol(&enrolments).into_iter().try_for_each(|enrolled| enrolled.map(drop))?;
    let trees = if commits { trees(dir)? } else { Vec::new() };

    let submitting = AtomicBool::new(true);
    thread::scope(|scope| {
        let blocks = scope.spawn(|| make_blocks(&shards, trees, &submitting));
        let written = meter.on_threads(|writer| {
            while let Some(commit) = writer.next() {
                let writes: Vec<_> =
                    writer.records().iter().map(|record| (write_of(record), Tag::Host)).collect();
                for answer in shards.submit_many(Lane::Routine, &writes).answers() {
                    answer?;
                }
                drop(writes);
                writer.durable(commit);
            }
            Ok(())
        });
        submitting.store(false, Ordering::Release);
        let made = blocks.join().unwrap_or_else(|_| Err("the thread that makes blocks panicked".into()));
        written.and(made)
    })
}

/// Seals what is durable until nobody submits any more, and then all of it: what is read back is in blocks.
fn make_blocks(
    shards: &Shards,
    mut trees: Vec<(AccountsTree, AccountsFile)>,
    submitting: &AtomicBool,
) -> Result<(), Error> {
    yield_to_writers();
    let (mut made, mut number) = (Instant::now(), BlockNumber::GENESIS);
    loop {
        let goes_on = submitting.load(Ordering::Acquire);
        let due = shards.unsealed_records() >= BLOCK_RECORDS || made.elapsed() >= BLOCK_INTERVAL || !goes_on;
        if due && shards.has_unsealed() {
            (made, number) = (Instant::now(), number.next());
            let sealed = shards.seal(number)?;
            for ((tree, file), sealed) in trees.iter_mut().zip(&sealed) {
                tree.apply(&sealed.batch, file)?;
            }
        } else if goes_on {
            thread::sleep(Duration::from_millis(5));
        } else {
            return Ok(());
        }
    }
}

fn check(dir: &Path, samples: &[Sample]) -> Result<(), Error> {
    let shards = open(dir)?;
    for sample in samples {
        let write = write_of(&sample.record);
        match shards.locate(write.device, write.seq)? {
            Located::Sealed(found) if found.record.write() == write => {}
            _ => return Err(lost(sample)),
        }
    }
    Ok(())
}

fn open(dir: &Path) -> Result<Shards, Error> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    Ok(Shards::open(&storage, &ShardsConfig::new(dir.to_owned(), DOMAIN, shard_count()))?)
}

fn trees(dir: &Path) -> Result<Vec<(AccountsTree, AccountsFile)>, Error> {
    let open = |shard: ShardId| -> Result<_, Error> {
        let file =
            AccountsFile::open(&FileStorage, &dir.join(format!("{:04}.nodes", shard.0)), shard, DOMAIN)?;
        Ok((AccountsTree::open(&file, TreeRoot::genesis())?, file))
    };
    shard_count().iter().map(open).collect()
}

fn shard_count() -> ShardCount {
    ShardCount::new(SHARDS).expect("it is a power of two")
}

/// A record's write, without its salt: Arterial derives one.
fn write_of(record: &Record) -> Write<'_> {
    let u64_at = |at: usize| u64::from_le_bytes(*record[at..].first_chunk().expect("a record is longer"));
    Write {
        device: DeviceId(*record[32..].first_chunk().expect("a record is longer")),
        seq: u64_at(48),
        observed_at_ms: u64_at(56),
        kind: 1,
        payload: &record[72..],
    }
}

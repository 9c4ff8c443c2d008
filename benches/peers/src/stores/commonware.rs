//! commonware-storage's append-only authenticated store: a log with a Merkle root for each commit.

use super::{Store, lost};
use crate::{
    Error,
    load::{Commit, Meter, RECORD_BYTES, Sample},
};
use commonware_cryptography::Sha256;
use commonware_parallel::Rayon;
use commonware_runtime::{
    BLOB_PAGE_SIZE, Handle, Runner as _, Strategizer as _, Supervisor as _,
    buffer::paged::{CacheRef, page_size},
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use commonware_storage::{
    journal::contiguous::fixed::Config as LogConfig,
    merkle::{Location, full::Config as MerkleConfig, mmr::Family},
    qmdb::keyless::{self, fixed::Db},
};
use commonware_utils::{NZU64, NZUsize, sequence::FixedBytes};
use std::{collections::VecDeque, num::NonZeroUsize, path::Path};

pub(super) const STORE: Store = Store {
    name: "commonware",
    package: Some("commonware-storage"),
    setup: "tokio runtime, SHA-256, a root a commit; the next batch is hashed while `start_sync` syncs the ones before, one writer as it has one",
    lacks: "no signatures, no device's order or count, no proof of rules; the root is its own, posted nowhere",
    write,
    check: Some(check),
};

type Keyless = Db<Family, Context, FixedBytes<RECORD_BYTES>, Sha256, Rayon>;
/// As in its own benchmarks, but that files are larger, so that few commits have to begin one.
const BUFFER_BYTES: NonZeroUsize = NZUsize!(2 << 20);
const CACHE_PAGES: NonZeroUsize = NZUsize!(512);
const ITEMS_OF_FILE: std::num::NonZeroU64 = NZU64!(1 << 20);

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    Runner::new(RuntimeConfig::new().with_storage_directory(dir.join("storage"))).start(
        |context| async move {
            let mut database = open(&context).await?;
            let mut writer = meter.alone();
            let mut syncing: VecDeque<(Commit, Handle<()>)> = VecDeque::new();
            while let Some(commit) = writer.next() {
                let batch = writer
                    .records()
                    .iter()
                    .fold(database.new_batch(), |batch, record| batch.append(FixedBytes::new(*record)));
                let batch = batch.merkleize(&database, None, database.inactivity_floor_loc()).await?;
                database = database.apply_batch(batch).await?;
                let sync;
                (database, sync) = database.start_sync().await?;
                syncing.push_back((commit, sync));
                if syncing.len() == meter.load.in_flight
                    && let Some((commit, sync)) = syncing.pop_front()
                {
                    sync.await?;
                    writer.durable(commit);
                }
            }
            for (commit, sync) in syncing {
                sync.await?;
                writer.durable(commit);
            }
            writer.hand_in();
            database.sync().await?;
            std::fs::write(dir.join(COMMIT_RECORDS), meter.load.commit_records.to_string())?;
            Ok(())
        },
    )
}

/// Where the check finds how many records a commit has: each is followed by an operation of the store's own.
const COMMIT_RECORDS: &str = "commit_records";

fn check(dir: &Path, samples: &[Sample]) -> Result<(), Error> {
    let commit_records: u64 = std::fs::read_to_string(dir.join(COMMIT_RECORDS))?.parse()?;
    Runner::new(RuntimeConfig::new().with_storage_directory(dir.join("storage"))).start(
        |context| async move {
            let database = open(&context).await?;
            for sample in samples {
                let location = Location::new(1 + sample.position + sample.position / commit_records);
                let found = database.get(location).await?;
                found.filter(|found| **found == sample.record).ok_or_else(|| lost(sample))?;
            }
            Ok(())
        },
    )
}

async fn open(context: &Context) -> Result<Keyless, Error> {
    let page_cache = CacheRef::new(page_size(BLOB_PAGE_SIZE), CACHE_PAGES);
    let threads = std::thread::available_parallelism()?;
    let config = keyless::fixed::Config {
        merkle: MerkleConfig {
            journal_partition: "nodes".into(),
            metadata_partition: "metadata".into(),
            items_per_blob: ITEMS_OF_FILE,
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
            strategy: context.strategy(threads),
            page_cache: page_cache.clone(),
        },
        log: LogConfig {
            partition: "log".into(),
            items_per_blob: ITEMS_OF_FILE,
            page_cache,
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
        },
    };
    Ok(Keyless::init(context.child("records"), config, None).await?)
}

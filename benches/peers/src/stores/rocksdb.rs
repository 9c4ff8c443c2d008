//! RocksDB: a log-structured merge tree.

use super::{Store, lost};
use crate::{
    Error,
    load::{Meter, Sample},
};
use rocksdb::{BlockBasedOptions, DB, DBCompressionType, Options, WriteBatch, WriteOptions};
use std::path::Path;

pub(super) const STORE: Store = Store {
    name: "rocksdb",
    package: Some("rocksdb"),
    setup: "as its guide to basic tuning has it, logs recycled; a `WriteBatch` a commit with `sync`, all writers on one database, which groups them",
    lacks: "no authentication, no root, no proof",
    write,
    check: Some(check),
};

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    let database = DB::open(&options(), dir)?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    meter.on_threads(|writer| {
        while let Some(commit) = writer.next() {
            let mut batch = WriteBatch::default();
            for (position, record) in (commit.position..).zip(writer.records()) {
                batch.put(position.to_be_bytes(), record);
            }
            database.write_opt(batch, &synced)?;
            writer.durable(commit);
        }
        Ok(())
    })
}

fn check(dir: &Path, samples: &[Sample]) -> Result<(), Error> {
    let database = DB::open(&options(), dir)?;
    for sample in samples {
        let found = database.get(sample.position.to_be_bytes())?;
        found.filter(|found| *found == sample.record).ok_or_else(|| lost(sample))?;
    }
    Ok(())
}

/// What the wiki's "Setup Options and Basic Tuning" recommends for new databases. Recycled logs are from its page on the
/// performance of the write-ahead log: a sync over old space need not write the file's size.
fn options() -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_size(16 << 10);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_max_background_jobs(4);
    options.set_bytes_per_sync(1 << 20);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_recycle_log_file_num(4);
    options.set_block_based_table_factory(&table);
    options
}

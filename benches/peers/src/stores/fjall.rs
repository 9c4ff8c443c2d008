//! fjall: a log-structured merge tree.

use super::{Store, lost};
use crate::{
    Error,
    load::{Meter, Sample},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;

pub(super) const STORE: Store = Store {
    name: "fjall",
    package: Some("fjall"),
    setup: "its defaults; a batch a commit with `PersistMode::SyncData`, all writers on one keyspace",
    lacks: "no authentication, no root, no proof",
    write,
    check: Some(check),
};

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    let (database, keyspace) = open(dir)?;
    meter.on_threads(|writer| {
        while let Some(commit) = writer.next() {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            for (position, record) in (commit.position..).zip(writer.records()) {
                batch.insert(&keyspace, position.to_be_bytes(), record.as_slice());
            }
            batch.commit()?;
            writer.durable(commit);
        }
        Ok(())
    })
}

fn check(dir: &Path, samples: &[Sample]) -> Result<(), Error> {
    let (_database, keyspace) = open(dir)?;
    for sample in samples {
        let found = keyspace.get(sample.position.to_be_bytes())?;
        found.filter(|found| **found == sample.record).ok_or_else(|| lost(sample))?;
    }
    Ok(())
}

fn open(dir: &Path) -> Result<(Database, Keyspace), Error> {
    let database = Database::builder(dir).open()?;
    let keyspace = database.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok((database, keyspace))
}

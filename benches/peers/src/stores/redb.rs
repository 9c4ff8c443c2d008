//! redb: a copy-on-write B-tree.

use super::{Store, lost};
use crate::{
    Error,
    load::{Meter, Record, Sample},
};
use redb::{Database, ReadableDatabase as _, TableDefinition};
use std::path::Path;

pub(super) const STORE: Store = Store {
    name: "redb",
    package: Some("redb"),
    setup: "its defaults; a transaction a commit with `Durability::Immediate`, one at a time as it allows one writer",
    lacks: "no authentication, no root, no proof",
    write,
    check: Some(check),
};

const RECORDS: TableDefinition<'_, u64, &Record> = TableDefinition::new("records");

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    let database = Database::create(dir.join("redb"))?;
    let mut writer = meter.alone();
    while let Some(commit) = writer.next() {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (position, record) in (commit.position..).zip(writer.records()) {
                table.insert(position, record)?;
            }
        }
        transaction.commit()?;
        writer.durable(commit);
    }
    writer.hand_in();
    Ok(())
}

fn check(dir: &Path, samples: &[Sample]) -> Result<(), Error> {
    let database = Database::open(dir.join("redb"))?;
    let table = database.begin_read()?.open_table(RECORDS)?;
    for sample in samples {
        let found = table.get(sample.position)?;
        found.filter(|found| *found.value() == sample.record).ok_or_else(|| lost(sample))?;
    }
    Ok(())
}

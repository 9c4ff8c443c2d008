//! What keeps records, each set up as its own documentation has it.

mod arterial;
mod commonware;
mod fjall;
mod floor;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod rs_merkle;

use crate::{
    Error,
    load::{Load, Meter, Sample, Written},
    machine,
};
use ::arterial::telemetry::peak_resident_bytes;
use std::path::Path;

/// Something that makes records durable.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    /// In the lock file; without one it is of this repository.
    pub(crate) package: Option<&'static str>,
    pub(crate) setup: &'static str,
    /// What it does not do that a deployment of Arterial does.
    pub(crate) lacks: &'static str,
    write: fn(&Path, &Meter) -> Result<(), Error>,
    /// Opens what was written and expects the samples in it; without it nothing is kept.
    check: Option<Check>,
}

type Check = fn(&Path, &[Sample]) -> Result<(), Error>;

/// In the order of the table.
pub(crate) static STORES: &[Store] = &[
    floor::STORE,
    arterial::LOGS,
    arterial::COMMITTED,
    commonware::STORE,
    rs_merkle::STORE,
    #[cfg(feature = "rocksdb")]
    rocksdb::STORE,
    fjall::STORE,
    redb::STORE,
];

impl Store {
    /// One run in an empty directory, checked: a process should make one only, for the sake of its memory.
    pub(crate) fn measure(&self, dir: &Path, load: Load) -> Result<Written, Error> {
        let meter = Meter::new(load);
        (self.write)(dir, &meter)?;
        let rss_bytes = peak_resident_bytes().unwrap_or(0);
        let disk_bytes = self.check.map(|_| machine::disk_bytes(dir)).transpose()?;
        if let Some(check) = self.check {
            check(dir, &meter.samples())?;
        }
        meter.written(disk_bytes, rss_bytes)
    }
}

/// An acknowledged record that is gone, or another.
fn lost(sample: &Sample) -> Error {
    format!("the acknowledged record at {} is not there when it is opened again", sample.position).into()
}

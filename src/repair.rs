//! Mending a deployment's directory.

use crate::{error::EngineError, genesis::Deployment, inspect::beside_shards, lock};
use arterial_protocol::BlockNumber;
use arterial_shards::Repair;
use arterial_storage::{FileStorage, Storage};
use std::{io::ErrorKind, path::Path, sync::Arc};

/// Mends what is damaged in a deployment's directory, or says what it would do unless `apply`: what can be made again from
/// the logs, and what was never acknowledged. Everything else is told as lost, and left as it is.
///
/// Nothing is deleted: what is cut or replaced is kept in `quarantine/` in the directory. After it was cut short anywhere
/// it can be done again.
///
/// # Errors
/// The directory holds no deployment, or is in use, or a file can't be read, kept or written.
pub fn repair(dir: &Path, apply: bool) -> Result<Repair, EngineError> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let deployment = Deployment::read(&*storage, dir)?;
    let _lock = lock::take(&*storage, dir)?;
    let mut repair = Repair::new(Arc::clone(&storage), dir.to_owned(), apply);
    repair.temporaries(dir)?;
    for part in ["blocks", "chain"] {
        repair.temporaries(&dir.join(part))?;
    }
    repair.shards(&deployment.shards_config(dir), newest_block(&*storage, dir)?)?;
    for (path, fault) in beside_shards(dir, deployment, &storage, Vec::new())?.faults() {
        repair.lost(path, format!("{fault}; the logs can't make it again"));
    }
    Ok(repair)
}

/// The newest block that there is a file of, be it damaged.
fn newest_block(storage: &dyn Storage, dir: &Path) -> Result<BlockNumber, EngineError> {
    let path = dir.join("blocks");
    let files = match storage.list(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(|source| EngineError::Io { what: "cannot list directory", path, source })?,
    };
    let blocks = files.iter().filter(|path| path.extension() == Some("block".as_ref()));
    let numbers = blocks.filter_map(|path| u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok());
    Ok(numbers.max().map_or(BlockNumber::GENESIS, BlockNumber))
}

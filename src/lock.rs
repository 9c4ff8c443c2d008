//! One engine a directory.

use crate::error::EngineError;
use arterial_storage::{Lock, Storage};
use std::{io, path::Path};

const NAME: &str = "lock";
const KEYS: &str = crate::builder::KEY_FILE;

/// Takes the directory's lock.
pub(crate) fn take(storage: &dyn Storage, dir: &Path) -> Result<Lock, EngineError> {
    let path = dir.join(NAME);
    storage.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => EngineError::InUse { dir: dir.to_owned() },
        _ => EngineError::Io { what: "cannot lock", path, source },
    })
}

/// A deployment begins in an empty directory, or one that has nothing but the keys it is to use.
pub(crate) fn check_empty(storage: &dyn Storage, dir: &Path) -> Result<(), EngineError> {
    let files = storage.list(dir).map_err(|source| EngineError::Io {
        what: "cannot list directory",
        path: dir.to_owned(),
        source,
    })?;
    // A crash while the deployment was begun leaves its file half made.
    let ours = |path: &Path| {
        path.file_name().is_some_and(|name| name == NAME || name == "genesis.tmp" || name == KEYS)
    };
    if files.iter().all(|path| ours(path)) {
        return Ok(());
    }
    Err(EngineError::ForeignDirectory { dir: dir.to_owned() })
}

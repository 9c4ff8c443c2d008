//! One engine a directory.

use crate::error::EngineError;
use arterial_storage::Storage;
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

const NAME: &str = "lock";
const KEYS: &str = crate::builder::KEY_FILE;

/// Takes the directory's lock; the operating system lets go of it with the file, also after a kill.
pub(crate) fn take(dir: &Path) -> Result<File, EngineError> {
    let path = dir.join(NAME);
    let io = |source| EngineError::Io { what: "cannot lock", path: path.clone(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
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

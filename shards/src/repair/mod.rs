//! Mending what was damaged, as far as nothing that was acknowledged is touched by it.
//!
//! What can be mended, and why that is safe:
//!
//! ```text
//! a frame with one turned bit       its checksum fits with that bit back, and with no other one; digest and replay agree
//! a segment's header                follows from its name and from the segment before it
//! bytes behind a segment's end      the next segment's header says where the log ended, so they never were of the log
//! a torn tail                       a part of it was never written, no group that began later stands behind it, and no
//!                                   other file knows of anything there
//! a batch, an index                 made again from the log, with the digest that the log has sealed
//! a checkpoint                      a shortcut: without it the log is replayed from its beginning
//! a temporary file                  what a crash left of a replacement that did not come to its end
//! ```
//!
//! Everything else is lost, or may be, and is only told. Nothing is ever deleted: what is cut or written over is first copied
//! to `quarantine/` in the deployment's directory, durably, under its file's name and the range of its bytes.

mod log;

use crate::{
    checkpoint::Checkpoint,
    config::ShardsConfig,
    error::{IoContext, ShardError},
    inspect::inspect_keys,
    log::SegmentId,
};
use arterial_protocol::{BlockNumber, ShardId};
use arterial_storage::{Storage, is_temporary};
use log::LogRepair;
use std::{
    fmt,
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where what was cut is kept, in a deployment's directory.
const QUARANTINE: &str = "quarantine";
/// Copies of the same part of the same file that are kept at most.
const COPIES_MAX: u32 = 1000;

/// Something that is mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mended {
    /// The file.
    pub path: PathBuf,
    /// Which of its bytes; `None` for all of it.
    pub bytes: Option<Range<u64>>,
    /// What was wrong, and why it can be mended.
    pub what: String,
    /// Where the bytes that stood there are kept; `None` if there were none.
    pub kept: Option<PathBuf>,
}

/// Something that can't be mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what is lost by it.
    pub what: String,
}

/// A repair of a deployment, or the finding out what one would do.
///
/// Nobody else may have the deployment open. It can be done again after it was cut short anywhere.
pub struct Repair {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    apply: bool,
    mended: Vec<Mended>,
    losses: Vec<Loss>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repair")
            .field("mended", &self.mended)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}

impl Repair {
    /// Of the deployment in a directory; nothing is changed unless `apply`.
    #[must_use]
    pub const fn new(storage: Arc<dyn Storage>, dir: PathBuf, apply: bool) -> Self {
        Self { storage, dir, apply, mended: Vec::new(), losses: Vec::new() }
    }

    /// What was mended, or would be, in order.
    #[must_use]
    pub fn mended(&self) -> &[Mended] {
        &self.mended
    }

    /// What can't be mended.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Notes something that can't be mended.
    pub fn lost(&mut self, path: &Path, what: String) {
        self.losses.push(Loss { path: path.to_owned(), what });
    }

    /// Every shard's files. `newest` is the newest block that was stored: every log has sealed it, or has lost something.
    ///
    /// # Errors
    /// The configuration can't be, or a file can't be read, kept or written. A damaged file is none.
    pub fn shards(&mut self, config: &ShardsConfig, newest: BlockNumber) -> Result<(), ShardError> {
        config.check()?;
        for shard in config.shards.iter() {
            self.shard(config, shard, newest)?;
        }
        Ok(())
    }

    fn shard(
        &mut self,
        config: &ShardsConfig,
        shard: ShardId,
        newest: BlockNumber,
    ) -> Result<(), ShardError> {
        let paths = config.paths(shard);
        self.temporaries(&paths.batches)?;
        self.temporaries(paths.batches.parent().unwrap_or(&config.dir))?;
        let id = SegmentId { domain: config.domain, shard, segment_bytes: config.segment_bytes };
        let checkpoint = match Checkpoint::read(&*self.storage, &paths.checkpoint, &id) {
            Err(ShardError::Corrupt { what, .. }) => {
                self.set_aside(&paths.checkpoint, format!("{what}; the log is replayed without it"))?;
                None
            }
            read => read?,
        };
        let (log, is_whole) = LogRepair::run(self, &paths, &id, checkpoint.as_ref(), newest)?;
        if is_whole && checkpoint.is_some() && !log.makes_checkpoint {
            let what = "the log does not make what it says of the accounts; it is replayed without it";
            self.set_aside(&paths.checkpoint, what.into())?;
        }
        let devices = log.replay.directory.devices();
        let keys = inspect_keys(&*self.storage, paths.keys, devices);
        if let Some(fault) = keys.fault {
            let what = "secrets are kept nowhere else: without them their devices can't write, nor their records be shown";
            self.lost(&keys.path, format!("{fault}; {what}"));
        }
        Ok(())
    }

    /// Sets aside what crashes left in a directory of replacements that did not come to their end.
    ///
    /// # Errors
    /// The directory can't be listed, or a file in it not moved.
    pub fn temporaries(&mut self, dir: &Path) -> Result<(), ShardError> {
        let files = match self.storage.list(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            files => files.context("cannot list directory", dir)?,
        };
        for path in files.iter().filter(|path| is_temporary(path)) {
            self.set_aside(path, "a crash left it of a replacement that did not come to its end".into())?;
        }
        Ok(())
    }

    /// Moves a whole file into the quarantine.
    fn set_aside(&mut self, path: &Path, what: String) -> Result<(), ShardError> {
        let kept = self.place_for(path, None, None)?;
        if self.apply {
            self.make_place(&kept)?;
            self.storage.rename(path, &kept).context("cannot move", path)?;
        }
        self.mended.push(Mended { path: path.to_owned(), bytes: None, what, kept: Some(kept) });
        Ok(())
    }

    /// Replaces a file, or makes one that is missing.
    fn rewrite(&mut self, path: &Path, old: Option<&[u8]>, new: &[u8], what: &str) -> Result<(), ShardError> {
        let kept = old.map(|old| self.keep(path, None, old)).transpose()?;
        if self.apply {
            let dir = path.parent().unwrap_or(&self.dir);
            self.storage.create_dir(dir).context("cannot make directory", dir)?;
            self.storage.replace(path, new).context("cannot write", path)?;
        }
        self.mended.push(Mended { path: path.to_owned(), bytes: None, what: what.into(), kept });
        Ok(())
    }

    /// Writes over a part of a file.
    fn write_over(
        &mut self,
        path: &Path,
        at: u64,
        old: &[u8],
        new: &[u8],
        what: String,
    ) -> Result<(), ShardError> {
        let bytes = at..at + old.len() as u64;
        let kept = self.keep(path, Some(&bytes), old)?;
        if self.apply {
            let blob = self.storage.open(path).context("cannot open", path)?;
            blob.write_at(new, at).and_then(|()| blob.sync()).context("cannot write", path)?;
        }
        self.mended.push(Mended { path: path.to_owned(), bytes: Some(bytes), what, kept: Some(kept) });
        Ok(())
    }

    /// Copies what stands somewhere into the quarantine, durably.
    fn keep(&self, path: &Path, bytes: Option<&Range<u64>>, old: &[u8]) -> Result<PathBuf, ShardError> {
        let kept = self.place_for(path, bytes, Some(old))?;
        if self.apply {
            self.make_place(&kept)?;
            self.storage.replace(&kept, old).context("cannot keep what is cut as", &kept)?;
        }
        Ok(kept)
    }

    fn make_place(&self, kept: &Path) -> Result<(), ShardError> {
        let dir = kept.parent().unwrap_or(&self.dir);
        self.storage.create_dir(dir).context("cannot make directory", dir)
    }

    /// Where in the quarantine something goes: to a name that nothing has yet, but for the same bytes of a repair that was
    /// cut short.
    fn place_for(
        &self,
        path: &Path,
        bytes: Option<&Range<u64>>,
        content: Option<&[u8]>,
    ) -> Result<PathBuf, ShardError> {
        let mut place = self.dir.join(QUARANTINE).join(path.strip_prefix(&self.dir).unwrap_or(path));
        let mut name = place.file_name().unwrap_or_default().to_owned();
        if let Some(Range { start, end }) = bytes {
            name.push(format!(".{start}-{end}"));
        }
        for copy in 1..=COPIES_MAX {
            let mut name = name.clone();
            if copy > 1 {
                name.push(format!(".{copy}"));
            }
            place.set_file_name(name);
            match self.storage.read(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(place),
                Ok(there) if content == Some(&there[..]) => return Ok(place),
                there => drop(there.context("cannot read", &place)?),
            }
        }
        let source = ErrorKind::AlreadyExists.into();
        Err(ShardError::Io { what: "too many copies are kept as", path: place, source })
    }
}

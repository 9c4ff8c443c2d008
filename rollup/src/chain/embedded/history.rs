//! The history's file: reading it from start to end, and appending to it.

use super::{
    FRAME_BYTES_MAX,
    frame::{Frame, Header, length},
};
use crate::chain::ChainError;
use arterial_storage::{Blob, Lock, Storage};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

const FILE: &str = "history.log";
/// A frame's length, the checksum of that, and the checksum of the content.
const FRAME_HEAD_BYTES: usize = 12;

/// Takes the right to append to a directory's history.
pub(super) fn take_lock(storage: &dyn Storage, dir: &Path) -> Result<Lock, ChainError> {
    let path = dir.join("lock");
    storage.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => {
            ChainError::Misuse(format!("{} is in use by another chain handle or process", dir.display()))
        }
        _ => failure("locking", &path, source),
    })
}

/// A history that is being read.
pub(super) struct History {
    bytes: Vec<u8>,
    path: PathBuf,
    /// Bytes read so far, all of them whole.
    whole_bytes: usize,
    last_height: u64,
}

/// Where a chain's history is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

impl History {
    pub(super) fn open(storage: &dyn Storage, dir: &Path) -> Result<(Header, Self), ChainError> {
        let path = path(dir);
        let bytes = storage.read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => missing(&path),
            _ => failure("reading", &path, source),
        })?;
        let mut history = Self { bytes, path, whole_bytes: 0, last_height: 0 };
        let header_bytes = &history.bytes[..history.bytes.len().min(Header::BYTES)];
        let header = Header::decode(header_bytes).map_err(|what| history.corrupt(&what))?;
        history.whole_bytes = Header::BYTES;
        Ok((header, history))
    }

    /// The next frame; `None` at the end, which is where whole frames end: a crash may have torn what follows.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ChainError> {
        let Some((frame, frame_bytes)) = parse(&self.bytes[self.whole_bytes..]) else {
            self.check_torn()?;
            return Ok(None);
        };
        if let Frame::Block(block) = &frame {
            if block.height <= self.last_height {
                let what = format!("expected a height above {}, got {}", self.last_height, block.height);
                return Err(self.corrupt(&what));
            }
            self.last_height = block.height;
        }
        self.whole_bytes += frame_bytes;
        Ok(Some(frame))
    }

    /// What does not parse was torn by a crash if it can be the last append, which means that no frame follows it.
    fn check_torn(&self) -> Result<(), ChainError> {
        let rest = &self.bytes[self.whole_bytes..];
        let is_one_append = rest.len() <= FRAME_HEAD_BYTES + FRAME_BYTES_MAX;
        if !is_one_append || (1..rest.len()).any(|at| parse(&rest[at..]).is_some()) {
            return Err(self.corrupt("a frame's checksum does not match"));
        }
        Ok(())
    }

    /// The height of the newest block that was read, be it taken away since.
    pub(super) const fn last_height(&self) -> u64 {
        self.last_height
    }

    pub(super) fn corrupt(&self, what: &str) -> ChainError {
        ChainError::Corrupt {
            path: self.path.clone(),
            what: format!("{what}, at offset {}", self.whole_bytes),
        }
    }
}

/// The only one that appends to a history.
pub(super) struct Writer {
    storage: Arc<dyn Storage>,
    blob: Box<dyn Blob>,
    dir: PathBuf,
    path: PathBuf,
    /// Where the next frame goes.
    end: u64,
    failed: Option<(io::ErrorKind, String)>,
    _lock: Lock,
}

impl Writer {
    /// Starts a history in a directory that has none.
    pub(super) fn create(storage: Arc<dyn Storage>, dir: &Path, header: &Header) -> Result<Self, ChainError> {
        let lock = take_lock(&*storage, dir)?;
        let path = path(dir);
        if storage.exists(&path).map_err(|source| failure("opening", &path, source))? {
            return Err(ChainError::Misuse(format!("{} exists already; open it instead", path.display())));
        }
        storage.replace(&path, &header.encode()).map_err(|source| failure("creating", &path, source))?;
        Self::append_to(storage, dir, lock, Header::BYTES as u64)
    }

    /// Goes on where a history that was read to its end has its last whole frame.
    pub(super) fn resume(
        storage: Arc<dyn Storage>,
        dir: &Path,
        lock: Lock,
        history: &History,
    ) -> Result<Self, ChainError> {
        let (whole_bytes, file_bytes) = (history.whole_bytes, history.bytes.len());
        if whole_bytes < file_bytes {
            tracing::warn!(path = %history.path.display(), whole_bytes, file_bytes, "cutting off a torn tail");
        }
        Self::append_to(storage, dir, lock, whole_bytes as u64)
    }

    fn append_to(storage: Arc<dyn Storage>, dir: &Path, lock: Lock, end: u64) -> Result<Self, ChainError> {
        let path = path(dir);
        let blob = storage.open(&path).and_then(|blob| {
            blob.set_len(end)?;
            // What a crashed process wrote may have been read from memory only.
            blob.sync()?;
            Ok(blob)
        });
        let blob = blob.map_err(|source| failure("opening", &path, source))?;
        Ok(Self { storage, blob, dir: dir.to_owned(), path, end, failed: None, _lock: lock })
    }

    /// Everything that was appended so far.
    pub(super) fn history(&self) -> Result<(Header, History), ChainError> {
        History::open(&*self.storage, &self.dir)
    }

    /// Appends a frame and returns when it survives a loss of power.
    ///
    /// After a failure nobody knows what is on disk, so every later call answers the same error.
    pub(super) fn append(&mut self, frame: &Frame) -> Result<(), ChainError> {
        self.check()?;
        let content = frame.encode();
        assert!(content.len() <= FRAME_BYTES_MAX, "the limits on transactions keep a frame below its own");
        let length = length(content.len());
        let checksums = [crc32c::crc32c(&length), crc32c::crc32c(&content)].map(u32::to_le_bytes);
        let bytes = [&length[..], checksums.as_flattened(), &content].concat();
        let result = self.blob.write_at(&bytes, self.end).and_then(|()| self.blob.sync());
        self.end += bytes.len() as u64;
        result.map_err(|source| {
            self.failed = Some((source.kind(), source.to_string()));
            failure("appending to", &self.path, source)
        })
    }

    /// The error of an earlier failure, if there was one.
    pub(super) fn check(&self) -> Result<(), ChainError> {
        match &self.failed {
            None => Ok(()),
            Some((kind, what)) => {
                let source =
                    io::Error::new(*kind, format!("an earlier write failed ({what}); open the chain again"));
                Err(failure("appending to", &self.path, source))
            }
        }
    }
}

/// The length of the content that a frame's head announces, or `None` when the head is cut off or damaged.
fn content_bytes(frame: &[u8]) -> Option<usize> {
    let ([length, crc, _], _) = frame.as_chunks::<4>().0.split_first_chunk::<3>()?;
    let content_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (content_bytes <= FRAME_BYTES_MAX && crc32c::crc32c(length) == u32::from_le_bytes(*crc))
        .then_some(content_bytes)
}

/// The whole frame at the start of some bytes, and its length with its head.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let content_bytes = content_bytes(bytes)?;
    let crc = bytes[8..].first_chunk().copied().map(u32::from_le_bytes)?;
    let content = bytes[FRAME_HEAD_BYTES..].get(..content_bytes)?;
    let frame = (crc32c::crc32c(content) == crc).then(|| Frame::decode(content)).flatten()?;
    Some((frame, FRAME_HEAD_BYTES + content_bytes))
}

pub(super) fn failure(doing: &str, path: &Path, source: io::Error) -> ChainError {
    ChainError::Io { what: format!("{doing} {}", path.display()), source }
}

pub(super) fn missing(path: &Path) -> ChainError {
    ChainError::Misuse(format!("{} does not exist; create the chain first", path.display()))
}

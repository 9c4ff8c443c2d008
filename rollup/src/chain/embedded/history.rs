//! The history's file: reading it from start to end, and appending to it.

use super::{
    FRAME_BYTES_MAX,
    frame::{Frame, Header, length},
};
use crate::chain::ChainError;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

const FILE: &str = "history.log";
/// A frame's length, the checksum of that, and the checksum of the content.
const FRAME_HEAD_BYTES: usize = 12;

/// The right to append to a directory's history. The system takes it back when the process ends in any way.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, ChainError> {
        let path = dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|source| failure("opening", &path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(ChainError::Misuse(format!(
                "{} is in use by another chain handle or process",
                dir.display()
            ))),
            Err(TryLockError::Error(source)) => Err(failure("locking", &path, source)),
        }
    }
}

/// A history that is being read.
pub(super) struct History {
    file: BufReader<File>,
    path: PathBuf,
    /// Bytes read so far, all of them whole.
    whole_bytes: u64,
    file_bytes: u64,
    last_height: u64,
}

/// Where a chain's history is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

impl History {
    pub(super) fn open(dir: &Path) -> Result<(Header, Self), ChainError> {
        let path = path(dir);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ChainError::Misuse(format!(
                    "{} does not exist; create the chain first",
                    path.display()
                )));
            }
            result => result.map_err(|source| failure("opening", &path, source))?,
        };
        let file_bytes = file.metadata().map_err(|source| failure("reading", &path, source))?.len();
        let mut history =
            Self { file: BufReader::new(file), path, whole_bytes: 0, file_bytes, last_height: 0 };
        let bytes = history.read(Header::BYTES)?;
        let header = Header::decode(&bytes).map_err(|what| history.corrupt(&what))?;
        history.whole_bytes = bytes.len() as u64;
        Ok((header, history))
    }

    /// The next frame; `None` at the end, which is where whole frames end: a crash may have torn what follows.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ChainError> {
        let mut bytes = self.read(FRAME_HEAD_BYTES)?;
        if let Some(length) = content_bytes(&bytes) {
            bytes.extend(self.read(length)?);
        }
        let Some((frame, frame_bytes)) = parse(&bytes) else {
            self.check_torn(bytes)?;
            return Ok(None);
        };
        if let Frame::Block(block) = &frame {
            if block.height <= self.last_height {
                let what = format!("expected a height above {}, got {}", self.last_height, block.height);
                return Err(self.corrupt(&what));
            }
            self.last_height = block.height;
        }
        self.whole_bytes += frame_bytes as u64;
        Ok(Some(frame))
    }

    /// What does not parse was torn by a crash if it can be the last append, which means that no frame follows it.
    fn check_torn(&mut self, mut bytes: Vec<u8>) -> Result<(), ChainError> {
        let rest = usize::try_from(self.file_bytes.saturating_sub(self.whole_bytes)).unwrap_or(usize::MAX);
        if rest > FRAME_HEAD_BYTES + FRAME_BYTES_MAX {
            return Err(self.corrupt("a frame's checksum does not match"));
        }
        bytes.extend(self.read(rest.saturating_sub(bytes.len()))?);
        if (1..bytes.len()).any(|at| parse(&bytes[at..]).is_some()) {
            return Err(self.corrupt("a frame's checksum does not match"));
        }
        Ok(())
    }

    /// This many bytes, or fewer at the end of the file.
    fn read(&mut self, count: usize) -> Result<Vec<u8>, ChainError> {
        let mut bytes = Vec::new();
        let result = self.file.by_ref().take(count as u64).read_to_end(&mut bytes);
        result.map_err(|source| failure("reading", &self.path, source))?;
        Ok(bytes)
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
    file: Box<dyn Append>,
    path: PathBuf,
    failed: Option<(io::ErrorKind, String)>,
    _lock: Lock,
}

impl Writer {
    /// Starts a history in a directory that has none.
    pub(super) fn create(dir: &Path, lock: Lock, header: &Header) -> Result<Self, ChainError> {
        let path = path(dir);
        if path.exists() {
            return Err(ChainError::Misuse(format!("{} exists already; open it instead", path.display())));
        }
        // Under its own name only when whole, so that a crash here leaves a directory that has no history.
        let unfinished = dir.join("history.new");
        let result = File::create(&unfinished)
            .and_then(|mut file| file.write_all(&header.encode()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| File::open(dir)?.sync_all());
        result.map_err(|source| failure("creating", &path, source))?;
        Self::append_to(path, lock, Header::BYTES as u64)
    }

    /// Goes on where a history that was read to its end has its last whole frame.
    pub(super) fn resume(history: History, lock: Lock) -> Result<Self, ChainError> {
        let History { path, whole_bytes, file_bytes, .. } = history;
        if whole_bytes < file_bytes {
            tracing::warn!(path = %path.display(), whole_bytes, file_bytes, "cutting off a torn tail");
        }
        Self::append_to(path, lock, whole_bytes)
    }

    fn append_to(path: PathBuf, lock: Lock, whole_bytes: u64) -> Result<Self, ChainError> {
        let file = OpenOptions::new().append(true).open(&path).and_then(|file| {
            file.set_len(whole_bytes)?;
            // What a crashed process wrote may have been read from memory only.
            file.sync_all()?;
            Ok(file)
        });
        let file = file.map_err(|source| failure("opening", &path, source))?;
        Ok(Self { file: Box::new(file), path, failed: None, _lock: lock })
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
        let result = self.file.append(&bytes).and_then(|()| self.file.sync());
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

    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: Box<dyn Append>) {
        self.file = file;
    }
}

/// Where frames go. A trait so that a test can let it fail.
pub(super) trait Append: Send {
    /// Writes at the end, everything or with an error.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written survives a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
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

//! What can be wrong with a file.
//!
//! Messages name what was expected and where, never a cell's content: they end in logs, and a cell may be a
//! patient's.

use std::io;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    // The environment.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    #[error("cannot walk: {0}")]
    Walk(#[from] walkdir::Error),

    // Limits.
    #[error("file of more than {max} bytes")]
    FileTooLarge { max: u64 },
    #[error("payload of {got} bytes, expected at most {max}")]
    PayloadTooLarge { max: usize, got: usize },

    // What no reader knows.
    #[error("unknown CSV: expected one column of numbers, `timer,hr`, or a Dexcom Clarity export")]
    UnknownCsv,
    #[error("unsupported {what}: expected {expected}")]
    Unsupported { what: &'static str, expected: &'static str },
    #[error("no header among the files read names this file: give the .hea beside it")]
    NoHeader,

    // Bad input.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{what}: expected {expected}")]
    Malformed { what: &'static str, expected: &'static str },
    #[error("line {line}: {what}: expected {expected}")]
    Line { line: u64, what: &'static str, expected: &'static str },
    #[error("{count} more faults in this file")]
    More { count: u64 },
    #[error("entry {index}: {source}")]
    Entry { index: usize, source: Box<ReadError> },
    #[error("signal file {file}: {source}")]
    SignalFile { file: String, source: Box<ReadError> },
    #[error("{got} bytes of samples, expected {min} to {max}")]
    SampleBytes { min: u128, max: u128, got: usize },
    #[error("signal {signal}: initial value {got}, expected {expected} by the header")]
    InitialValue { signal: usize, expected: i32, got: i32 },
    #[error("signal {signal}: checksum {got}, expected {expected} by the header")]
    Checksum { signal: usize, expected: i16, got: i16 },
}

/// Faults kept one by one for a file; the rest is counted, so that a file of nothing but bad rows stays one
/// message.
const FAULTS_MAX: usize = 16;

/// What a reader could not take from a file while it took the rest.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    kept: Vec<ReadError>,
    more: u64,
}

impl Faults {
    pub(crate) fn push(&mut self, fault: ReadError) {
        if self.kept.len() < FAULTS_MAX {
            self.kept.push(fault);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    pub(crate) fn into_errors(mut self) -> Vec<ReadError> {
        if self.more > 0 {
            self.kept.push(ReadError::More { count: self.more });
        }
        self.kept
    }
}

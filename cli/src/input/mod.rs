//! Readers of device files: what devices and their exports write, as timed readings with small payloads.
//!
//! ```text
//! .hea + .dat   WFDB, formats 212 and 16       one-second waveform frames     wfdb.rs
//! .csv          PPG counts                     one-second waveform frames     ppg.rs
//! .csv          Dexcom Clarity export          one glucose value per reading  dexcom.rs
//! .json         FHIR R4 Observation, Bundle    the resource as written        fhir.rs
//! .json         Open mHealth body, data point  the file as written            openmhealth.rs
//! ```
//!
//! No value is altered, reordered, interpolated or made up; what cannot be carried is reported. A recording
//! without a date counts its time from its own start. Several recordings may bear the same device label (two
//! files of one patient): nothing is merged here.
//!
//! Passed over without a word: files of other extensions (licences, notes), annotations and signals beside
//! their header, and JSON that claims to be neither FHIR nor Open mHealth.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use error::{Faults, ReadError};

mod decimal;
mod dexcom;
pub(crate) mod error;
mod fhir;
mod json;
mod openmhealth;
pub(crate) mod payload;
mod ppg;
pub(crate) mod synthetic;
pub(crate) mod time;
mod wfdb;

#[cfg(test)]
mod tests;

const NOT_A_FILE: ReadError = ReadError::Malformed { what: "file type", expected: "a regular file" };

/// The largest file read; signals of half a day at 1 kHz on three leads are within it.
pub(crate) const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a payload is, by its record's `kind`.
pub(crate) mod kind {
    /// A waveform of voltages in mV.
    pub(crate) const ECG: u16 = 1;
    pub(crate) const PPG: u16 = 2;
    /// A waveform of anything else, or of several things.
    pub(crate) const WAVEFORM: u16 = 3;
    /// A scalar.
    pub(crate) const GLUCOSE: u16 = 16;
    pub(crate) const SPO2: u16 = 17;
    /// Two scalars, systolic and diastolic.
    pub(crate) const BLOOD_PRESSURE: u16 = 18;
    /// JSON.
    pub(crate) const FHIR_OBSERVATION: u16 = 32;
    pub(crate) const OPEN_MHEALTH: u16 = 33;

    pub(crate) fn name(kind: u16) -> &'static str {
        match kind {
            ECG => "ecg",
            PPG => "ppg",
            WAVEFORM => "waveform",
            GLUCOSE => "glucose",
            SPO2 => "spo2",
            BLOOD_PRESSURE => "blood-pressure",
            FHIR_OBSERVATION => "fhir-observation",
            OPEN_MHEALTH => "open-mhealth",
            _ => "unknown",
        }
    }
}

/// The readings of one device, in the order of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    /// From the file's content or name, never from where it lies.
    pub device: String,
    pub readings: Vec<Reading>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Below 2^48; the device's clock.
    pub observed_at_ms: u64,
    pub kind: u16,
    /// At most [`payload::PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// A file, or a part of one, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub path: PathBuf,
    pub reason: String,
}

#[derive(Debug, Default)]
pub(crate) struct Input {
    pub recordings: Vec<Recording>,
    pub skipped: Vec<Skipped>,
}

/// Reads files, and directories in the order of their names. A path met twice is read once.
pub(crate) fn read(paths: &[PathBuf]) -> Input {
    let mut input = Input::default();
    let files = walk(paths, &mut input);
    let mut beside = Beside::default();
    for path in &files {
        match read_file(path, &mut beside) {
            Ok(parsed) => {
                input.recordings.extend(parsed.recordings);
                for fault in parsed.faults.into_errors() {
                    input.skip(path, &fault);
                }
            }
            Err(fault) => input.skip(path, &fault),
        }
    }
    for path in beside.orphans() {
        input.skip(path, &ReadError::NoHeader);
    }
    input
}

impl Input {
    fn skip(&mut self, path: &Path, reason: &ReadError) {
        self.skipped.push(Skipped { path: path.to_path_buf(), reason: reason.to_string() });
    }
}

/// What a reader took from one file, and what it could not take.
#[derive(Debug, Default)]
struct Parsed {
    recordings: Vec<Recording>,
    faults: Faults,
}

impl Parsed {
    fn one(device: String, reading: Reading) -> Parsed {
        Parsed { recordings: vec![Recording { device, readings: vec![reading] }], faults: Faults::default() }
    }
}

/// Files that belong to a header, and what the headers claim.
#[derive(Default)]
struct Beside {
    files: Vec<PathBuf>,
    named: BTreeSet<PathBuf>,
    headers: BTreeSet<PathBuf>,
}

impl Beside {
    /// A signal or annotation file is at home if a header names it or has its stem, also where that header is
    /// broken: one report is enough.
    fn orphans(&self) -> impl Iterator<Item = &PathBuf> {
        self.files
            .iter()
            .filter(|path| !self.named.contains(*path) && !self.headers.contains(&path.with_extension("")))
    }
}

fn walk(paths: &[PathBuf], input: &mut Input) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for root in paths {
        for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
            match entry {
                // A pipe or device is never opened: reading it may not end.
                Ok(entry) if entry.file_type().is_file() => {
                    let path = entry.into_path();
                    if seen.insert(path.clone()) {
                        files.push(path);
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => input.skip(entry.path(), &NOT_A_FILE),
                Err(fault) => {
                    let path = fault.path().unwrap_or(root).to_path_buf();
                    input.skip(&path, &ReadError::Walk(fault));
                }
            }
        }
    }
    files
}

fn read_file(path: &Path, beside: &mut Beside) -> Result<Parsed, ReadError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str().unwrap_or_default() {
        "hea" => {
            beside.headers.insert(path.with_extension(""));
            let directory = path.parent().unwrap_or(Path::new(""));
            wfdb::read(&load(path)?, |signal_file| {
                let path = directory.join(signal_file);
                let bytes = load(&path);
                beside.named.insert(path);
                bytes
            })
        }
        "dat" | "atr" => {
            beside.files.push(path.to_path_buf());
            Ok(Parsed::default())
        }
        "csv" => read_csv(&name, &load(path)?),
        "json" => read_json(&name, &load(path)?),
        _ => Ok(Parsed::default()),
    }
}

fn read_csv(name: &str, bytes: &[u8]) -> Result<Parsed, ReadError> {
    let bytes = without_mark(bytes);
    if dexcom::recognises(bytes) { dexcom::read(name, bytes) } else { ppg::read(name, bytes) }
}

fn read_json(name: &str, bytes: &[u8]) -> Result<Parsed, ReadError> {
    let value: Value = serde_json::from_slice(without_mark(bytes))?;
    if value.get("resourceType").is_some() {
        fhir::read(name, bytes, &value)
    } else if let Some(frame) = openmhealth::time_frame(&value) {
        openmhealth::read(name, bytes, frame)
    } else {
        Ok(Parsed::default())
    }
}

fn load(path: &Path) -> Result<Vec<u8>, ReadError> {
    let metadata = fs::metadata(path)?;
    // A header may name anything; opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(NOT_A_FILE);
    }
    let mut bytes = Vec::new();
    if metadata.len() <= FILE_BYTES_MAX {
        // It may still grow.
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    }
    if metadata.len().max(bytes.len() as u64) > FILE_BYTES_MAX {
        return Err(ReadError::FileTooLarge { max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Exports of some systems begin with UTF-8's byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// A document as a payload, if it fits.
fn document(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    if bytes.len() > payload::PAYLOAD_BYTES_MAX {
        return Err(ReadError::PayloadTooLarge { max: payload::PAYLOAD_BYTES_MAX, got: bytes.len() });
    }
    Ok(bytes.to_vec())
}

/// A device label from a file's content, if that is fit to be one.
fn label(format: &str, content: &str) -> Option<String> {
    const LABEL_CHARS_MAX: usize = 128;
    let content = content.trim();
    let fit = !content.is_empty()
        && content.chars().count() <= LABEL_CHARS_MAX
        && !content.chars().any(char::is_control);
    fit.then(|| format!("{format}/{content}"))
}

//! Running the command.

use serde_json::Value;
use std::{
    ffi::OsStr,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

pub(crate) const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");

/// What tests give so that proofs and finality are quick.
pub(crate) const QUICK: [&str; 4] = ["--shards", "1", "--slot-ms", "50"];

pub(crate) fn arterial() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arterial"));
    command.env_remove("RUST_LOG");
    command
}

/// A process that ends with its test, passed or not.
pub(crate) struct Ending(Child);

impl Ending {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Deref for Ending {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Ending {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the command to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    arterial().args(args).output().unwrap()
}

/// `arterial run` into a directory, with quick settings.
pub(crate) fn run_into(dir: &Path, args: &[&str]) -> Output {
    arterial().arg("run").arg("--out").arg(dir).args(QUICK).args(args).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one JSON object on stdout of a command that ended with this code.
pub(crate) fn json(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The receipts of a run, sorted.
pub(crate) fn receipts(dir: &Path) -> Vec<PathBuf> {
    let mut receipts: Vec<_> =
        std::fs::read_dir(dir.join("receipts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    receipts.sort();
    receipts
}

/// `arterial verify` of receipts, with further arguments.
pub(crate) fn verify(receipts: &[PathBuf], args: &[&OsStr]) -> Output {
    arterial().arg("verify").args(receipts).args(args).output().unwrap()
}

//! `arterial bench peers`: hands over to the program that has the peers in it.
//!
//! They are no dependency of this command, which would take RocksDB's minutes of C++ to build then.

use crate::{args::PeersArgs, error::CliError};
use std::{env, os::unix::process::CommandExt as _, path::Path, process::Command};

/// Stands beside this command, where `cargo build --target-dir target` puts it.
const PROGRAM: &str = "arterial-peers";

/// Becomes that program, with the same arguments; returns only if it can't.
pub(super) fn hand_over(args: &PeersArgs) -> CliError {
    let this = env::current_exe().unwrap_or_default();
    let program = this.parent().unwrap_or(Path::new(".")).join(PROGRAM);
    let source = Command::new(&program).args(&args.args).exec();
    CliError::NoPeers { program, source }
}

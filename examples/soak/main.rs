//! Settling for half an hour on a chain where everything goes wrong: reorganisations, fees, a node that restarts, an RPC
//! that fails, and an engine that is killed, with devices writing all the while. Ends when every block is final, checks
//! everything, and prints a table.
//!
//! `cargo run --release --features ethereum --example soak -- --minutes 30 --seed 1`
//!
//! ```text
//!  soak ─ starts, kills ─▶ worker: engine, devices ─▶ proxy: errors, delays ─▶ anvil ◀─ reorganises, restarts ─ soak
//!    ◀── what was acknowledged, how far blocks are ──┘
//! ```
#![allow(clippy::unwrap_used, reason = "whatever is amiss here ends it")]

mod devices;
mod judge;
#[path = "../../rollup/tests/nodes/mod.rs"]
mod nodes;
#[path = "../../rollup/tests/nodes/proxy.rs"]
mod proxy;
mod report;
mod supervisor;
mod troubles;
mod weather;
mod worker;

use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    worker: Option<Role>,
    #[command(flatten)]
    soak: Soak,
}

#[derive(Subcommand)]
enum Role {
    /// The process that is killed; started by the soak
    Worker(worker::Worker),
}

/// What the soak may be told.
#[derive(Args, Clone, Debug)]
struct Soak {
    /// How long devices write and things go wrong; settling the rest and checking everything take minutes more
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
    /// What goes wrong, and when, follows from it, though not how threads and processes meet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes a second, a multiple of 10
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    rate: u64,
    /// Shards of the deployment
    #[arg(long, default_value_t = 16)]
    shards: u32,
    /// Nothing goes wrong: for figures to compare with
    #[arg(long)]
    calm: bool,
    /// Receipts that are taken and verified at the end, spread evenly over devices and time
    #[arg(long, default_value_t = 20_000)]
    receipts: u64,
    /// Where everything is kept: new or empty; a temporary directory where none is given
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Command { worker, soak } = Command::parse();
    match worker {
        Some(Role::Worker(worker)) => worker.run(),
        None => supervisor::soak(&soak),
    }
}

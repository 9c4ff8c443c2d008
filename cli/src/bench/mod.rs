//! `arterial bench`: how fast, how soon, and how near to what the machine could do.

mod bare;
mod bare_proofs;
mod commit;
mod committer;
mod disk;
mod fairness;
mod ingest;
mod load;
mod machine;
mod open;
mod peers;
mod prove;
mod report;
mod trees;
mod workload;

use crate::{args::BenchCommand, error::CliError, interrupt::Interrupt, output};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::{alloc::System, path::Path};
use tempfile::TempDir;

/// Counts, so that a bench can say how often a write allocates: one relaxed addition an allocation.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of this process so far; growing one counts as well.
fn allocations() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// Runs a bench and prints what it found out.
pub(crate) fn bench(command: &BenchCommand) -> Result<(), CliError> {
    let interrupt = Interrupt::listen();
    match command {
        BenchCommand::Ingest(args) => {
            let report = ingest::measure(args, &interrupt)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
        BenchCommand::Commit(args) => {
            let report = commit::measure(args, &interrupt)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
        BenchCommand::Fairness(args) => {
            let report = fairness::measure(args, &interrupt)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
        BenchCommand::Open(args) => {
            let report = open::measure(args, &interrupt)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
        BenchCommand::Prove(args) => {
            let report = prove::measure(args)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
        BenchCommand::Peers(args) => Err(peers::hand_over(args)),
    }
}

/// A directory that goes away with its handle.
fn work_dir(parent: &Path) -> Result<TempDir, CliError> {
    tempfile::tempdir_in(parent).map_err(|source| CliError::Io {
        action: "make a directory in",
        path: parent.to_owned(),
        source,
    })
}

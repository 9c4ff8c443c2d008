//! `arterial bench`: how fast, how soon, and how near to what the machine could do.

mod all;
mod bare;
mod bare_proofs;
mod commit;
mod committer;
mod disk;
mod fairness;
mod findings;
mod ingest;
mod latency;
mod load;
mod machine;
mod open;
mod peers;
mod pipeline;
mod prove;
mod report;
mod scaled;
mod settle;
mod trees;
mod verify;
mod workload;

use crate::{args::BenchCommand, error::CliError};
use findings::report;
pub(crate) use report::rounded;
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
    match command {
        BenchCommand::Ingest(args) => {
            report("ingest", &args.output, &args.place.dir, |interrupt| ingest::measure(args, interrupt))
        }
        BenchCommand::Commit(args) => {
            report("commit", &args.output, &args.place.dir, |interrupt| commit::measure(args, interrupt))
        }
        BenchCommand::Fairness(args) => {
            report("fairness", &args.output, &args.place.dir, |interrupt| fairness::measure(args, interrupt))
        }
        BenchCommand::Open(args) => {
            report("open", &args.output, &args.place.dir, |interrupt| open::measure(args, interrupt))
        }
        BenchCommand::Prove(args) => report("prove", &args.output, Path::new("."), |_| prove::measure(args)),
        BenchCommand::Settle(args) => {
            report("settle", &args.output, &args.place.dir, |interrupt| settle::measure(args, interrupt))
        }
        BenchCommand::Verify(args) => {
            report("verify", &args.output, &args.place.dir, |interrupt| verify::measure(args, interrupt))
        }
        BenchCommand::Pipeline(args) => {
            report("pipeline", &args.output, &args.place.dir, |interrupt| pipeline::measure(args, interrupt))
        }
        BenchCommand::All(args) => {
            report("all", &args.output, &args.place.dir, |interrupt| all::measure(args, interrupt))
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

//! `arterial bench`: how fast, how soon, and how near to what the machine could do.

mod bare_proofs;
mod commit;
mod disk;
mod ingest;
mod machine;
mod prove;
mod report;
mod workload;

use crate::{
    args::{BenchCommand, IngestArgs},
    error::CliError,
    interrupt::Interrupt,
    output,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

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
        BenchCommand::Ingest(args) => ingest(args, &interrupt),
        BenchCommand::Prove(args) => {
            let report = prove::measure(args)?;
            if args.json { output::print_json(&report) } else { output::print(&report.table()) }
        }
    }
}

fn ingest(args: &IngestArgs, interrupt: &Interrupt) -> Result<(), CliError> {
    let report = ingest::measure(args, interrupt)?;
    if args.json { output::print_json(&report) } else { output::print(&report.table()) }
}

//! Arterial beside its peers: the same records, the same durability, one run. `arterial bench peers` calls it.
//!
//! Every store has each run in a process of its own, so that its memory is its own, and in turn with the others, so that
//! what the machine does meanwhile is shared. A write counts once `fdatasync` has returned for it. Where a peer lets one
//! choose, the choice is its documentation's, and else the one that is kinder to it: keys are positions, which only rise.

mod load;
mod machine;
mod proofs;
mod report;
mod stores;

use clap::{Parser, builder::RangedU64ValueParser};
use load::{Load, Written};
use proofs::Proven;
use report::Report;
use serde::de::DeserializeOwned;
use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};
use stores::{STORES, Store};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What stands for all provers among the names.
const PROOFS: &str = "proofs";

/// Measures Arterial and its peers side by side: durable writes, and proofs.
#[derive(Parser, Debug)]
#[command(name = "arterial bench peers", after_help = EXAMPLES)]
struct Args {
    /// Seconds that each run of each is measured, after one that is not
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = RangedU64ValueParser::<u64>::new().range(1..=3600))]
    seconds: u64,
    /// Records of a run at most, which bounds the disk that it takes
    #[arg(long, value_name = "N", default_value_t = 1 << 25, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    records: u64,
    /// Records that are made durable together
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    commit: usize,
    /// Commits at once where a store takes more than one: as many threads write
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    in_flight: usize,
    /// Runs of each, of which the medians are shown
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    runs: usize,
    /// Only these, by the names in the table; `proofs` are all provers
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = name)]
    only: Vec<String>,
    /// Where to make the directories that are written to and removed again: a place on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The result as one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// One run of one, in this process and in --dir itself
    #[arg(long, hide = true, value_parser = name)]
    one: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  arterial bench peers
  arterial bench peers --only arterial,rocksdb --seconds 10 --runs 5
  arterial bench peers --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

fn name(text: &str) -> Result<String, String> {
    let names: Vec<&str> = STORES.iter().map(|store| store.name).chain([PROOFS]).collect();
    if names.contains(&text) { Ok(text.into()) } else { Err(format!("expected one of {}", names.join(", "))) }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let output = match &args.one {
        Some(name) => one(&args, name),
        None => all(&args),
    };
    match output.and_then(|output| Ok(io::stdout().lock().write_all(output.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One run of one; its figures as JSON.
fn one(args: &Args, name: &str) -> Result<String, Error> {
    let load = Load {
        commit_records: args.commit,
        in_flight: args.in_flight,
        seconds: args.seconds,
        records_max: args.records,
    };
    let figures = match STORES.iter().find(|store| store.name == name) {
        Some(store) => serde_json::to_string(&store.measure(&args.dir, load)?),
        None => serde_json::to_string(&proofs::measure(args.seconds)?),
    };
    Ok(figures?)
}

/// All runs of all; the report.
fn all(args: &Args) -> Result<String, Error> {
    // Ctrl-C ends the process that is being measured, and this one removes what it leaves and says so.
    ctrlc::set_handler(|| {})?;
    let chosen = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut stores: Vec<(&'static Store, Vec<Written>)> =
        STORES.iter().filter(|store| chosen(store.name)).map(|store| (store, Vec::new())).collect();
    let mut provers: Vec<[Proven; 3]> = Vec::new();
    for run in 1..=args.runs {
        for (store, runs) in &mut stores {
            eprintln!("run {run} of {}: {}", args.runs, store.name);
            runs.push(in_a_process(args, store.name)?);
        }
        if chosen(PROOFS) {
            eprintln!("run {run} of {}: {PROOFS}", args.runs);
            provers.push(in_a_process(args, PROOFS)?);
        }
    }
    let report = Report::new(args, stores, &provers);
    Ok(if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.table() })
}

/// One run of one, in a process and a directory of its own.
fn in_a_process<T: DeserializeOwned>(args: &Args, name: &str) -> Result<T, Error> {
    let dir = tempfile::tempdir_in(&args.dir)
        .map_err(|error| format!("cannot make a directory in {}: {error}", args.dir.display()))?;
    let output = Command::new(env::current_exe()?)
        .args(["--one", name])
        .args(["--seconds", &args.seconds.to_string(), "--records", &args.records.to_string()])
        .args(["--commit", &args.commit.to_string(), "--in-flight", &args.in_flight.to_string()])
        .args([Path::new("--dir"), dir.path()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{name} was not measured: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small commits, so that every writer has several, and fewer records than a second would take.
    const LOAD: Load = Load { commit_records: 64, in_flight: 3, seconds: 1, records_max: u64::MAX };

    #[test]
    fn every_store_keeps_what_it_acknowledged() {
        for store in STORES {
            let dir = tempfile::tempdir().unwrap();
            let written =
                store.measure(dir.path(), LOAD).unwrap_or_else(|error| panic!("{}: {error}", store.name));
            assert!(written.records > 0 && written.records.is_multiple_of(64), "{}: {written:?}", store.name);
            assert!(written.durable_p50_ms <= written.durable_p99_ms, "{}: {written:?}", store.name);
            // A record is in the store at least once; arterial keeps more of it, none less.
            let bytes = written.disk_bytes_per_record;
            assert!(bytes.is_none_or(|bytes| bytes >= 128.0), "{}: {written:?}", store.name);
        }
    }

    #[test]
    fn too_few_records_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let few = Load { records_max: 128, ..LOAD };
        let error = STORES[0].measure(dir.path(), few).unwrap_err();
        assert!(error.to_string().contains("more --records"), "{error}");
    }
}

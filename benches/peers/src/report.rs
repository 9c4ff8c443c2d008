//! Medians of the runs, for people and for machines.

use crate::{
    Args,
    load::Written,
    machine::Machine,
    proofs::{PROVERS, Proven, Prover},
    stores::Store,
};
use serde::Serialize;
use std::fmt::Write as _;

/// The versions that the peers are built in.
const LOCK: &str = include_str!("../Cargo.lock");

/// What `arterial bench peers` prints.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    load: LoadReport,
    stores: Vec<StoreReport>,
    provers: Vec<ProverReport>,
}

#[derive(Serialize)]
struct LoadReport {
    record_bytes: usize,
    commit_records: usize,
    commits_in_flight: usize,
    seconds: u64,
    runs: usize,
}

#[derive(Serialize)]
struct StoreReport {
    name: &'static str,
    version: String,
    setup: &'static str,
    lacks: &'static str,
    /// Of each figure by itself.
    median: Written,
    runs: Vec<Written>,
}

#[derive(Serialize)]
struct ProverReport {
    name: &'static str,
    version: String,
    setup: &'static str,
    lacks: &'static str,
    /// Of each figure by itself.
    median: Proven,
    runs: Vec<Proven>,
}

impl Report {
    /// Of runs of which each store and prover has one at least.
    pub(crate) fn new(
        args: &Args,
        stores: Vec<(&'static Store, Vec<Written>)>,
        provers: &[[Proven; 3]],
    ) -> Self {
        let load = LoadReport {
            record_bytes: crate::load::RECORD_BYTES,
            commit_records: args.commit,
            commits_in_flight: args.in_flight,
            seconds: args.seconds,
            runs: args.runs,
        };
        let stores = stores.into_iter().map(|(store, runs)| StoreReport::new(store, runs)).collect();
        let provers = if provers.is_empty() {
            Vec::new()
        } else {
            let runs = |at: usize| provers.iter().map(|run| run[at].clone()).collect();
            PROVERS.iter().enumerate().map(|(at, prover)| ProverReport::new(prover, runs(at))).collect()
        };
        Self { machine: Machine::this(), load, stores, provers }
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let Machine { cpu, cores, memory, kernel } = &self.machine;
        let LoadReport { record_bytes, commit_records, commits_in_flight, seconds, runs } = &self.load;
        // Writing to a string does not fail.
        _ = writeln!(text, "{cores} cores of {cpu}, {memory}, Linux {kernel}");
        _ = writeln!(
            text,
            "records of {record_bytes} bytes, {commit_records} a commit, {commits_in_flight} commits in flight, fdatasync on; \
             medians of {runs} run(s) of {seconds} s\n"
        );
        if !self.stores.is_empty() {
            _ = writeln!(
                text,
                "{:28} {:>10} {:>21} {:>6} {:>8} {:>8} {:>9} {:>8}  what it does not do",
                "", "writes/s", "(least to most)", "MB/s", "p50 ms", "p99 ms", "disk B", "RSS MiB"
            );
        }
        for store in &self.stores {
            let Written { writes_per_second, megabytes_per_second, durable_p50_ms, durable_p99_ms, .. } =
                store.median;
            let rates = || store.runs.iter().map(|run| run.writes_per_second);
            let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
            _ = writeln!(
                text,
                "{:28} {:>10} {:>21} {megabytes_per_second:>6.0} {durable_p50_ms:>8.2} {durable_p99_ms:>8.2} {:>9} {:>8}  {}",
                format!("{} {}", store.name, store.version),
                grouped(writes_per_second),
                format!("({} to {})", grouped(least), grouped(most)),
                store.median.disk_bytes_per_record.map_or("none".into(), |bytes| format!("{bytes:.0}")),
                store.median.rss_bytes >> 20,
                store.lacks
            );
        }
        if !self.provers.is_empty() {
            _ = writeln!(
                text,
                "\n{:28} {:>10} {:>12} {:>10} {:>8}  what its proof does not say",
                "", "proven/s", "proof bytes", "verify ms", "RSS MiB"
            );
        }
        for prover in &self.provers {
            let Proven { records_per_second, proof_bytes, verify_ms, rss_bytes } = &prover.median;
            let of = |figure: &Option<f64>, text: fn(f64) -> String| figure.map_or("none".into(), text);
            _ = writeln!(
                text,
                "{:28} {:>10} {:>12} {:>10} {:>8}  {}",
                format!("{} {}", prover.name, prover.version),
                if *records_per_second < 100.0 {
                    format!("{records_per_second:.1}")
                } else {
                    grouped(*records_per_second)
                },
                of(proof_bytes, grouped),
                of(verify_ms, |ms| format!("{ms:.1}")),
                of(rss_bytes, |bytes| format!("{:.0}", bytes / f64::from(1 << 20))),
                prover.lacks
            );
        }
        _ = writeln!(text, "\nhow each is set up:");
        let stores = self.stores.iter().map(|store| (store.name, store.setup));
        let provers = self.provers.iter().map(|prover| (prover.name, prover.setup));
        for (name, setup) in stores.chain(provers) {
            _ = writeln!(text, "  {name}: {setup}");
        }
        text
    }
}

impl StoreReport {
    fn new(store: &Store, runs: Vec<Written>) -> Self {
        let of = |figure: fn(&Written) -> f64| median(runs.iter().map(figure));
        let median = Written {
            records: of(|run| run.records as f64) as u64,
            writes_per_second: of(|run| run.writes_per_second),
            megabytes_per_second: of(|run| run.megabytes_per_second),
            durable_p50_ms: of(|run| run.durable_p50_ms),
            durable_p99_ms: of(|run| run.durable_p99_ms),
            disk_bytes_per_record: optional_median(runs.iter().map(|run| run.disk_bytes_per_record)),
            rss_bytes: of(|run| run.rss_bytes as f64) as u64,
        };
        let Store { name, package, setup, lacks, .. } = *store;
        Self { name, version: version(package), setup, lacks, median, runs }
    }
}

impl ProverReport {
    fn new(prover: &Prover, runs: Vec<Proven>) -> Self {
        let median = Proven {
            records_per_second: median(runs.iter().map(|run| run.records_per_second)),
            proof_bytes: optional_median(runs.iter().map(|run| run.proof_bytes)),
            verify_ms: optional_median(runs.iter().map(|run| run.verify_ms)),
            rss_bytes: optional_median(runs.iter().map(|run| run.rss_bytes)),
        };
        let Prover { name, package, setup, lacks } = *prover;
        Self { name, version: version(package), setup, lacks, median, runs }
    }
}

fn optional_median(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    figures.collect::<Option<Vec<_>>>().map(|figures| median(figures.into_iter()))
}

/// The middle one; of an even number the upper of the two in the middle.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A package's, from the lock file.
fn version(package: Option<&str>) -> String {
    let Some(package) = package else { return String::new() };
    let after =
        LOCK.split_once(&format!("name = \"{package}\"\nversion = \"")).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default().to_owned()
}

/// A number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = (number.round() as u64).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_is_the_median() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([1.0, 2.0].into_iter()), 2.0);
        assert_eq!(optional_median([Some(1.0), None].into_iter()), None);
    }

    #[test]
    fn every_peer_has_a_version() {
        let packages = crate::stores::STORES.iter().map(|store| store.package);
        for package in packages.chain(PROVERS.iter().map(|prover| prover.package)).flatten() {
            assert!(version(Some(package)).contains('.'), "{package}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0.4, 999.0, 1_234_567.2].map(grouped), ["0", "999", "1,234,567"]);
    }
}

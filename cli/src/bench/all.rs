//! `arterial bench all`: each bench shortly, and how figures grow with shards and threads.

use super::{
    commit::{self, CommitReport},
    fairness::{self, FairnessReport},
    findings::Findings,
    ingest,
    pipeline::{self, PipelineReport},
    prove::{self, ProveReport},
    report::{IngestReport, rounded},
    scaled::{Scaled, all_cores, chart, doubled_below},
    settle::{self, SettleReport},
    verify::{self, VerifyReport},
};
use crate::{
    args::{
        AllArgs, BenchAuth, CommitArgs, FairnessArgs, IngestArgs, OutputArgs, PipelineArgs, ProveArgs,
        SettleArgs, VerifyBenchArgs,
    },
    error::CliError,
    interrupt::Interrupt,
    lines::Lines,
    page::{Section, Tile},
};
use serde::Serialize;

/// Shards that ingest is measured with.
const SHARDS: [u32; 4] = [1, 2, 4, 8];

/// What `arterial bench all` prints.
#[derive(Serialize)]
pub(crate) struct AllReport {
    pipeline: PipelineReport,
    ingest: IngestReport,
    commit: CommitReport,
    prove: ProveReport,
    settle: SettleReport,
    verify: VerifyReport,
    fairness: FairnessReport,
    by_shards: Vec<Scaled>,
    by_threads: Vec<Scaled>,
}

/// Measures; the report.
pub(crate) fn measure(args: &AllArgs, interrupt: &Interrupt) -> Result<AllReport, CliError> {
    let by_shards = |shards: u32| -> Result<Scaled, CliError> {
        let report = ingest::measure(&ingest_args(args, shards, 1), interrupt)?;
        Ok(Scaled { count: shards as usize, per_second: report.writes_per_second() })
    };
    let by_threads = |threads: usize| -> Result<Scaled, CliError> {
        let report = prove::measure(&ProveArgs { threads: Some(threads), ..prove_args(1 << 14, 1 << 10) })?;
        Ok(Scaled { count: threads, per_second: report.records_per_second() })
    };
    let ingest_args_by_cores = IngestArgs { by_cores: true, ..ingest_args(args, 4, args.seconds) };
    Ok(AllReport {
        pipeline: pipeline::measure(&pipeline_args(args), interrupt)?,
        ingest: ingest::measure(&ingest_args_by_cores, interrupt)?,
        commit: commit::measure(&commit_args(args), interrupt)?,
        prove: prove::measure(&prove_args(1 << 16, 1 << 12))?,
        settle: settle::measure(&settle_args(args), interrupt)?,
        verify: verify::measure(&verify_args(args), interrupt)?,
        fairness: fairness::measure(&fairness_args(args), interrupt)?,
        by_shards: SHARDS.into_iter().map(by_shards).collect::<Result<_, CliError>>()?,
        by_threads: doubled_below(all_cores())
            .chain([all_cores()])
            .map(by_threads)
            .collect::<Result<_, CliError>>()?,
    })
}

fn ingest_args(args: &AllArgs, shards: u32, seconds: u64) -> IngestArgs {
    IngestArgs {
        auth: BenchAuth::Mac,
        workload: Some(args.workload),
        seed: 1,
        record_bytes: 128,
        shards,
        writers: 2,
        devices: 4096,
        bundle: 1024,
        seconds,
        rate: None,
        commit: false,
        by_cores: false,
        place: args.place.clone(),
        output: OutputArgs::quiet(),
    }
}

fn commit_args(args: &AllArgs) -> CommitArgs {
    CommitArgs {
        records: 1 << 20,
        devices: 16_384,
        shards: 4,
        place: args.place.clone(),
        output: OutputArgs::quiet(),
    }
}

const fn prove_args(records: u32, devices: u32) -> ProveArgs {
    ProveArgs { records, devices, shards: 1, threads: None, output: OutputArgs::quiet() }
}

fn fairness_args(args: &AllArgs) -> FairnessArgs {
    let (place, seconds) = (args.place.clone(), args.seconds);
    FairnessArgs {
        rate: 2000,
        record_bytes: 128,
        shards: 4,
        devices: 4096,
        seconds,
        place,
        output: OutputArgs::quiet(),
    }
}

fn settle_args(args: &AllArgs) -> SettleArgs {
    SettleArgs {
        blocks: 4,
        records: 65_536,
        shards: 16,
        place: args.place.clone(),
        output: OutputArgs::quiet(),
    }
}

fn verify_args(args: &AllArgs) -> VerifyBenchArgs {
    VerifyBenchArgs {
        receipts: 512,
        records: 8192,
        auth: BenchAuth::Ed25519,
        workload: args.workload,
        devices: 1024,
        shards: 16,
        place: args.place.clone(),
        output: OutputArgs::quiet(),
    }
}

fn pipeline_args(args: &AllArgs) -> PipelineArgs {
    PipelineArgs {
        workload: args.workload,
        seed: 1,
        rate: 10_000,
        seconds: args.seconds,
        auth: BenchAuth::Mac,
        devices: 4096,
        shards: 4,
        block_records: 65_536,
        block_interval_ms: 2000,
        slot_ms: 1000,
        place: args.place.clone(),
        output: OutputArgs::quiet(),
    }
}

impl AllReport {
    fn parts(&self) -> [&dyn Part; 7] {
        [&self.pipeline, &self.ingest, &self.commit, &self.prove, &self.settle, &self.verify, &self.fairness]
    }

    fn scaling(&self) -> Section {
        let mut lines = Lines::default();
        let mut push = |name: &str, what: &str, scaled: &[Scaled]| {
            for Scaled { count, per_second } in scaled {
                lines.push(format!("{name}, {count} {what}"), rounded(*per_second));
            }
        };
        let verified = self.verify.threads().map(|(count, per_second)| Scaled { count, per_second });
        push("durable writes", "shards", &self.by_shards);
        push("records proven", "threads", &self.by_threads);
        push("receipts verified", "threads", &verified);
        let charts = vec![
            chart(
                "By shards",
                "Durable writes a second. Each shard has a log and a writer of its own; they share the cores and the disk.",
                ("shards", "writes a second"),
                "durable writes a second",
                &self.by_shards,
            ),
            chart(
                "By threads: proving",
                "Records proven a second, of a small block, with so many of the cores.",
                ("threads", "records a second"),
                "records proven a second",
                &self.by_threads,
            ),
            chart(
                "By threads: verifying",
                "Receipts verified a second: they have nothing to do with each other.",
                ("threads", "receipts a second"),
                "receipts verified a second",
                &verified,
            ),
        ];
        Section::new("By shards and threads", lines, charts)
    }
}

/// [`Findings`] without knowing whose.
trait Part {
    fn tile(&self) -> Option<Tile>;
    fn sections(&self) -> Vec<Section>;
    fn headline(&self) -> Option<(&'static str, f64)>;
}

impl<F: Findings> Part for F {
    fn tile(&self) -> Option<Tile> {
        self.tiles().into_iter().next()
    }

    fn sections(&self) -> Vec<Section> {
        Findings::sections(self)
    }

    fn headline(&self) -> Option<(&'static str, f64)> {
        Findings::headline(self).into_iter().next()
    }
}

impl Findings for AllReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        const NAMES: [&str; 7] = [
            "pipeline.final_records_per_second",
            "ingest.writes_per_second",
            "commit.records_per_second",
            "prove.records_per_second",
            "settle.prove_seconds",
            "verify.one_thread_per_second",
            "fairness.neighbour_ratio",
        ];
        let figures = self.parts().into_iter().filter_map(Part::headline);
        NAMES.into_iter().zip(figures).map(|(name, (_, figure))| (name, figure)).collect()
    }

    fn tiles(&self) -> Vec<Tile> {
        self.parts().into_iter().filter_map(Part::tile).collect()
    }

    fn sections(&self) -> Vec<Section> {
        let parts = self.parts().into_iter().flat_map(Part::sections);
        parts.chain([self.scaling()]).collect()
    }
}

//! What the benches take.

use super::{
    help::{
        ALL_HELP, COMMIT_HELP, FAIRNESS_HELP, INGEST_HELP, OPEN_HELP, PIPELINE_HELP, PROVE_HELP, SETTLE_HELP,
        VERIFY_BENCH_HELP,
    },
    shards,
};
use arterial::protocol::limits::{BUNDLE_WRITES_MAX, RECORD_BYTES_MAX, SLOTS_END};
use clap::{Args, Subcommand, ValueEnum, builder::RangedU64ValueParser};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

// How often a bench measures, and how it says what it found out. As documentation it would be each bench's own.
#[derive(Args, Debug)]
#[command(next_help_heading = "Result")]
pub(crate) struct OutputArgs {
    /// How often to measure: the median run is shown, with the least and the most of all
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=99))]
    pub(crate) runs: usize,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the page with the plots goes [default: report.html, beside `--json` nowhere]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write no page
    #[arg(long, conflicts_with = "report")]
    no_report: bool,
}

impl OutputArgs {
    /// One run, of which nothing is said.
    pub(crate) const fn quiet() -> Self {
        Self { runs: 1, json: false, report: None, no_report: true }
    }

    /// Where the page goes, if there is to be one.
    pub(crate) fn page(&self) -> Option<&Path> {
        let by_default = (!self.json && !self.no_report).then_some(Path::new("report.html"));
        self.report.as_deref().or(by_default)
    }
}

/// Where a bench works.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlaceArgs {
    /// Where to make the directory that is written to and removed again: a place on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// What devices send.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WorkloadName {
    /// 70% wearables' frames of 128 bytes, 20% vitals of 192, 5% glucose of 128, 5% FHIR JSON of 640 to 2,048.
    Home,
    /// Each bed and second four waveform frames of 1,024 bytes and numerics of 256; an alarm of 512 every five minutes.
    Icu,
    /// Bursts of up to 16 FHIR bundles of 51 kB, cut into their Observations.
    Clinic,
    /// Home, unequally busy by Zipf's law, while every twentieth device sends 1 to 12 hours of backlog at once.
    Storm,
}

impl WorkloadName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Icu => "icu",
            Self::Clinic => "clinic",
            Self::Storm => "storm",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SettleArgs {
    /// Blocks to prove and post after the first one
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<u32>::new().range(1..=10_000))]
    pub(crate) blocks: u32,
    /// Records that each of them says it has
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = RangedU64ValueParser::<u64>::new().range(1..=1 << 40))]
    pub(crate) records: u64,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = shards)]
    pub(crate) shards: u32,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyBenchArgs {
    /// Receipts to verify, of the first records
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) receipts: usize,
    /// Records that are written for them
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 22))]
    pub(crate) records: usize,
    /// How devices authenticate their writes
    #[arg(long, value_enum, default_value_t = BenchAuth::Ed25519)]
    pub(crate) auth: BenchAuth,
    /// What the devices send
    #[arg(long, value_enum, default_value_t = WorkloadName::Home)]
    pub(crate) workload: WorkloadName,
    /// Devices
    #[arg(long, value_name = "M", default_value_t = 1024, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) devices: usize,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = shards)]
    pub(crate) shards: u32,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PipelineArgs {
    /// What the devices send
    #[arg(long, value_enum, default_value_t = WorkloadName::Home)]
    pub(crate) workload: WorkloadName,
    /// Which of all such workloads: the same for the same seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Writes a second that are due
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000_000))]
    pub(crate) rate: u64,
    /// How long to submit, after a second of warm-up
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    pub(crate) seconds: u64,
    /// How devices authenticate their writes
    #[arg(long, value_enum, default_value_t = BenchAuth::Mac)]
    pub(crate) auth: BenchAuth,
    /// Devices
    #[arg(long, value_name = "M", default_value_t = 4096, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) devices: usize,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = shards)]
    pub(crate) shards: u32,
    /// Records that make a block
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) block_records: usize,
    /// Milliseconds after which a smaller block is made
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) block_interval_ms: u64,
    /// Milliseconds from one block of the embedded chain to the next; two of them are final
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) slot_ms: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct AllArgs {
    /// What the devices send, where writes are submitted
    #[arg(long, value_enum, default_value_t = WorkloadName::Home)]
    pub(crate) workload: WorkloadName,
    /// How long each measurement of writes is, after a second that is not measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = RangedU64ValueParser::<u64>::new().range(1..=3600))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCommand {
    /// How many writes a second become durable, and how soon
    #[command(after_long_help = INGEST_HELP, after_help = INGEST_HELP)]
    Ingest(IngestArgs),
    /// How many records a second are proven to follow the rules
    #[command(after_long_help = PROVE_HELP, after_help = PROVE_HELP)]
    Prove(ProveArgs),
    /// How many records a second move their accounts, when nothing else is done
    #[command(after_long_help = COMMIT_HELP, after_help = COMMIT_HELP)]
    Commit(CommitArgs),
    /// What a flood does to the latencies of those who have nothing to do with it
    #[command(after_long_help = FAIRNESS_HELP, after_help = FAIRNESS_HELP)]
    Fairness(FairnessArgs),
    /// How long a deployment takes to open that was killed amid its work
    #[command(after_long_help = OPEN_HELP, after_help = OPEN_HELP)]
    Open(OpenArgs),
    /// What a block costs on the base chain, and how fast blocks are proven and posted
    #[command(after_long_help = SETTLE_HELP, after_help = SETTLE_HELP)]
    Settle(SettleArgs),
    /// How many receipts a second anybody can check
    #[command(after_long_help = VERIFY_BENCH_HELP, after_help = VERIFY_BENCH_HELP)]
    Verify(VerifyBenchArgs),
    /// The whole path: from writes that are due to blocks that are final
    #[command(after_long_help = PIPELINE_HELP, after_help = PIPELINE_HELP)]
    Pipeline(PipelineArgs),
    /// Each of them shortly, in one report, and how figures grow with shards and threads
    #[command(after_long_help = ALL_HELP, after_help = ALL_HELP)]
    All(AllArgs),
    /// Other stores and provers side by side with this one, by a program of its own: see `arterial bench peers --help`
    #[command(disable_help_flag = true)]
    Peers(PeersArgs),
}

#[derive(Args, Debug)]
pub(crate) struct PeersArgs {
    /// What that program takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct ProveArgs {
    /// Records of the block
    #[arg(long, value_name = "N", default_value_t = 1 << 18, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1 << 22))]
    pub(crate) records: u32,
    /// Devices that wrote them in turn, at most 1,024 each
    #[arg(long, value_name = "M", default_value_t = 1 << 14, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1 << 20))]
    pub(crate) devices: u32,
    /// Shards that the devices are spread over, a power of two
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = shards)]
    pub(crate) shards: u32,
    /// Threads that prove; one for each core by default
    #[arg(long, value_name = "T", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct IngestArgs {
    /// How devices authenticate their writes
    #[arg(long, value_enum, default_value_t = BenchAuth::Mac)]
    pub(crate) auth: BenchAuth,
    /// What the devices send; without it, records of one size
    #[arg(long, value_enum, conflicts_with = "record_bytes")]
    pub(crate) workload: Option<WorkloadName>,
    /// Which of all such workloads: the same for the same seed
    #[arg(long, value_name = "N", default_value_t = 1, requires = "workload")]
    pub(crate) seed: u64,
    /// Bytes of a canonical record: a multiple of 64 from 128 to 65,536
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = record_bytes)]
    pub(crate) record_bytes: usize,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = shards)]
    pub(crate) shards: u32,
    /// Threads that submit
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) writers: usize,
    /// Devices, spread over the writers
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) devices: usize,
    /// Writes of a bundle
    #[arg(long, value_name = "N", default_value_t = 1024,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=BUNDLE_WRITES_MAX as u64))]
    pub(crate) bundle: usize,
    /// How long to measure, after a second that is not
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Writes a second that are due; without it, as many as become durable
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000_000))]
    pub(crate) rate: Option<u64>,
    /// Move the accounts behind the log, as a running deployment does
    #[arg(long)]
    pub(crate) commit: bool,
    /// Measure again on one core, on two, four and so on
    #[arg(long, conflicts_with = "rate")]
    pub(crate) by_cores: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CommitArgs {
    /// Records to commit
    #[arg(long, value_name = "N", default_value_t = 1 << 22, value_parser = RangedU64ValueParser::<u64>::new().range(1..=1 << 32))]
    pub(crate) records: u64,
    /// Devices, spread over the shards, which write in turn
    #[arg(long, value_name = "M", default_value_t = 16_384, value_parser = RangedU64ValueParser::<u32>::new().range(1..=SLOTS_END.into()))]
    pub(crate) devices: u32,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = shards)]
    pub(crate) shards: u32,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct FairnessArgs {
    /// Writes a second of the neighbour, and of the alarms
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    pub(crate) rate: u64,
    /// Bytes of a canonical record: a multiple of 64 from 128 to 65,536
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = record_bytes)]
    pub(crate) record_bytes: usize,
    /// Shards, a power of two, of which one is flooded
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = two_shards)]
    pub(crate) shards: u32,
    /// Devices behind the flooding gateway, and as many that write steadily
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 18))]
    pub(crate) devices: usize,
    /// Seconds that are measured without the flood, and as many with it, in turn
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    /// Records that are about written when the run is killed
    #[arg(long, value_name = "N", default_value_t = 50_000_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=1 << 32))]
    pub(crate) records: u64,
    /// Writes a second that are due until then
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000_000))]
    pub(crate) rate: u64,
    /// Shards, a power of two
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = shards)]
    pub(crate) shards: u32,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How the devices of a bench authenticate their writes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BenchAuth {
    /// Not at all: the host vouches for them.
    None,
    /// Each device shares a MAC key with the sequencer.
    Mac,
    /// Each device signs each write.
    Ed25519,
    /// A gateway signs once for many writes.
    Bundle,
}

fn record_bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes: &usize| (128..=RECORD_BYTES_MAX).contains(bytes) && bytes.is_multiple_of(64))
        .ok_or_else(|| format!("expected a multiple of 64 from 128 to {RECORD_BYTES_MAX}"))
}

fn two_shards(text: &str) -> Result<u32, String> {
    shards(text).and_then(|shards| if shards >= 2 { Ok(shards) } else { Err("expected two at least".into()) })
}

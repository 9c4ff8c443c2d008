//! What the benches take.

use super::{BenchAuth, shards};
use clap::{Args, ValueEnum, builder::RangedU64ValueParser};
use std::path::PathBuf;

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
    /// Write a page with the plots too, to report.html if no other file is named
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "report.html")]
    pub(crate) report: Option<PathBuf>,
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

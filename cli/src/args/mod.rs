//! What the command line takes.

mod bench;
mod help;

use arterial::protocol::{FieldElement, ShardCount, StateRoot, limits::SHARDS_MAX};
use arterial::rollup::chain::embedded::{STAKE_MAX, VALIDATORS_MAX};
#[cfg(feature = "ethereum")]
use arterial::rollup::chain::{contract::Address, ethereum::Endpoint};
pub(crate) use bench::{
    AllArgs, BenchAuth, BenchCommand, CommitArgs, FairnessArgs, IngestArgs, OpenArgs, OutputArgs, PeersArgs,
    PipelineArgs, ProveArgs, SettleArgs, VerifyBenchArgs, WorkloadName,
};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::RangedU64ValueParser};
#[cfg(feature = "ethereum")]
use help::{DEPLOY_HELP, REBUILD_HELP};
use help::{EXAMPLES, EXPORT_HELP, INSPECT_HELP, REPAIR_HELP, RUN_HELP, STATUS_HELP, TOP_HELP, VERIFY_HELP};
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, str::FromStr};

/// Makes medical-device writes durable, commits them, proves each block and settles it on a proof-of-stake chain.
#[derive(Parser, Debug)]
#[command(name = "arterial", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say more on stderr: -v progress, -vv details, -vvv everything. RUST_LOG, where it is set, decides instead
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Submit device readings, settle them, and verify receipts for them
    #[command(after_long_help = RUN_HELP, after_help = RUN_HELP)]
    Run(RunArgs),
    /// Put the settlement contract of a deployment on a chain
    #[cfg(feature = "ethereum")]
    #[command(after_long_help = DEPLOY_HELP, after_help = DEPLOY_HELP)]
    Deploy(crate::ethereum::DeployArgs),
    /// Rebuild the newest accounts from the blobs of a chain, and compare every state root
    #[cfg(feature = "ethereum")]
    #[command(after_long_help = REBUILD_HELP, after_help = REBUILD_HELP)]
    Rebuild(crate::ethereum::RebuildArgs),
    /// Show how far every block has come, and what it waits for
    #[command(after_long_help = STATUS_HELP, after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// Watch a deployment: writes, latencies, queues, and how far its blocks are
    #[command(after_long_help = TOP_HELP, after_help = TOP_HELP)]
    Top(TopArgs),
    /// Check receipts against a state root, step by step
    #[command(after_long_help = VERIFY_HELP, after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Show what a run's directory holds, and whether every file of it is whole
    #[command(after_long_help = INSPECT_HELP, after_help = INSPECT_HELP)]
    Inspect(InspectArgs),
    /// Mend what is damaged in a run's directory, as far as nothing that was acknowledged is touched
    #[command(after_long_help = REPAIR_HELP, after_help = REPAIR_HELP)]
    Repair(RepairArgs),
    /// Measure, beside what the machine could do at best
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Write a block's proof and its verifying key as snarkjs reads them
    #[command(after_long_help = EXPORT_HELP, after_help = EXPORT_HELP)]
    ExportProof(ExportArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Device files, or directories of them; without it, synthetic vitals
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    /// Copies of every device, each with keys of its own; the copies are named "LABEL#2", "LABEL#3", …
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
    pub(crate) replicate: u32,
    /// The deployment's directory: new, empty, or of an earlier run
    #[arg(long, value_name = "DIR", default_value = "arterial-run")]
    pub(crate) out: PathBuf,
    /// Receipts to take and verify: `sample` (64, spread over the devices), `all`, or how many
    #[arg(long, value_name = "WHICH", default_value = "sample")]
    pub(crate) receipts: Receipts,
    /// How devices authenticate their writes
    #[arg(long, value_enum, default_value_t = Auth::Ed25519)]
    pub(crate) auth: Auth,
    /// The report as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Serve what is measured to Prometheus, at http://ADDR/metrics, as long as the run lasts; a loopback address. Port 0
    /// takes a free one. The URL is on stderr
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Let --metrics be an address that other machines can reach
    #[arg(long, requires = "metrics")]
    pub(crate) metrics_exposed: bool,
    #[command(flatten)]
    pub(crate) synthetic: SyntheticArgs,
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    #[cfg(feature = "ethereum")]
    #[command(flatten)]
    pub(crate) ethereum: crate::ethereum::PostingArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Synthetic vitals")]
pub(crate) struct SyntheticArgs {
    /// Which vitals: the same for the same seed
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "input")]
    pub(crate) seed: u64,
    /// Bedside monitors
    #[arg(long, value_name = "N", default_value_t = 32, conflicts_with = "input",
        value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
    pub(crate) devices: u32,
    /// Seconds of each monitor's vitals; three readings a second and a few more
    #[arg(long, value_name = "N", default_value_t = 300, conflicts_with = "input",
        value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
    pub(crate) seconds: u32,
}

/// What each validator has at stake.
#[derive(Clone, Debug)]
pub(crate) struct Stakes(pub(crate) Vec<u64>);

#[derive(Args, Debug)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct DeploymentArgs {
    /// Shards, a power of two; 16 by default. Fixed when the directory is made
    #[arg(long, value_name = "N", value_parser = shards)]
    pub(crate) shards: Option<u32>,
    /// Records that make a block; 65,536 by default
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) block_records: Option<usize>,
    /// Milliseconds after which a smaller block is made; 2,000 by default
    #[arg(long, value_name = "MS", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) block_interval_ms: Option<u64>,
    /// Threads that prove; one for each core by default
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) prover_threads: Option<usize>,
    /// Milliseconds from one block of the embedded chain to the next; 1,000 by default. Fixed when the directory is made
    #[arg(long, value_name = "MS", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) slot_ms: Option<u64>,
    /// Validators of the embedded chain, by their number or by the stake of each, as 40,30,20,10; none by default. They check
    /// the proofs of every block before they vote for it, all in this process. Fixed when the directory is made
    #[arg(long, value_name = "N|STAKES", value_parser = stakes)]
    pub(crate) validators: Option<Stakes>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("root").required(true))]
pub(crate) struct VerifyArgs {
    /// Receipt files
    #[arg(value_name = "RECEIPT", required_unless_present = "deep", conflicts_with = "deep")]
    pub(crate) receipts: Vec<PathBuf>,
    /// The trusted state root of the receipts' block, 64 hex digits
    #[arg(long, value_name = "HEX", group = "root", value_parser = state_root)]
    pub(crate) state_root: Option<StateRoot>,
    /// A run's directory, whose chain is asked for the root of each receipt's block
    #[arg(long, value_name = "DIR", group = "root")]
    pub(crate) chain: Option<PathBuf>,
    /// A block instead of receipts: a run's directory and the block's number
    #[arg(long, value_names = ["DIR", "BLOCK"], num_args = 2, group = "root")]
    pub(crate) deep: Vec<OsString>,
    /// A node of the chain that has the settlement contract; give several to have them checked against each other
    #[cfg(feature = "ethereum")]
    #[arg(long, value_name = "URL", group = "root", requires = "contract")]
    pub(crate) rpc: Vec<Endpoint>,
    /// The settlement contract's address there
    #[cfg(feature = "ethereum")]
    #[arg(long, value_name = "ADDRESS", requires = "rpc")]
    pub(crate) contract: Option<Address>,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Show each receipt's content as JSON too
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// A deployment's directory
    pub(crate) dir: PathBuf,
    #[cfg(feature = "ethereum")]
    #[command(flatten)]
    pub(crate) contract: crate::ethereum::ContractArgs,
    /// Blocks to show, the newest; all are counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) last: u64,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// A deployment's directory, or where `arterial run --metrics` serves: http://127.0.0.1:9100
    #[arg(value_name = "DIR|URL")]
    pub(crate) source: OsString,
    #[cfg(feature = "ethereum")]
    #[command(flatten)]
    pub(crate) contract: crate::ethereum::ContractArgs,
    /// Seconds from one look to the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(1..=60))]
    pub(crate) every: u64,
    /// Look twice, print one frame as text, and end; needs no terminal
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A run's directory
    pub(crate) dir: PathBuf,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RepairArgs {
    /// A run's directory
    pub(crate) dir: PathBuf,
    /// Mend it; without this, only say what would be done
    #[arg(long)]
    pub(crate) apply: bool,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// A run's directory
    pub(crate) dir: PathBuf,
    /// The block's number, from 1
    pub(crate) block: u64,
    /// Where the three files go; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// How devices authenticate their writes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Auth {
    /// Each device signs: anybody can check authorship.
    Ed25519,
    /// Each device shares a MAC key with the sequencer: there is no third-party authorship.
    Mac,
}

/// Which receipts to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Receipts {
    All,
    Sample(usize),
}

const SAMPLE_DEFAULT: usize = 64;

impl FromStr for Receipts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "sample" => Ok(Self::Sample(SAMPLE_DEFAULT)),
            number => {
                number.parse().map(Self::Sample).map_err(|_| "expected `sample`, `all` or a number".into())
            }
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:9100 or [::1]:9100".into())
}

fn shards(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .and_then(ShardCount::new)
        .map(ShardCount::get)
        .ok_or_else(|| format!("expected a power of two from 1 to {SHARDS_MAX}: 1, 2, 4, 8, …"))
}

fn stakes(text: &str) -> Result<Stakes, String> {
    let all = text.split(',').map(|stake| stake.trim().parse().ok()).collect::<Option<Vec<u64>>>();
    let stakes = match all.as_deref() {
        Some(&[count]) => {
            usize::try_from(count).ok().filter(|count| *count <= VALIDATORS_MAX).map(|n| vec![1; n])
        }
        _ => all
            .filter(|all| all.len() <= VALIDATORS_MAX && all.iter().all(|one| (1..=STAKE_MAX).contains(one))),
    };
    stakes.map(Stakes).ok_or_else(|| {
        format!("expected a number up to {VALIDATORS_MAX}, or as many stakes from 1 to {STAKE_MAX} with commas between")
    })
}

fn state_root(text: &str) -> Result<StateRoot, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| {
        format!("expected 64 hex digits, with or without 0x, got {} characters", digits.chars().count())
    })?;
    FieldElement::from_be_bytes(bytes)
        .map(StateRoot)
        .ok_or_else(|| "it is no state root: one is below BN254's group order".into())
}

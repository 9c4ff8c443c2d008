//! What the command line takes.

use arterial::protocol::{
    FieldElement, ShardCount, StateRoot,
    limits::{BUNDLE_WRITES_MAX, RECORD_BYTES_MAX, SHARDS_MAX, SLOTS_END},
};
use arterial::rollup::chain::embedded::VALIDATORS_MAX;
#[cfg(feature = "ethereum")]
use arterial::rollup::chain::{contract::Address, ethereum::Endpoint};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::RangedU64ValueParser};
use std::{ffi::OsString, path::PathBuf, str::FromStr};

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

const EXAMPLES: &str = "\
Examples:
  arterial run                                      synthetic vitals, from the device to the final block
  arterial run --input recordings/ --replicate 100
  arterial verify arterial-run/receipts/* --chain arterial-run
  arterial inspect arterial-run
  arterial repair arterial-run
  arterial bench ingest

`arterial COMMAND --help` has each command's examples and exit codes.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Submit device readings, settle them, and verify receipts for them
    #[command(after_long_help = RUN_HELP, after_help = RUN_HELP)]
    Run(RunArgs),
    /// Put the settlement contract of a deployment on a chain
    #[cfg(feature = "ethereum")]
    #[command(after_long_help = DEPLOY_HELP, after_help = DEPLOY_HELP)]
    Deploy(crate::ethereum::DeployArgs),
    /// Show how far every block has come, and what it waits for
    #[command(after_long_help = STATUS_HELP, after_help = STATUS_HELP)]
    Status(StatusArgs),
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

const RUN_HELP: &str = "\
Devices sign their readings before the clock of the ingest starts, as they would on their own hardware. The
same command on the same directory goes on where an earlier one stopped; what was durable is counted as
`repeated`. Formats of --input: WFDB (.hea with .dat, formats 16 and 212), PPG counts (.csv), Dexcom Clarity
(.csv), FHIR R4 Observation or Bundle (.json), Open mHealth (.json).

The report, also in OUT/report.json: `records` are this run's writes that are durable, `repeated` those of
them that were so before; `records_per_second` are the others over `seconds`, from the first submit to the
last durable acknowledgement. `gas_per_block`, `gas_per_record` and `blocks` are of all blocks of OUT.

Examples:
  arterial run --devices 64 --seconds 600
  arterial run --input recordings/ --replicate 1000 --shards 16 --json
  arterial run --input recordings/ --receipts all --out ward-7
  arterial run --chain http://127.0.0.1:8545 --contract 0x… --keystore key.json --password-file password --out ward-7

Exit codes:
  0    everything submitted, final, and every receipt taken verifies
  1    it failed; stderr says why
  2    the command line is wrong
  3    it finished, but inputs were skipped or writes refused; stderr says which
  130  stopped by Ctrl-C: what was acknowledged is durable, the same command goes on";

#[cfg(feature = "ethereum")]
const DEPLOY_HELP: &str = "\
Begins a deployment in OUT, or takes the one that is there, and deploys its contract with the account as its sequencer.
Nothing secret is taken from the command line: the key is in an encrypted keystore, whose password is read from a file
or from the environment variable ARTERIAL_PASSWORD, or it stays with a remote signer.

Examples:
  arterial deploy --chain http://127.0.0.1:8545 --keystore key.json --password-file password --out ward-7
  arterial deploy --chain https://node.example --signer http://127.0.0.1:9000 --account 0x…

Exit codes:
  0    the contract is in a block; its address is on stdout
  1    it failed; stderr says why
  2    the command line is wrong";

const STATUS_HELP: &str = "\
Reads the blocks in DIR and the contract; writes nothing, and may be run while DIR is in use. What a block that is not
posted waits for is what the contract would say to it now.

Examples:
  arterial status ward-7 --chain http://127.0.0.1:8545 --contract 0x…
  arterial status arterial-run                      a run on the embedded chain
  arterial status ward-7 --chain http://127.0.0.1:8545 --contract 0x… --json

Exit codes:
  0    every block is final, or on its way
  1    a block can't be posted as things are, and an operator has to act; or it failed
  2    the command line is wrong";

const VERIFY_HELP: &str = "\
The root must come from a source that you trust. --chain reads it from the history of a run's embedded chain; --rpc asks
the settlement contract on a real one, by as many nodes as are given, of which none may contradict another; --state-root
takes what you read from the contract yourself.

--deep checks a whole block as an auditor does, from the directory's published files alone: the block's proof, the
proof that every record of its batches follows the rules, that the batches' bytes are those that were proven, and
the root on the chain in the directory. Nothing in it is secret.

Examples:
  arterial verify arterial-run/receipts/*.receipt --chain arterial-run
  arterial verify a.receipt --rpc https://node.example --rpc https://other.example --contract 0x…
  arterial verify a.receipt --state-root 0x0c6f… --print
  arterial verify --deep arterial-run 3

Exit codes:
  0    every receipt verifies, or the block does
  1    a receipt or the block does not, and the step that failed is named; or a root or file could not be read
  2    the command line is wrong";

const INSPECT_HELP: &str = "\
Nothing is changed. Run it while nothing writes there: what is just being written would read as damaged.

Examples:
  arterial inspect arterial-run
  arterial inspect arterial-run --json

Exit codes:
  0    everything is whole
  1    a file is damaged or missing, and is named; or DIR can't be read
  2    the command line is wrong";

const REPAIR_HELP: &str = "\
Without --apply nothing is changed: it says what it would do. Mended is what can be made again from the logs (batches,
indexes, segment headers, frames with one turned bit) and what nobody was told is durable (a torn tail, bytes behind
a segment's end); damaged checkpoints and temporary files are set aside. What is cut or replaced is first copied to
DIR/quarantine, under its file's name and the range of its bytes; nothing is deleted. Everything else is named, with
what is lost by it, and left as it is. The directory must not be in use. Opening it cuts a torn tail by itself;
whoever wants to keep that repairs first.

Examples:
  arterial repair arterial-run
  arterial repair arterial-run --apply
  arterial repair arterial-run --json

Exit codes:
  0    everything is whole, or was mended
  1    something can't be mended, and is named; or it failed
  2    the command line is wrong
  3    everything that is damaged can be mended: --apply does it";

const INGEST_HELP: &str = "\
Submits made-up writes as fast as they become durable, or with --rate at a given rate whatever the answers do. Latency
is from when a write was due until it is known to be durable, so that a stall counts for every write that it held up.
Nothing is proven; what is durable is sealed into batches behind the log, and with --commit moves the accounts, too.
Ed25519 writes are signed before the clock starts, all others while it runs. After the run the machine's own limits are
measured: the same bytes in commits of the same size by nothing but pwrite and fdatasync, with --rate also as many of
them a second and how long each takes; BLAKE3 of such records; and batches of Ed25519 signatures where devices sign.

Examples:
  arterial bench ingest
  arterial bench ingest --auth bundle --bundle 1024 --seconds 60
  arterial bench ingest --auth mac --rate 250000 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

const PROVE_HELP: &str = "\
Makes the proof of one block's batches from records that are accepted already: sorts them, moves the accounts, fills the
trace, proves and checks the proof; all of that is timed. Beside it stands what the proof system does with as many bare
permutations in the same run.

Examples:
  arterial bench prove
  arterial bench prove --records 65536 --devices 16384 --threads 1
  arterial bench prove --records 4096 --devices 512 --shards 16 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

const COMMIT_HELP: &str = "\
Moves the accounts of made-up records, block by block: heads, leaves, trees and the accounts' files, synced. Devices are
enrolled and batches made while the clock stands still. Beside it stands what the permutations take bare, in lanes and
on all cores, and how long reading the trees back took.

Examples:
  arterial bench commit
  arterial bench commit --records 1000000 --devices 100000 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

const FAIRNESS_HELP: &str = "\
Submits steady writes to one shard, first alone, then while one gateway floods another shard as fast as it can with
writes of devices that are as unequally busy as Zipf's law has it; then alarms, alone and while their own shard is
flooded with bulk writes. Blocks are made and committed behind all of it. Latency is from when a write was due until it
is known to be durable.

Examples:
  arterial bench fairness
  arterial bench fairness --rate 10000 --seconds 30 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

const EXPORT_HELP: &str = "\
Writes verification_key.json, public.json and proof.json, for
`snarkjs groth16 verify verification_key.json public.json proof.json`.

Examples:
  arterial export-proof arterial-run 3 --out block-3

Exit codes:
  0    the three files are written
  1    it failed; stderr says why
  2    the command line is wrong";

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
    /// Validators of the embedded chain, that check the proofs of every block before it is final; none by default. Each
    /// repeats the check, in this process. Fixed when the directory is made
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(..=VALIDATORS_MAX as u64))]
    pub(crate) validators: Option<u32>,
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
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct IngestArgs {
    /// How devices authenticate their writes
    #[arg(long, value_enum, default_value_t = BenchAuth::Mac)]
    pub(crate) auth: BenchAuth,
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
    /// Where to make the directory that is written to and removed again: a place on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Where to make the directory that is written to and removed again: a place on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
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
    /// How long each of four phases is, after a second that is not measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Where to make the directory that is written to and removed again: a place on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
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

fn shards(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .and_then(ShardCount::new)
        .map(ShardCount::get)
        .ok_or_else(|| format!("expected a power of two from 1 to {SHARDS_MAX}: 1, 2, 4, 8, …"))
}

fn two_shards(text: &str) -> Result<u32, String> {
    shards(text).and_then(|shards| if shards >= 2 { Ok(shards) } else { Err("expected two at least".into()) })
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

//! Why a command could not do its work.

use arterial::{
    BlockNumber, EngineError, EnrolError, SubmitError,
    rollup::{BlockStoreError, chain::ChainError, proof::ProofError},
};
use std::{io, net::SocketAddr, path::PathBuf};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    // The caller's misuse.
    #[error(
        "{} is not empty and holds no Arterial deployment: give --out a new or empty directory, or one of an earlier run",
        path.display()
    )]
    ForeignDirectory { path: PathBuf },
    #[error(
        "nothing to submit: no reading was found in the given files; `arterial run --help` lists the formats"
    )]
    NoReadings,
    #[error(
        "{got} writes are too many for one run: at most {max}; lower --replicate, --devices or --seconds"
    )]
    TooManyWrites { max: usize, got: usize },
    #[error("block {number} has no proof yet: the newest proven block is {newest}")]
    NotProven { number: u64, newest: BlockNumber },
    #[error(
        "{records} records of {devices} devices in {shards} shards: expected a device for each shard at least, and at most \
         1,024 records of each device"
    )]
    Workload { records: u32, devices: u32, shards: u32 },
    #[error("expected a block's number, from 1, got {got:?}")]
    BlockNumber { got: String },
    #[cfg(feature = "ethereum")]
    #[error("the contract has no block yet: there is nothing to rebuild")]
    NothingToRebuild,
    #[error("block 0 is the genesis, which has a root and no proof: blocks are numbered from 1")]
    Genesis,

    #[error(
        "no trusted state root: give --chain DIR, a run's directory, --rpc URL and --contract ADDRESS, or --state-root HEX, from the contract"
    )]
    NoRoot,
    #[error("{} has no directory `chain`: give --chain the directory that `arterial run --out` wrote", path.display())]
    NoChain { path: PathBuf },
    #[cfg(feature = "ethereum")]
    #[error("no account to post from: give --keystore FILE, or --signer URL and --account ADDRESS")]
    NoAccount,
    #[error("no chain: {} has no embedded one; give --chain URL and --contract ADDRESS", path.display())]
    NoChainGiven { path: PathBuf },
    #[error("{chain}; give --slot-ms and --validators as when the directory was made")]
    ChainSettings { chain: String },

    #[error(
        "{address} can be reached from other machines, which would see what is measured: give a loopback address such as \
         127.0.0.1:9100, or --metrics-exposed too"
    )]
    MetricsExposed { address: SocketAddr },
    #[error("standard output is no terminal: give --once for one frame as text")]
    NoTerminal,
    #[error("{} is no directory{hint}", path.display())]
    NoDirectory { path: PathBuf, hint: String },

    // Stopped.
    #[error("{0}")]
    Interrupted(String),

    // The environment.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "cannot serve metrics on {address}: {source}{}",
        if source.kind() == io::ErrorKind::AddrInUse { "; port 0 takes one that is free" } else { "" }
    )]
    Metrics { address: SocketAddr, source: io::Error },
    #[error("{url}: {what}")]
    Scrape { url: String, what: String },
    #[error("cannot bind threads to {cores} of the cores: {source}")]
    Cores { cores: usize, source: io::Error },
    #[error("the terminal: {0}")]
    Terminal(io::Error),
    #[error(
        "cannot run {}: {source}; `cargo build --release --manifest-path benches/peers/Cargo.toml --target-dir target` \
         builds it beside this command, in some minutes and with libclang for RocksDB, or without RocksDB by \
         `--no-default-features`", program.display()
    )]
    NoPeers { program: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("the operating system gave no random bytes: {0}")]
    Randomness(getrandom::Error),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Blocks(#[from] BlockStoreError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error("base chain: {0}")]
    Chain(#[from] ChainError),
    #[error("cannot enrol {label}: {source}")]
    Enrol { label: String, source: EnrolError },

    // Corruption, and what must never happen.
    #[error("{} is damaged: expected {expected} bytes, got {got}; without it the devices' keys are lost", path.display())]
    Seed { path: PathBuf, expected: usize, got: usize },
    #[error(
        "the base chain has no final state root for block {number}, though the engine says that it is final"
    )]
    NotOnChain { number: u64 },
    #[error("{}: {what}", path.display())]
    Receipt { path: PathBuf, what: String },
    #[error("a receipt does not do as it should: {what}")]
    WrongReceipt { what: String },
    #[error("{failed} of {checked} receipts do not verify; the first: {first}")]
    Receipts { failed: usize, checked: usize, first: String },
    #[cfg(feature = "ethereum")]
    #[error("what the blobs hold does not follow: {source}")]
    Rebuild { source: arterial::rollup::delta::DeltaError },
    #[cfg(feature = "ethereum")]
    #[error(
        "block {number}: the blobs lead to the state root {ours}, the contract has {}",
        theirs.map_or("none".to_owned(), |root| root.to_string())
    )]
    RebuiltOtherwise { number: BlockNumber, ours: arterial::StateRoot, theirs: Option<arterial::StateRoot> },
}

/// Adds what was being done, and to which file, to an operating system's error.
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, CliError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, CliError> {
        self.map_err(|source| CliError::Io { action, path: path.to_owned(), source })
    }
}

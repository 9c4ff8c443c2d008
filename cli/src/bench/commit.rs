//! `arterial bench commit`: how many records a second move their accounts, when nothing else is done.

use super::{
    committer::BLOCK_RECORDS,
    findings::{Findings, side_by_side},
    ingest::DOMAIN,
    machine::{Permutations, permutations_per_second},
    report::rounded,
    trees::Trees,
};
use crate::{
    args::CommitArgs,
    error::CliError,
    interrupt::Interrupt,
    lines::Lines,
    output::{counted, grouped},
    page::{Section, Tile},
};
use arterial::{
    EngineError,
    protocol::{
        AccountRun, Batch, BlockNumber, Digest, Link, ShardCount, ShardId,
        limits::{ACCOUNTS_DEPTH, RUN_RECORDS_MAX},
    },
    storage::FileStorage,
};
use serde::Serialize;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// What `arterial bench commit` prints.
#[derive(Serialize, Debug)]
pub(crate) struct CommitReport {
    records: u64,
    devices: u32,
    shards: u32,
    blocks: u64,
    seconds: f64,
    records_per_second: f64,
    /// Of the accounts' files, synced shard by shard and block by block.
    written_bytes: u64,
    /// Checking every node of every tree as a restart does.
    reopen_seconds: f64,
    /// Permutations that the accounts took: heads and leaves, and nodes.
    p24: u64,
    p16: u64,
    bare_p24_per_second: f64,
    bare_p16_per_second: f64,
    /// The time that these permutations take bare, over the time that was taken.
    ratio_to_bare: f64,
}

/// Measures; the report.
pub(crate) fn measure(args: &CommitArgs, interrupt: &Interrupt) -> Result<CommitReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let mut trees = Trees::create(&FileStorage, dir.path(), DOMAIN, count)?;
    let mut accounts = Accounts::new(args);
    trees.apply(accounts.enrolments()?.iter())?;
    let before_bytes = file_bytes(dir.path())?;
    let (mut took, mut left, mut blocks) = (Duration::ZERO, args.records, 0);
    while left > 0 && !interrupt.is_raised() {
        let records = left.min(accounts.block_records());
        let batches = accounts.next_block(records)?;
        let begun = Instant::now();
        trees.apply(batches.iter())?;
        took += begun.elapsed();
        left -= records;
        blocks += 1;
    }
    let written_bytes = file_bytes(dir.path())? - before_bytes;
    let roots = trees.roots();
    drop(trees);
    let begun = Instant::now();
    drop(Trees::open(&FileStorage, dir.path(), DOMAIN, &roots)?);
    let reopen_seconds = begun.elapsed().as_secs_f64();
    let done = Done { records: args.records - left, blocks, took, written_bytes, reopen_seconds };
    Ok(CommitReport::new(args, &done, &accounts, permutations_per_second()))
}

struct Done {
    records: u64,
    blocks: u64,
    took: Duration,
    written_bytes: u64,
    reopen_seconds: f64,
}

fn file_bytes(dir: &Path) -> Result<u64, CliError> {
    let sum = || fs::read_dir(dir)?.map(|entry| Ok(entry?.metadata()?.len())).sum::<std::io::Result<u64>>();
    sum().map_err(|source| CliError::Io { action: "measure", path: dir.to_owned(), source })
}

/// The devices of all shards, which write in turn: the n-th is in shard n modulo their number, in its next free slot.
struct Accounts {
    shards: u32,
    devices: u32,
    written: u64,
    number: BlockNumber,
    permuted: Permuted,
}

#[derive(Clone, Copy, Default)]
struct Permuted {
    p24: u64,
    p16: u64,
}

impl Accounts {
    const fn new(args: &CommitArgs) -> Self {
        let permuted = Permuted { p24: 0, p16: 0 };
        let (shards, devices) = (args.shards, args.devices);
        Self { shards, devices, written: 0, number: BlockNumber::GENESIS, permuted }
    }

    /// What one block takes: of no device more than its cap.
    fn block_records(&self) -> u64 {
        (BLOCK_RECORDS as u64).min(u64::from(self.devices) * RUN_RECORDS_MAX as u64)
    }

    fn slots(&self, shard: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        let (devices, shards) = (self.devices, self.shards);
        (0..).map(move |slot| (slot, slot * shards + shard)).take_while(move |(_, device)| *device < devices)
    }

    fn enrolments(&mut self) -> Result<Vec<Batch>, CliError> {
        self.block(|slot, _| (Some(digest(u64::from(slot))), Vec::new()))
    }

    /// The next records, of each device that has its turn.
    fn next_block(&mut self, records: u64) -> Result<Vec<Batch>, CliError> {
        let (first, end, devices) = (self.written, self.written + records, u64::from(self.devices));
        self.written = end;
        let turns_before = move |device: u32, end: u64| (end + devices - 1 - u64::from(device)) / devices;
        let batches = self.block(|_, device| {
            let seqs = turns_before(device, first)..turns_before(device, end);
            (None, seqs.map(|seq| link(u64::from(device) ^ seq << 32, seq)).collect())
        })?;
        self.permuted.count(&batches);
        Ok(batches)
    }

    fn block(
        &mut self,
        run: impl Fn(u32, u32) -> (Option<Digest>, Vec<Link>),
    ) -> Result<Vec<Batch>, CliError> {
        self.number = self.number.next();
        let shard = |shard: u32| {
            let mut batch = Batch::new(ShardId(shard), self.number);
            for (slot, device) in self.slots(shard) {
                let (enrolment, links) = run(slot, device);
                if enrolment.is_some() || !links.is_empty() {
                    batch.push(AccountRun { slot, enrolment, links: &links })?;
                }
            }
            Ok(batch)
        };
        (0..self.shards).map(shard).collect::<Result<_, _>>().map_err(|source| {
            EngineError::from(arterial::shards::ShardError::Batch { shard: ShardId(0), source }).into()
        })
    }
}

impl Permuted {
    /// A `C24` for each record and each account's leaf, a `C16` for each node above those.
    fn count(&mut self, batches: &[Batch]) {
        for batch in batches {
            let slots: Vec<u32> = batch.runs().map(|run| run.slot).collect();
            self.p24 += (batch.record_count() + slots.len()) as u64;
            let nodes = |level: usize| slots.chunk_by(|a, b| a >> level == b >> level).count() as u64;
            self.p16 += (1..=ACCOUNTS_DEPTH).map(nodes).sum::<u64>();
        }
    }
}

/// A digest without meaning.
fn digest(n: u64) -> Digest {
    let mut bytes = [0x5a; 32];
    for (chunk, shift) in bytes.as_chunks_mut::<8>().0.iter_mut().zip([0, 7, 19, 41]) {
        *chunk = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(shift).to_le_bytes();
    }
    Digest::reduce(bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "no bench writes 2^30 records of a device")]
fn link(n: u64, seq: u64) -> Link {
    Link { digest: digest(n), seq: seq as u32, observed_at_ms: 1_735_689_600_000 + seq, kind: 1 }
}

impl CommitReport {
    #[expect(clippy::cast_precision_loss, reason = "rates and times")]
    fn new(args: &CommitArgs, done: &Done, accounts: &Accounts, bare: Permutations) -> Self {
        let Done { records, blocks, took, written_bytes, reopen_seconds } = *done;
        let Permuted { p24, p16 } = accounts.permuted;
        let seconds = took.as_secs_f64();
        Self {
            records,
            devices: args.devices,
            shards: args.shards,
            blocks,
            seconds,
            records_per_second: records as f64 / seconds,
            written_bytes,
            reopen_seconds,
            p24,
            p16,
            bare_p24_per_second: bare.p24,
            bare_p16_per_second: bare.p16,
            ratio_to_bare: (p24 as f64 / bare.p24 + p16 as f64 / bare.p16) / seconds,
        }
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        let mut line = |name: &str, value: String| lines.push(name, value);
        let Self { records, devices, shards, blocks, .. } = *self;
        line(
            "records",
            format!(
                "{} of {} in {}",
                grouped(records),
                counted(devices.into(), "device"),
                counted(shards.into(), "shard")
            ),
        );
        line("committed", format!("in {:.2} s, in {}", self.seconds, counted(blocks, "block")));
        line("records per second", rounded(self.records_per_second));
        line("accounts' files", format!("{} MB written and synced", self.written_bytes / 1_000_000));
        line("opened again", format!("in {:.2} s", self.reopen_seconds));
        line("permutations", format!("{} P24, {} P16", grouped(self.p24), grouped(self.p16)));
        line(
            "bare in lanes",
            format!(
                "{} P24 or {} P16 per second on all cores: {:.0}% of it reached",
                rounded(self.bare_p24_per_second),
                rounded(self.bare_p16_per_second),
                100.0 * self.ratio_to_bare
            ),
        );
        lines
    }
}

impl Findings for CommitReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![("records_per_second", self.records_per_second), ("ratio_to_bare", self.ratio_to_bare)]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![Tile::new(rounded(self.records_per_second), "records committed a second")]
    }

    fn sections(&self) -> Vec<Section> {
        let bare = self.records_per_second / self.ratio_to_bare;
        let figures = [("measured", self.records_per_second), ("bare permutations", bare)];
        let note = "Records a second, beside what the permutations that they take allow bare, in lanes and on all cores.";
        let chart = side_by_side("Beside bare permutations", note, "a second", &figures);
        vec![Section::new("Accounts moved", self.lines(), vec![chart])]
    }
}

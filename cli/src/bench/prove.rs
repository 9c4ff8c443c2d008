//! `arterial bench prove`: how many records a second are proven, from accepted records to a proof that was checked.

use super::{
    bare_proofs::{p16_per_second, p24_per_second},
    findings::{Findings, side_by_side},
};
use crate::{
    args::ProveArgs,
    error::CliError,
    lines::Lines,
    output::{counted, grouped},
    page::{Section, Tile},
    soundness,
};
use arterial::{
    EngineError,
    protocol::{
        AccountRun, Batch, BlockNumber, DataDigest, Digest, Domain, FieldElement, Link, ShardId, ShardLeaf,
        limits::{ACCOUNTS_DEPTH, RUN_RECORDS_MAX},
    },
    rollup::{
        accounts::{AccountsFile, AccountsTree, Before, TreeRoot},
        batch_proof::{
            BatchProver as _, BatchWitness, Options, Soundness, StarkProver, Witness, check_moves,
        },
    },
    storage::MemoryStorage,
    telemetry::peak_resident_bytes,
};
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use std::{path::Path, time::Instant};

/// What `arterial bench prove` prints.
#[derive(Serialize, Debug)]
pub(crate) struct ProveReport {
    records: u32,
    devices: u32,
    shards: u32,
    threads: usize,
    records_per_second: f64,
    /// Sorting, batches, the accounts' move, trace, proof and its check.
    prove_seconds: f64,
    trace_cells: usize,
    proof_bytes: usize,
    segments: usize,
    verify_ms: f64,
    /// Of this process at its highest, until the proof was made.
    peak_rss_bytes: u64,
    proven_bits: f64,
    soundness: String,
    /// Permutations that the batches take: heads and leaves, and nodes.
    p24: usize,
    p16: usize,
    bare_p24_per_second: f64,
    bare_p16_per_second: f64,
    /// The time that these permutations take bare, over the time that was taken.
    ratio_to_bare: f64,
}

/// Measures; the report.
pub(crate) fn measure(args: &ProveArgs) -> Result<ProveReport, CliError> {
    let records_max = u64::from(args.devices) * RUN_RECORDS_MAX as u64;
    if args.devices < args.shards || u64::from(args.records) > records_max {
        let ProveArgs { records, devices, shards, .. } = *args;
        return Err(CliError::Workload { records, devices, shards });
    }
    // 0 threads are as many as the machine has.
    let pool = ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or(0)).build();
    let pool = pool.expect("a system that runs a bench has threads");
    pool.install(|| measure_here(args))
}

fn measure_here(args: &ProveArgs) -> Result<ProveReport, CliError> {
    let mut shards =
        (0..args.shards).map(|id| Shard::enrolled(args, ShardId(id))).collect::<Result<Vec<_>, _>>()?;
    let accepted: Vec<Vec<(u32, Link)>> = (0..args.shards).map(|shard| accepted(args, shard)).collect();

    let before_leaves = leaves(&shards, &[]);
    let begun = Instant::now();
    let number = BlockNumber(2);
    let mut sealed = Vec::with_capacity(shards.len());
    for (shard, accepted) in shards.iter_mut().zip(accepted) {
        let batch = seal(shard.id, number, accepted);
        let before = shard.tree.before(&batch);
        shard.tree.apply(&batch, &shard.file).map_err(EngineError::from)?;
        let data = DataDigest::of(&batch.encode());
        sealed.push((batch, before, data));
    }
    let batches: Vec<BatchWitness<'_>> = sealed
        .iter()
        .map(|(batch, before, data)| BatchWitness {
            batch,
            accounts: before.accounts(),
            tree: before,
            data: *data,
        })
        .collect();
    let proven = StarkProver
        .prove(&Witness { number, batches: &batches }, &Options::default())
        .map_err(EngineError::from)?;
    let prove_seconds = begun.elapsed().as_secs_f64();
    check_moves(&before_leaves, &leaves(&shards, &sealed), proven.statement()).map_err(EngineError::from)?;
    let peak_rss_bytes = peak_resident_bytes().unwrap_or(0);

    let begun = Instant::now();
    StarkProver.verify(proven.statement(), proven.proof()).map_err(EngineError::from)?;
    let verify_ms = begun.elapsed().as_secs_f64() * 1e3;
    let (p24, p16) = sealed
        .iter()
        .map(|(batch, ..)| permutations(batch))
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (bare_p24, bare_p16) = (p24_per_second(p24), p16_per_second(p16));
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let bare_seconds = p24 as f64 / bare_p24 + p16 as f64 / bare_p16;
    Ok(ProveReport {
        records: args.records,
        devices: args.devices,
        shards: args.shards,
        threads: rayon::current_num_threads(),
        records_per_second: f64::from(args.records) / prove_seconds,
        prove_seconds,
        trace_cells: proven.trace_cells().unwrap_or_default(),
        proof_bytes: proven.proof().len(),
        segments: proven.soundness().len(),
        verify_ms,
        peak_rss_bytes,
        proven_bits: Soundness::together(proven.soundness()),
        soundness: soundness::text(proven.soundness()),
        p24,
        p16,
        bare_p24_per_second: bare_p24,
        bare_p16_per_second: bare_p16,
        ratio_to_bare: bare_seconds / prove_seconds,
    })
}

/// A shard's accounts, in memory.
struct Shard {
    id: ShardId,
    tree: AccountsTree,
    file: AccountsFile,
}

impl Shard {
    /// With its part of the devices, in its first slots, as they are after enrolment.
    fn enrolled(args: &ProveArgs, id: ShardId) -> Result<Self, CliError> {
        let storage = MemoryStorage::default();
        let file = AccountsFile::open(&storage, Path::new("nodes"), id, Domain(FieldElement::ZERO))
            .map_err(EngineError::from)?;
        let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).map_err(EngineError::from)?;
        let mut batch = Batch::new(id, BlockNumber(1));
        for slot in 0..devices_of(args, id.0) {
            let run = AccountRun { slot, enrolment: Some(digest(slot)), links: &[] };
            batch.push(run).expect("slots rise");
        }
        tree.apply(&batch, &file).map_err(EngineError::from)?;
        Ok(Self { id, tree, file })
    }
}

/// The shards as a block commits to them, after their batches if they have one. What is proven must move them so.
fn leaves(shards: &[Shard], sealed: &[(Batch, Before, DataDigest)]) -> Vec<ShardLeaf> {
    let leaf = |(at, shard): (usize, &Shard)| ShardLeaf {
        accounts_root: shard.tree.root().digest,
        total_records: sealed.get(at).map_or(0, |(batch, ..)| batch.record_count() as u64),
        data: sealed.get(at).map_or(DataDigest::default(), |(.., data)| *data),
        ..ShardLeaf::genesis(shard.id)
    };
    shards.iter().enumerate().map(leaf).collect()
}

/// How many devices, or records, of so many are a shard's.
const fn part(all: u32, shards: u32, shard: u32) -> u32 {
    all / shards + (shard < all % shards) as u32
}

const fn devices_of(args: &ProveArgs, shard: u32) -> u32 {
    part(args.devices, args.shards, shard)
}

/// Accepted records in the order of their arrival: devices take turns.
fn accepted(args: &ProveArgs, shard: u32) -> Vec<(u32, Link)> {
    let devices = devices_of(args, shard);
    (0..part(args.records, args.shards, shard))
        .map(|n| {
            (n % devices, Link { digest: digest(n), seq: n / devices, observed_at_ms: n.into(), kind: 1 })
        })
        .collect()
}

/// The batch of what was accepted.
fn seal(shard: ShardId, number: BlockNumber, mut accepted: Vec<(u32, Link)>) -> Batch {
    accepted.sort_unstable_by_key(|(slot, link)| (*slot, link.seq));
    let mut batch = Batch::new(shard, number);
    let mut links = Vec::new();
    for run in accepted.chunk_by(|left, right| left.0 == right.0) {
        links.clear();
        links.extend(run.iter().map(|(_, link)| *link));
        batch.push(AccountRun { slot: run[0].0, enrolment: None, links: &links }).expect("slots rise");
    }
    batch
}

fn digest(number: u32) -> Digest {
    let mut bytes = [0x5a; 32];
    for (chunk, shift) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(1..) {
        *chunk = number.rotate_left(shift).to_le_bytes();
    }
    Digest::reduce(bytes)
}

/// How many permutations of width 24 and 16 a batch takes.
fn permutations(batch: &Batch) -> (usize, usize) {
    let slots: Vec<u32> = batch.runs().map(|run| run.slot).collect();
    let nodes: usize =
        (1..=ACCOUNTS_DEPTH).map(|level| slots.chunk_by(|a, b| a >> level == b >> level).count()).sum();
    (batch.record_count() + 2 * slots.len(), 2 * nodes)
}

impl ProveReport {
    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        let of = format!(
            "{} of {}",
            counted(self.records.into(), "record"),
            counted(self.devices.into(), "device")
        );
        let mut line = |what: &str, figure: String| lines.push(what, figure);
        let (shards, threads) =
            (counted(self.shards.into(), "shard"), counted(self.threads as u64, "thread"));
        line("proven", format!("{of}, {shards}, {threads}"));
        line("records a second", format!("{:.0}", self.records_per_second));
        line("seconds", format!("{:.2}", self.prove_seconds));
        line("cells of the trace", grouped(self.trace_cells as u64));
        line(
            "bytes of the proof",
            format!("{} in {}", grouped(self.proof_bytes as u64), counted(self.segments as u64, "segment")),
        );
        line("verified in", format!("{:.1} ms", self.verify_ms));
        line("memory at its peak", format!("{} MiB", self.peak_rss_bytes >> 20));
        line("soundness", self.soundness.clone());
        line("bare P24 a second", format!("{:.0}", self.bare_p24_per_second));
        line("bare P16 a second", format!("{:.0}", self.bare_p16_per_second));
        line("of the bare permutations' rate", format!("{:.2}", self.ratio_to_bare));
        lines
    }
}

impl ProveReport {
    pub(crate) const fn records_per_second(&self) -> f64 {
        self.records_per_second
    }
}

impl Findings for ProveReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![("records_per_second", self.records_per_second), ("ratio_to_bare", self.ratio_to_bare)]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(format!("{:.0}", self.records_per_second), "records proven a second"),
            Tile::new(format!("{:.0} bits", self.proven_bits.floor()), "proven soundness"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        let bare = self.records_per_second / self.ratio_to_bare;
        let figures = [("measured", self.records_per_second), ("bare permutations", bare)];
        let note = "Records a second, beside what the same proof system does with as many bare permutations.";
        let chart = side_by_side("Beside bare permutations", note, "a second", &figures);
        vec![Section::new("Records proven", self.lines(), vec![chart])]
    }
}

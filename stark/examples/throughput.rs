//! Records proven a second, from accepted records to a verified proof, beside bare permutations of `p3-poseidon1-air`.
//!
//! ```text
//! cargo run --release -p arterial-stark --example throughput -- \
//!     [--records 262144] [--devices 16384] [--threads T] [--json]
//! ```
//! Devices have the shard's first slots, as they do after enrolment. The bare rate is of one permutation to a row, and
//! of eight, under the same parameters and hash; the ratio is the time that the batch's permutations would take bare
//! to the time that the batch takes.

use arterial_protocol::{
    Account, AccountRun, Batch, BlockNumber, DataDigest, Digest, Link, ShardId, empty_subtree, leaves,
    limits::ACCOUNTS_DEPTH, poseidon::koala,
};
use arterial_stark::{
    BatchWitness, Blake3, OldTree, Options, Proof, Queries, Witness, config, prove, verify,
};
use p3_koala_bear::{KOALABEAR_POSEIDON1_RC_16, KOALABEAR_POSEIDON1_RC_24, KoalaBear, MDSKoalaBearData};
use p3_monty_31::MDSUtils;
use p3_poseidon1::Poseidon1Constants;
use p3_poseidon1_air::VectorizedPoseidon1Air;
use std::time::Instant;

/// Permutations of one bare proof.
const BARE: usize = 1 << 16;

struct Arguments {
    records: u32,
    devices: u32,
    threads: usize,
    json: bool,
}

impl Arguments {
    fn parse() -> Self {
        let mut parsed = Self { records: 1 << 18, devices: 1 << 14, threads: 0, json: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number =
                || arguments.next().and_then(|text| text.parse::<u32>().ok()).expect("a number follows");
            match argument.as_str() {
                "--records" => parsed.records = number(),
                "--devices" => parsed.devices = number(),
                "--threads" => parsed.threads = number() as usize,
                "--json" => parsed.json = true,
                other => panic!("{other} is not an option"),
            }
        }
        parsed
    }
}

fn main() {
    let arguments = Arguments::parse();
    // 0 threads are as many as the machine has.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build().expect("a thread pool");
    pool.install(|| measure(&arguments));
}

fn measure(arguments: &Arguments) {
    let accounts: Vec<Account> = (0..arguments.devices).map(|slot| Account::open(digest(slot))).collect();
    let tree = Tree::new(&accounts);
    let accepted = accepted(arguments);

    let start = Instant::now();
    let batch = seal(accepted);
    let before: Vec<Option<Account>> =
        batch.runs().map(|run| accounts.get(run.slot as usize).copied()).collect();
    let data = DataDigest::of(&batch.encode());
    let batches = [BatchWitness { batch: &batch, accounts: &before, tree: &tree, data }];
    let witness = Witness { number: batch.number, batches: &batches };
    let proof = prove::<Blake3>(&witness, &Options::default()).expect("a valid batch");
    let prove_seconds = start.elapsed().as_secs_f64();
    let peak_rss_bytes = peak_rss_bytes();
    let Proof { verified, bytes, trace_cells, .. } = proof;
    let start = Instant::now();
    verify::<Blake3>(&verified.statement, &bytes).expect("a valid proof");
    let verify_ms = start.elapsed().as_secs_f64() * 1e3;

    let [narrow, wide] = [bare::<1>(), bare::<8>()];
    let permutations = permutations(&batch);
    let ratio = |rates: [f64; 2]| (permutations[0] / rates[0] + permutations[1] / rates[1]) / prove_seconds;
    let figures = [
        ("records_per_second", f64::from(arguments.records) / prove_seconds, 0),
        ("prove_seconds", prove_seconds, 3),
        ("trace_cells", trace_cells as f64, 0),
        ("proof_bytes", bytes.len() as f64, 0),
        ("verify_ms", verify_ms, 1),
        ("peak_rss_bytes", peak_rss_bytes as f64, 0),
        ("proven_bits", verified.bits(), 1),
        ("segments", verified.segments.len() as f64, 0),
        ("bare_c24_per_second", narrow[0], 0),
        ("bare_c16_per_second", narrow[1], 0),
        ("ratio_to_bare", ratio(narrow), 2),
        ("bare_c24_per_second_eight_to_a_row", wide[0], 0),
        ("bare_c16_per_second_eight_to_a_row", wide[1], 0),
        ("ratio_to_bare_eight_to_a_row", ratio(wide), 2),
    ];
    if arguments.json {
        let fields = figures.map(|(name, figure, digits)| format!("\"{name}\":{figure:.digits$}"));
        println!("{{{}}}", fields.join(","));
    } else {
        for (name, figure, digits) in figures {
            println!("{name:36} {figure:.digits$}");
        }
    }
}

/// The tree over the first slots, level by level; beyond them are unused slots.
struct Tree(Vec<Vec<Digest>>);

impl Tree {
    fn new(accounts: &[Account]) -> Self {
        let mut levels = vec![leaves(accounts)];
        for level in 0..ACCOUNTS_DEPTH {
            let pairs: Vec<[Digest; 2]> = levels[level]
                .chunks(2)
                .map(|pair| [pair[0], pair.get(1).copied().unwrap_or_else(|| empty_subtree(level))])
                .collect();
            levels.push(koala::nodes(&pairs));
        }
        Self(levels)
    }
}

impl OldTree for Tree {
    fn node(&self, level: usize, index: u32) -> Digest {
        self.0[level].get(index as usize).copied().unwrap_or_else(|| empty_subtree(level))
    }
}

fn digest(number: u32) -> Digest {
    let mut bytes = [0x5a; 32];
    for (chunk, shift) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(1..) {
        *chunk = number.rotate_left(shift).to_le_bytes();
    }
    Digest::reduce(bytes)
}

/// Accepted records in the order of their arrival: devices take turns.
fn accepted(arguments: &Arguments) -> Vec<(u32, Link)> {
    (0..arguments.records)
        .map(|n| {
            let (slot, seq) = (n % arguments.devices, n / arguments.devices);
            (slot, Link { digest: digest(n), seq, observed_at_ms: n.into(), kind: 1 })
        })
        .collect()
}

/// The batch of what was accepted.
fn seal(mut accepted: Vec<(u32, Link)>) -> Batch {
    accepted.sort_unstable_by_key(|(slot, link)| (*slot, link.seq));
    let mut batch = Batch::new(ShardId(0), BlockNumber(1));
    let mut links = Vec::new();
    for run in accepted.chunk_by(|left, right| left.0 == right.0) {
        links.clear();
        links.extend(run.iter().map(|(_, link)| *link));
        batch.push(AccountRun { slot: run[0].0, enrolment: None, links: &links }).expect("runs are in order");
    }
    batch
}

/// How many `C24` and `C16` a batch takes.
fn permutations(batch: &Batch) -> [f64; 2] {
    let slots: Vec<u32> = batch.runs().map(|run| run.slot).collect();
    let nodes: usize =
        (1..=ACCOUNTS_DEPTH).map(|level| slots.chunk_by(|a, b| a >> level == b >> level).count()).sum();
    let c24 = batch.record_count() + 2 * slots.len();
    [c24 as f64, (2 * nodes) as f64]
}

/// Bare permutations of width 24 and 16 a second, so many to a row.
fn bare<const TO_A_ROW: usize>() -> [f64; 2] {
    let system = config::<Blake3>(Queries(176));
    let (full, partial) = Poseidon1Constants::<KoalaBear, 24> {
        rounds_f: 8,
        rounds_p: 23,
        mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_24_COL,
        round_constants: KOALABEAR_POSEIDON1_RC_24.to_vec(),
    }
    .to_optimized();
    let air = VectorizedPoseidon1Air::<KoalaBear, 24, 3, 0, 4, 23, TO_A_ROW>::new(full, partial);
    let start = Instant::now();
    let trace = air.generate_vectorized_trace_rows(BARE, 1);
    p3_uni_stark::prove(&system, &air, trace, &[]).expect("a proof");
    let c24 = start.elapsed().as_secs_f64();

    let (full, partial) = Poseidon1Constants::<KoalaBear, 16> {
        rounds_f: 8,
        rounds_p: 20,
        mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_16_COL,
        round_constants: KOALABEAR_POSEIDON1_RC_16.to_vec(),
    }
    .to_optimized();
    let air = VectorizedPoseidon1Air::<KoalaBear, 16, 3, 0, 4, 20, TO_A_ROW>::new(full, partial);
    let start = Instant::now();
    let trace = air.generate_vectorized_trace_rows(BARE, 1);
    p3_uni_stark::prove(&system, &air, trace, &[]).expect("a proof");
    [c24, start.elapsed().as_secs_f64()].map(|seconds| BARE as f64 / seconds)
}

/// The most memory that this process has held, by `/proc`; 0 where there is none.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

//! What `--help` says of each command beside its options.

pub(super) const EXAMPLES: &str = "\
Examples:
  arterial run                                      synthetic vitals, from the device to the final block
  arterial run --input recordings/ --replicate 100
  arterial verify arterial-run/receipts/* --chain arterial-run
  arterial inspect arterial-run
  arterial repair arterial-run
  arterial bench ingest
  arterial run --seconds 3600 --metrics 127.0.0.1:9100 & arterial top http://127.0.0.1:9100

`arterial COMMAND --help` has each command's examples and exit codes.";

pub(super) const RUN_HELP: &str = "\
Devices sign their readings before the clock of the ingest starts, as they would on their own hardware. The
same command on the same directory goes on where an earlier one stopped; what was durable is counted as
`repeated`. Formats of --input: WFDB (.hea with .dat, formats 16 and 212), PPG counts (.csv), Dexcom Clarity
(.csv), FHIR R4 Observation or Bundle (.json), Open mHealth (.json).

The report, also in OUT/report.json, and as a page with plots and one record's path to the chain in OUT/report.html:
`records` are this run's writes that are durable, `repeated` those of
them that were so before; `records_per_second` are the others over `seconds`, from the first submit to the
last durable acknowledgement. `gas_per_block`, `gas_per_record` and `blocks` are of all blocks of OUT.

--metrics serves what the engine measures to Prometheus, and to `arterial top`. Nobody is asked for a password and
nothing is encrypted, so the address has to be a loopback one, unless --metrics-exposed says that others may read it.
Nothing in it is secret or tells of a patient. dashboards/arterial.json in the repository is for Grafana.

Examples:
  arterial run --devices 64 --seconds 600
  arterial run --input recordings/ --replicate 1000 --shards 16 --json
  arterial run --input recordings/ --receipts all --out ward-7
  arterial run --devices 256 --seconds 3600 --metrics 127.0.0.1:9100
  arterial run --validators 4 --out ward-7                a proof-of-stake chain in process, stakes alike
  arterial run --validators 40,30,20,10 --out ward-7
  arterial run --chain http://127.0.0.1:8545 --contract 0x… --keystore key.json --password-file password --out ward-7

Exit codes:
  0    everything submitted, final, and every receipt taken verifies
  1    it failed; stderr says why
  2    the command line is wrong
  3    it finished, but inputs were skipped or writes refused; stderr says which
  130  stopped by Ctrl-C: what was acknowledged is durable, the same command goes on";

#[cfg(feature = "ethereum")]
pub(super) const REBUILD_HELP: &str = "\
Needs nothing but the chain: the contract's address, a node, and a beacon node that still has the blobs of every block from
the first on. Blocks must have been posted by `arterial run --blobs`. Nothing in a blob is believed: after each block the
accounts must lead to the state root that the contract has.

Examples:
  arterial rebuild --rpc http://127.0.0.1:8545 --beacon http://127.0.0.1:5052 --contract 0x…

Exit codes:
  0    every block was rebuilt
  1    it failed; stderr says at which block, and why
  2    the command line is wrong";

#[cfg(feature = "ethereum")]
pub(super) const DEPLOY_HELP: &str = "\
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

pub(super) const STATUS_HELP: &str = "\
Reads the blocks in DIR and the contract; writes nothing, and may be run while DIR is in use. What a block that is not
posted waits for is what the contract would say to it now. Of an embedded chain with validators it shows what each has at
stake, who is silent, who was slashed and for what, and the newest certificate, which it checks.

Examples:
  arterial status ward-7 --chain http://127.0.0.1:8545 --contract 0x…
  arterial status arterial-run                      a run on the embedded chain
  arterial status ward-7 --chain http://127.0.0.1:8545 --contract 0x… --json

Exit codes:
  0    every block is final, or on its way
  1    a block can't be posted as things are, or validators refuse it, and an operator has to act; or it failed
  2    the command line is wrong";

pub(super) const TOP_HELP: &str = "\
A URL shows everything: writes a second, latencies and gas over the last few looks, queues, backlogs, and blocks as they
come. Records and gas of a block are known from the look on that saw it come, and averages where several came between
two. A directory shows its blocks, read as `arterial status` reads them, also while it is in use; the rest is known to
the running process alone. What can't be reached any more is tried again.

Keys: q quit, p pause, up and down (or k and j) through the blocks, Home and End.

Examples:
  arterial top http://127.0.0.1:9100
  arterial top arterial-run
  arterial top ward-7 --chain http://127.0.0.1:8545 --contract 0x…
  arterial top http://127.0.0.1:9100 --once

Exit codes:
  0    it was left, or the frame is printed
  1    the first look failed, or there is no terminal; stderr says why
  2    the command line is wrong";

pub(super) const VERIFY_HELP: &str = "\
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

pub(super) const INSPECT_HELP: &str = "\
Nothing is changed. Run it while nothing writes there: what is just being written would read as damaged.

Examples:
  arterial inspect arterial-run
  arterial inspect arterial-run --json

Exit codes:
  0    everything is whole
  1    a file is damaged or missing, and is named; or DIR can't be read
  2    the command line is wrong";

pub(super) const REPAIR_HELP: &str = "\
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

pub(super) const INGEST_HELP: &str = "\
Submits made-up writes as fast as they become durable, or with --rate at a given rate whatever the answers do. Latency
is from when a write was due until it is known to be durable, so that a stall counts for every write that it held up.
Records are of one size, or with --workload as devices make them (`arterial bench pipeline --help` has the workloads).
Nothing is proven; what is durable is sealed into batches behind the log, and with --commit moves the accounts, too.
Ed25519 writes are signed before the clock starts, all others while it runs. After the run the machine's own limits are
measured: the same bytes in commits of the same size by nothing but pwrite and fdatasync, with --rate also as many of
them a second and how long each takes; BLAKE3 of such records; and batches of Ed25519 signatures where devices sign.
With --by-cores it is measured again with every thread, the submitters' too, bound to one core, to two, four and so on.

Examples:
  arterial bench ingest
  arterial bench ingest --auth bundle --bundle 1024 --seconds 60
  arterial bench ingest --auth mac --rate 250000 --json
  arterial bench ingest --workload icu --rate 20000 --runs 3
  arterial bench ingest --by-cores --seconds 5

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const PROVE_HELP: &str = "\
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

pub(super) const COMMIT_HELP: &str = "\
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

pub(super) const FAIRNESS_HELP: &str = "\
Submits steady writes to one shard, a second alone and a second while one gateway floods another shard as fast as it
can with writes of devices that are as unequally busy as Zipf's law has it, and so on in turn; then alarms, alone and
while their own shard is flooded with bulk writes. Blocks are made and committed behind all of it. Latency is from when
a write was due until it is known to be durable. What is compared is the p99 of the median second of each kind: a
machine that is shared stands still now and then, and where that falls says nothing of a flood. The latencies of all
seconds together stand beside it, and so does what the disk does with the same bytes and nothing else, alone and beside
commits of the flood's size and rate, to read the rest against.

Examples:
  arterial bench fairness
  arterial bench fairness --rate 10000 --seconds 30 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const OPEN_HELP: &str = "\
Lets another process of this command write as `bench ingest --auth mac --commit --rate N` does, kills it (SIGKILL) when it
should have written so many records, and opens the logs that it left: what is timed is everything that a shard does
before it takes writes again. A process that is killed loses what it has in memory, not what the system has: the pages that
the system still holds are not read from the disk again.

Examples:
  arterial bench open
  arterial bench open --records 5000000 --shards 16 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const EXPORT_HELP: &str = "\
Writes verification_key.json, public.json and proof.json, for
`snarkjs groth16 verify verification_key.json public.json proof.json`.

Examples:
  arterial export-proof arterial-run 3 --out block-3

Exit codes:
  0    the three files are written
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const SETTLE_HELP: &str = "\
Proves blocks of a deployment whose shards have all moved, posts each to the embedded chain, which carries it out in its
EVM and syncs it, and waits until it is final by a clock that is set forward: the chain's slots cost no time here. Then
one block each of 10^3 to 10^7 records. Only what a block proof shows is proven; what the records' proof takes is
measured by `bench prove`. Gas is exact, the same in every run.

Examples:
  arterial bench settle
  arterial bench settle --blocks 100 --shards 256 --json
  arterial bench settle --report gas.html

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const VERIFY_BENCH_HELP: &str = "\
Writes records into a deployment of its own, waits until they are final, takes receipts of the first, and checks them
against the roots that its chain answers, as their holders would: with the receipt and the root, and nothing else. What
a step takes is how much longer a receipt takes that is broken in the next one, so that it is the verifier itself that
is measured.

Examples:
  arterial bench verify
  arterial bench verify --auth bundle --receipts 10000 --records 100000
  arterial bench verify --json

Exit codes:
  0    measured, and every receipt verified
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const PIPELINE_HELP: &str = "\
Submits a workload at a rate, whatever the answers do, to a whole engine: writes become durable, are sealed into blocks,
every record is proven, every block is proven and posted to the embedded chain, which makes it final. Latency is from
when a write was due until it is known to be durable. Stages are looked at every 10 ms. At the end receipts are taken
and verified.

Workloads, by canonical records:
  home    70% wearables' frames of a second, 128 bytes; 20% vitals, 192; 5% glucose, 128; 5% FHIR JSON, 640 to 2,048
  icu     of each bed and second four waveform frames of 1,024 bytes in the bulk lane, and numerics of 256; an alarm
          of 512 in the alarm lane every five minutes. A bed is three devices
  clinic  bursts of up to 16 FHIR bundles of 51 kB, cut into Observations as the readers of files cut them, 1.4 to 9 kB
  storm   home, unequally busy by Zipf's law, while every twentieth device sends 1 to 12 hours of backlog in the bulk
          lane, which takes half of the rate until it is through

Examples:
  arterial bench pipeline
  arterial bench pipeline --workload icu --rate 20000 --seconds 60
  arterial bench pipeline --workload storm --auth ed25519 --runs 3 --json

Exit codes:
  0    measured, and the receipts taken verify
  1    it failed; stderr says why
  2    the command line is wrong";

pub(super) const ALL_HELP: &str = "\
Measures ingest, commit, prove, fairness, settle, verify and pipeline, each for a short time, ingest also by cores and by
shards, and proving by threads. Takes some two minutes with the defaults. Figures to rely on come from each bench alone,
longer and more often (`--seconds`, `--runs`), on a machine that does nothing else.

Examples:
  arterial bench all
  arterial bench all --workload icu --seconds 10 --runs 3 --json

Exit codes:
  0    measured
  1    it failed; stderr says why
  2    the command line is wrong";

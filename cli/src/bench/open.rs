//! `arterial bench open`: how long a deployment takes to open that was killed amid its work.

use super::{findings::Findings, ingest::DOMAIN, load::WARM_UP};
use crate::{
    args::OpenArgs,
    error::{CliError, IoContext as _},
    interrupt::Interrupt,
    lines::Lines,
    output::{counted, grouped},
    page::{Section, Tile},
};
use arterial::{
    EngineError,
    protocol::{BlockNumber, ShardCount},
    shards::{Shards, ShardsConfig},
    storage::{FileStorage, Storage},
};
use serde::Serialize;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// What the run that is killed would have gone on for.
const SECONDS_LEFT: u64 = 600;

/// What `arterial bench open` prints.
#[derive(Serialize, Debug)]
pub(crate) struct OpenReport {
    /// In the logs.
    records: u64,
    shards: u32,
    blocks: u64,
    /// Records that came after the last sealed block.
    unsealed_records: usize,
    /// Bytes of torn tails that were cut.
    cut_bytes: u64,
    open_seconds: f64,
}

/// Measures; the report.
pub(crate) fn measure(args: &OpenArgs, interrupt: &Interrupt) -> Result<OpenReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let deployment = killed_run(args, dir.path(), interrupt).context("kill a run in", dir.path())?;
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let config = ShardsConfig::new(deployment, DOMAIN, count);
    let begun = Instant::now();
    let shards = Shards::open(&storage, &config).map_err(EngineError::from)?;
    let open_seconds = begun.elapsed().as_secs_f64();
    let status = shards.status();
    let unsealed_records = shards.unsealed_records();
    let mut sealed_records = 0;
    for status in &status {
        for number in 1..=status.sealed.0 {
            let sealed = shards.batch(status.shard, BlockNumber(number)).map_err(EngineError::from)?;
            sealed_records += sealed.batch.record_count();
        }
    }
    Ok(OpenReport {
        records: (sealed_records + unsealed_records) as u64,
        shards: args.shards,
        blocks: shards.newest_sealed().0,
        unsealed_records,
        cut_bytes: status.iter().map(|status| status.cut_bytes).sum(),
        open_seconds,
    })
}

/// Lets another process of this command write at a rate and kills it when it should have written so many records; the
/// directory that it leaves.
fn killed_run(args: &OpenArgs, dir: &Path, interrupt: &Interrupt) -> io::Result<PathBuf> {
    let seconds = args.records.div_ceil(args.rate);
    let text = |number: u64| number.to_string();
    let mut child = Command::new(env::current_exe()?)
        .args(["bench", "ingest", "--auth", "mac", "--commit", "--rate", &text(args.rate)])
        .args(["--seconds", &text(seconds + SECONDS_LEFT), "--shards", &text(args.shards.into())])
        .arg("--dir")
        .arg(dir)
        .arg("--no-report")
        .stdout(Stdio::null())
        .spawn()?;
    let until = Instant::now() + WARM_UP + Duration::from_secs(seconds);
    while Instant::now() < until && !interrupt.is_raised() {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("it ended before that: {status}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    fs::read_dir(dir)?.next().ok_or_else(|| io::Error::other("it left nothing"))?.map(|entry| entry.path())
}

impl OpenReport {
    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.push(
            "records",
            format!("{} in {}", grouped(self.records), counted(self.shards.into(), "shard")),
        );
        lines.push("sealed", format!("in {}", counted(self.blocks, "block")));
        lines.push("after the last block", counted(self.unsealed_records as u64, "record"));
        lines.push("torn tails", format!("{} bytes", grouped(self.cut_bytes)));
        lines.push("opened", format!("in {:.2} s after it was killed", self.open_seconds));
        lines
    }
}

impl Findings for OpenReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![("open_seconds", self.open_seconds)]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(format!("{:.2} s", self.open_seconds), "from a killed process to writing again"),
            Tile::new(grouped(self.records), "records in the logs"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        vec![Section::new("Opening after a crash", self.lines(), Vec::new())]
    }
}

//! The process that starts the others, lets things go wrong, and ends it.

use crate::{
    Soak,
    devices::TICK_MS,
    judge,
    nodes::Anvil,
    report::Table,
    troubles::Troubles,
    weather::{FAIR, Weather},
    worker::{account, settings},
};
use arterial::{
    Engine,
    rollup::{Clock as _, SystemClock, chain::contract::Address, chain::ethereum::Connection},
};
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long the last block may take to be final once nothing goes wrong any more.
const SETTLING_MAX: Duration = Duration::from_secs(15 * 60);
const SECOND: Duration = Duration::from_secs(1);

/// What workers have said.
#[derive(Default)]
pub(crate) struct Progress {
    /// Ticks of which every write is durable.
    pub(crate) ticks: u64,
    sealed: BTreeMap<u64, Instant>,
    proven: BTreeMap<u64, Instant>,
    /// From sealed to posted, of every block whose worker lived to say both.
    pub(crate) settling: Vec<Duration>,
    /// The newest block that was posted in this worker's life, and final in any.
    posted: u64,
    finalized: u64,
    done: bool,
    /// Blocks that went back from posted to proven.
    pub(crate) regressed: u64,
    pub(crate) worst_posted: Duration,
    pub(crate) worst_final: Duration,
    /// Proven and not final, at most.
    pub(crate) worst_backlog: u64,
    newest_proven: u64,
}

impl Progress {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ack", tick, "."] => self.ticks = tick.parse::<u64>().unwrap() + 1,
            ["at", sealed, proven, posted, finalized, "."] => {
                let numbers = [sealed, proven, posted, finalized].map(|number| number.parse().unwrap());
                self.blocks(numbers);
            }
            ["done", "."] => self.done = true,
            // Torn by a kill.
            _ => {}
        }
    }

    fn blocks(&mut self, [sealed, proven, posted, finalized]: [u64; 4]) {
        let now = Instant::now();
        if sealed > self.newest_proven {
            self.sealed.entry(sealed).or_insert(now);
        }
        while let Some(sealed) = self.sealed.first_entry()
            && *sealed.key() <= posted
        {
            self.settling.push(now - sealed.remove());
        }
        for block in self.newest_proven + 1..=proven {
            self.proven.insert(block, now);
        }
        self.newest_proven = self.newest_proven.max(proven);
        self.regressed += self.posted.saturating_sub(posted);
        self.posted = posted;
        self.finalized = self.finalized.max(finalized);
        let age = |block: u64| self.proven.get(&block).map_or(Duration::ZERO, |since| now - *since);
        // The oldest that is not there yet. A worker that has just begun has not asked the chain yet.
        if posted > 0 {
            self.worst_posted = self.worst_posted.max(age(posted + 1));
        }
        self.worst_final = self.worst_final.max(age(self.finalized + 1));
        self.worst_backlog = self.worst_backlog.max(proven.saturating_sub(self.finalized));
    }
}

/// What a soak has on this machine.
pub(crate) struct Site {
    dir: PathBuf,
    pub(crate) deployment: PathBuf,
    anvil: Anvil,
    weather: Weather,
    contract: Address,
    began_ms: u64,
    rate: u64,
    progress: Arc<Mutex<Progress>>,
    /// Hears the worker out.
    listener: Option<JoinHandle<()>>,
}

pub(crate) fn soak(args: &Soak) -> ExitCode {
    let temporary = tempfile::tempdir().unwrap();
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    match run(args, &dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}\nseed {}; what is left is in {}", args.seed, dir.display());
            // Only what failed is worth keeping.
            let _ = temporary.keep();
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Soak, dir: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let Some(mut site) = Site::begin(args, dir)? else { return Err("there is no anvil".into()) };
    let mut troubles = Troubles::new(args.seed, site.anvil.height());
    let begun = Instant::now();
    println!("contract {}; {} minutes at {} writes a second", site.contract, args.minutes, args.rate);
    let mut worker = site.start_worker()?;
    for second in 1..=args.minutes * 60 {
        thread::sleep((SECOND * u32::try_from(second)?).saturating_sub(begun.elapsed()));
        if !args.calm && troubles.second(&mut site.anvil, &site.weather) {
            worker.kill()?;
            worker.wait()?;
        }
        worker = site.keep_up(worker)?;
        if second % 30 == 0 {
            let progress = site.progress();
            let writes = progress.ticks * args.rate * TICK_MS / 1000;
            let (proven, finalized) = (progress.newest_proven, progress.finalized);
            let posted = progress.posted.max(finalized);
            println!(
                "{second:>5} s: {writes} durable; {proven} blocks proven, {posted} posted, {finalized} final"
            );
        }
    }
    troubles.end(&mut site.anvil, &site.weather);
    let wrote = begun.elapsed();
    site.settle(worker)?;
    println!("every block is final {:.1} s later; checking", (begun.elapsed() - wrote).as_secs_f64());
    let progress = site.progress();
    let verdict = judge::judge(&site.deployment, &site.anvil, site.contract, args, progress.ticks)?;
    site.weather.seen(|seen| judge::one_content(seen, verdict.blocks))?;
    let settled = begun.elapsed() - wrote;
    let counts = troubles.counts;
    let table =
        site.weather.seen(|seen| Table { counts, seen, progress: &progress, verdict, wrote, settled }.text());
    println!("{table}");
    Ok(())
}

impl Site {
    fn begin(args: &Soak, dir: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let slots = ["--block-time", "1", "--slots-in-an-epoch", "4", "--prune-history", "64"];
        let Some(anvil) = Anvil::start(dir, &slots) else { return Ok(None) };
        let deployment = dir.join("deployment");
        let connection = Connection::new(settings(&anvil.url()), Arc::new(SystemClock))?;
        let contract = Engine::builder(&deployment).shards(args.shards).deploy(connection, account(dir))?;
        // Final, so that no reorganisation takes it away.
        anvil.mine(12);
        let weather = Weather::start(&anvil.url(), args.seed);
        weather.set(if args.calm { 0 } else { FAIR });
        Ok(Some(Self {
            dir: dir.to_owned(),
            deployment,
            anvil,
            weather,
            contract,
            began_ms: SystemClock.now_ms(),
            rate: args.rate,
            progress: Arc::default(),
            listener: None,
        }))
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_worker(&mut self) -> Result<Child, Box<dyn Error>> {
        // What the one before has said counts, and counts before this one begins.
        if let Some(listener) = self.listener.take() {
            listener.join().map_err(|_| "a worker said something strange")?;
        }
        let from = self.progress().ticks;
        let log = File::options().create(true).append(true).open(self.dir.join("worker.log"))?;
        let mut child = Command::new(env::current_exe()?)
            .arg("worker")
            .args([self.deployment.as_os_str(), self.weather.url().as_ref()])
            .args([self.contract.to_string(), self.rate.to_string()])
            .args(["--began-ms", &self.began_ms.to_string(), "--from", &from.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let out = child.stdout.take().ok_or("it has no output")?;
        let progress = Arc::clone(&self.progress);
        {
            let mut progress = self.progress();
            progress.posted = 0;
            progress.sealed.clear();
        }
        self.listener = Some(thread::spawn(move || listen(out, &progress)));
        Ok(child)
    }

    /// A worker that was killed has a successor.
    fn keep_up(&mut self, mut worker: Child) -> Result<Child, Box<dyn Error>> {
        let Some(status) = worker.try_wait()? else { return Ok(worker) };
        if status.code().is_some() {
            return Err(format!("a worker ended by itself, {status}: see worker.log").into());
        }
        self.start_worker()
    }

    /// Ends the writing, and waits until everything is final.
    fn settle(&mut self, mut worker: Child) -> Result<(), Box<dyn Error>> {
        let last = (SystemClock.now_ms() - self.began_ms) / TICK_MS;
        let begun = Instant::now();
        while !self.progress().done {
            worker = self.keep_up(worker)?;
            if let Some(mut input) = worker.stdin.take() {
                writeln!(input, "{last}")?;
            }
            if begun.elapsed() > SETTLING_MAX {
                let _ = (worker.kill(), worker.wait());
                return Err(format!("not everything is final after {SETTLING_MAX:?}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let status = worker.wait()?;
        let ticks = self.progress().ticks;
        // A tick may have become due before the worker heard the end.
        (status.success() && ticks >= last)
            .then_some(())
            .ok_or_else(|| format!("the last worker ended with {status} and {ticks} of {last} ticks").into())
    }
}

fn listen(out: ChildStdout, progress: &Mutex<Progress>) {
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        progress.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
    }
}

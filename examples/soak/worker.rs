//! The process that is killed: an engine, and its devices.
//!
//! It says on its standard output, each line ended by a full stop so that one that a kill tore is none:
//! `ack TICK .` when every write up to a tick is durable, `at SEALED PROVEN POSTED FINAL .`, and `done .`.

use crate::{
    devices::{Device, TICK_MS, devices, payload},
    nodes,
};
use arterial::{
    Deployment, Engine, EngineError, Lane, Stage, SubmitError, Tag, Write,
    rollup::{
        Clock as _, SystemClock,
        chain::{
            contract::Address,
            ethereum::{Account, Connection, EthereumSettings, Password},
        },
    },
    storage::FileStorage,
};
use clap::Args;
use std::{
    error::Error,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Ticks in one submission of a worker that is behind.
const TICKS_AT_ONCE: u64 = 10;

#[derive(Args)]
pub(crate) struct Worker {
    dir: PathBuf,
    url: String,
    contract: Address,
    rate: u64,
    /// When tick 0 was due, by the system's clock.
    #[arg(long)]
    began_ms: u64,
    /// The first tick that nobody has read an acknowledgement of.
    #[arg(long)]
    from: u64,
}

/// How it reaches a chain with a block a second.
pub(crate) fn settings(url: &str) -> EthereumSettings {
    EthereumSettings {
        poll: Duration::from_millis(250),
        resend: Duration::from_secs(5),
        bump: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        ..EthereumSettings::new(vec![url.parse().unwrap()])
    }
}

pub(crate) fn account(dir: &Path) -> Account {
    let file = dir.join("password");
    std::fs::write(&file, nodes::PASSWORD).unwrap();
    Account::from_keystore(&nodes::keystore(), &Password::from_file(&file).unwrap()).unwrap()
}

/// Opens the deployment in a directory.
pub(crate) fn open(dir: &Path, url: &str, contract: Address) -> Result<Engine, EngineError> {
    let Deployment { chain_id, .. } = Deployment::read(&FileStorage, dir)?;
    let connection = Connection::known(settings(url), Arc::new(SystemClock), chain_id);
    let account = account(dir.parent().unwrap());
    Engine::builder(dir).ethereum(connection, account, contract).open()
}

impl Worker {
    pub(crate) fn run(self) -> ExitCode {
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO).init();
        match self.work() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the worker ends: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn work(&self) -> Result<(), Box<dyn Error>> {
        let engine = open(&self.dir, &self.url, self.contract)?;
        let devices = devices(self.rate);
        for outcome in engine.enroll_many(&devices.iter().map(Device::enrolment).collect::<Vec<_>>()) {
            outcome?;
        }
        report(engine.clone());
        let end = end_by_input();
        let mut next = self.from;
        while next < end.load(Ordering::Relaxed) {
            let due = SystemClock.now_ms().saturating_sub(self.began_ms) / TICK_MS + 1;
            let to = due.min(next + TICKS_AT_ONCE).min(end.load(Ordering::Relaxed));
            if next >= to {
                thread::sleep(Duration::from_millis(TICK_MS / 4));
                continue;
            }
            write(&engine, &devices, next, to)?;
            say(&format!("ack {}", to - 1));
            next = to;
        }
        engine.flush(Stage::Final)?;
        say("done");
        Ok(())
    }
}

/// Writes some ticks of all devices and waits until they are durable.
fn write(engine: &Engine, devices: &[Device], from: u64, to: u64) -> Result<(), SubmitError> {
    let payloads: Vec<_> = (from..to).map(|tick| (tick, payload(tick))).collect();
    let signed: Vec<(Write<'_>, Tag)> = devices
        .iter()
        .flat_map(|device| payloads.iter().map(|(tick, payload)| device.sign(*tick, payload)))
        .collect();
    engine.submit_many(Lane::Routine, &signed).wait().into_iter().try_for_each(|outcome| outcome.map(drop))
}

/// Says how far blocks are, for as long as the process lives.
fn report(engine: Engine) {
    thread::spawn(move || {
        loop {
            let state = engine.state();
            let (sealed, proven, posted) = (state.sealed, state.proven, state.posted);
            say(&format!("at {sealed} {proven} {posted} {}", state.finalized));
            thread::sleep(Duration::from_millis(50));
        }
    });
}

/// The tick at which to end, which comes on standard input.
fn end_by_input() -> Arc<AtomicU64> {
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let told = Arc::clone(&end);
    thread::spawn(move || {
        if let Some(Ok(Ok(tick))) = std::io::stdin().lines().next().map(|line| line.map(|line| line.parse()))
        {
            told.store(tick, Ordering::Relaxed);
        }
    });
    end
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: the soak has ended.
    if writeln!(out, "{what} .").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

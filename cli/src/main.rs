//! The `arterial` command; `arterial --help` says what it does.

mod args;
mod bench;
mod environment;
mod error;
#[cfg(feature = "ethereum")]
mod ethereum;
mod export;
mod input;
mod inspect;
mod interrupt;
mod lines;
mod metrics;
mod output;
mod page;
mod progress;
mod repair;
mod run;
mod soundness;
mod standing;
mod status;
mod top;
mod verify;
mod watch;

// Takes the place of `malloc` by being linked; `.cargo/config.toml` has its settings.
#[cfg(target_os = "linux")]
use tikv_jemallocator as _;

use args::{Cli, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Something was skipped or refused, or is left to be done.
const EXIT_INCOMPLETE: u8 = 3;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.verbose);
    let outcome = match &cli.command {
        Command::Run(args) => {
            run::run(args).map(|complete| if complete { ExitCode::SUCCESS } else { EXIT_INCOMPLETE.into() })
        }
        Command::Verify(args) => verify::verify(args).map(success_if),
        #[cfg(feature = "ethereum")]
        Command::Deploy(args) => ethereum::deploy(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "ethereum")]
        Command::Rebuild(args) => ethereum::rebuild(args).map(|()| ExitCode::SUCCESS),
        Command::Status(args) => status::status(args).map(success_if),
        Command::Top(args) => top::top(args).map(|()| ExitCode::SUCCESS),
        Command::Inspect(args) => inspect::inspect(args).map(success_if),
        Command::Repair(args) => repair::repair(args),
        Command::Bench(command) => bench::bench(command).map(|()| ExitCode::SUCCESS),
        Command::ExportProof(args) => export::export(args).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        match error {
            CliError::Interrupted(_) => interrupt::EXIT_CODE.into(),
            _ => ExitCode::FAILURE,
        }
    })
}

fn success_if(whole: bool) -> ExitCode {
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn log(verbose: u8) {
    // What the key maker warns of is said by `run`, in more words.
    let default = match verbose {
        0 => "warn,arterial_rollup::proof::keys=error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

//! What figures were taken on, so that they can be compared with others.

use arterial::storage::{Clock as _, SystemClock};
use serde::Serialize;
use std::{env, fs, path::Path, thread};

use crate::{input::time, lines::Lines};

/// Processor flags that the code makes use of, as Linux names them.
const FLAGS: [&str; 12] = [
    "avx2",
    "bmi2",
    "adx",
    "sha_ni",
    "gfni",
    "vaes",
    "avx512f",
    "avx512vl",
    "avx512bw",
    "avx512dq",
    "avx512ifma",
    "asimd",
];
/// What this was compiled for: Plonky3 picks its vector code by it.
const BUILT_FOR: [(&str, bool); 5] = [
    ("avx2", cfg!(target_feature = "avx2")),
    ("bmi2", cfg!(target_feature = "bmi2")),
    ("avx512f", cfg!(target_feature = "avx512f")),
    ("avx512ifma", cfg!(target_feature = "avx512ifma")),
    ("neon", cfg!(target_feature = "neon")),
];

/// The machine, the program and how it makes things durable.
#[derive(Serialize, Clone, Debug)]
pub(crate) struct Environment {
    /// When the figures were taken, in UTC.
    pub(crate) taken_at: String,
    pub(crate) command: String,
    pub(crate) version: &'static str,
    /// That this was built from; changes that were not committed are not seen.
    pub(crate) commit: Option<&'static str>,
    /// Anything but `release` says little of speed.
    build: &'static str,
    pub(crate) cpu: String,
    /// Those that this process may use.
    cores: usize,
    memory_bytes: u64,
    kernel: String,
    /// Where it wrote.
    filesystem: String,
    cpu_flags: Vec<String>,
    built_for: Vec<&'static str>,
    /// How a write becomes durable.
    durability: &'static str,
}

impl Environment {
    /// As it is, for a program that writes to a directory.
    pub(crate) fn of(dir: &Path) -> Self {
        let cpu = read("/proc/cpuinfo");
        let flags = value(&cpu, "flags").or_else(|| value(&cpu, "Features")).unwrap_or_default();
        let memory = read("/proc/meminfo");
        let kib = value(&memory, "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
        Self {
            taken_at: time::format(SystemClock.now_ms()),
            command: command(),
            version: env!("CARGO_PKG_VERSION"),
            commit: Some(env!("ARTERIAL_COMMIT")).filter(|commit| !commit.is_empty()),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            cpu: value(&cpu, "model name").unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib.unwrap_or(0) * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(dir).unwrap_or_else(|| "unknown".to_owned()),
            cpu_flags: FLAGS
                .iter()
                .filter(|flag| flags.split(' ').any(|has| has == **flag))
                .map(ToString::to_string)
                .collect(),
            built_for: BUILT_FOR.iter().filter(|(_, has)| *has).map(|(flag, _)| *flag).collect(),
            durability: "fdatasync of every group of writes, before any of them is answered",
        }
    }

    /// For people.
    pub(crate) fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.push("taken", self.taken_at.clone());
        lines.push("command", self.command.clone());
        let commit = self
            .commit
            .map_or_else(|| "of an unknown commit".to_owned(), |commit| format!("commit {commit}"));
        lines.push("program", format!("arterial {}, {commit}, {} build", self.version, self.build));
        let gib = self.memory_bytes >> 30;
        lines.push(
            "machine",
            format!("{} cores of {}, {gib} GiB, Linux {}", self.cores, self.cpu, self.kernel),
        );
        lines.push("processor has", self.cpu_flags.join(" "));
        lines.push("built for", self.built_for.join(" "));
        lines.push("file system", self.filesystem.clone());
        lines.push("durable by", self.durability.to_owned());
        lines
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line with this name.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The command line as a shell would take it.
fn command() -> String {
    let plain = |argument: &str| {
        !argument.is_empty()
            && argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c))
    };
    let quoted = |argument: String| match plain(&argument) {
        true => argument,
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    let arguments = env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    std::iter::once("arterial".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// The file system that a directory is on: that of the longest mount point above it, the last if there are several.
fn filesystem(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // … mount point, options, any number of optional fields, a dash, type, source, …
    let mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        let (kind, rest) = kind.split_once(' ')?;
        let source = rest.split(' ').next()?;
        dir.starts_with(&point).then(|| (point.len(), format!("{kind} on {source}")))
    };
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, name)| name)
}

//! Counts the instructions that each kernel takes, by valgrind's callgrind, and holds them against `instructions.txt`.
//!
//! ```text
//! RUSTFLAGS="-C target-cpu=x86-64-v3" cargo run --release --target-dir target/counted -p arterial-kernels [-- --update]
//! ```
//! Valgrind knows no AVX-512, so the build is one for AVX2, and as good on any machine that has it. A count hardly moves
//! but with the code or the compiler: whoever changes one by more than [`TOLERANCE_PERCENT`] writes the file anew in the
//! same commit, where it can be seen. Counts of another compiler are not compared.

use arterial_kernels::{Kernel, kernels};
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs, io,
    path::Path,
    process::{Command, ExitCode},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
const TOLERANCE_PERCENT: f64 = 5.0;
const UPDATE: &str = "RUSTFLAGS=\"-C target-cpu=x86-64-v3\" cargo run --release --target-dir target/counted \
     -p arterial-kernels -- --update";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => check(),
        ["--update"] => update(),
        ["--one", name] => {
            one(name);
            Ok(true)
        }
        _ => Err("expected nothing, or --update".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// By name.
type Counts = BTreeMap<String, u64>;

/// Whether every count is about what the file has; prints each.
fn check() -> Result<bool, Box<dyn Error>> {
    let Some(tools) = tools()? else {
        println!("instructions are not counted: there is no valgrind here");
        return Ok(true);
    };
    let file = fs::read_to_string(FILE)?;
    if !file.contains(&tools) {
        println!("instructions are not compared: the counts in {FILE} are of other tools than\n{tools}");
        println!("to count anew: {UPDATE}");
        return Ok(true);
    }
    let (old, new) = (parsed(&file), count_all()?);
    let mut held = true;
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        held &= compared(name, old.get(name).copied(), new.get(name).copied());
    }
    if !held {
        println!(
            "counts moved by more than {TOLERANCE_PERCENT}%. If that is meant, commit with the change what this writes:"
        );
        println!("{UPDATE}");
    }
    Ok(held)
}

/// Prints a kernel's line; whether it is as it was.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn compared(name: &str, old: Option<u64>, new: Option<u64>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        println!("{name:60} {}", if new.is_some() { "is not in the file" } else { "is in the file alone" });
        return false;
    };
    let percent = 100.0 * (new as f64 / old as f64 - 1.0);
    let held = percent.abs() <= TOLERANCE_PERCENT;
    println!("{name:60} {old:>12} {new:>12} {percent:>+7.2}%{}", if held { "" } else { "  <==" });
    held
}

fn update() -> Result<bool, Box<dyn Error>> {
    let tools = tools()?.ok_or("there is no valgrind here")?;
    let mut file = format!("# Instructions of each kernel, by callgrind. Written by\n# {UPDATE}\n{tools}");
    for (name, count) in count_all()? {
        file += &format!("{name} {count}\n");
    }
    fs::write(FILE, file)?;
    println!("{FILE} is written");
    Ok(true)
}

/// Compiler and valgrind, as the file has them; nothing if there is no valgrind.
fn tools() -> Result<Option<String>, Box<dyn Error>> {
    let rustc = Command::new("rustc").arg("--version").output()?;
    let valgrind = match Command::new("valgrind").arg("--version").output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    let lines = [rustc.stdout, valgrind.stdout].concat();
    Ok(Some(String::from_utf8(lines)?.lines().map(|line| format!("# {line}\n")).collect()))
}

fn parsed(file: &str) -> Counts {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, count)| Some((name.into(), count.parse().ok()?)))
        .collect()
}

fn count_all() -> Result<Counts, Box<dyn Error>> {
    if cfg!(target_feature = "avx512f") {
        return Err(format!("built for AVX-512, which valgrind does not know: {UPDATE}").into());
    }
    let out = env::temp_dir().join(format!("callgrind-{}", std::process::id()));
    let counts = kernels().map(|Kernel { name, .. }| Ok(((*name).into(), count(name, &out)?))).collect();
    let _ = fs::remove_file(&out);
    counts
}

/// Instructions of one call of a kernel; what prepares it is not counted.
fn count(name: &str, out: &Path) -> Result<u64, Box<dyn Error>> {
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*arterial_kernels*counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe()?)
        .args(["--one", name])
        .output()?;
    if !counted.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&counted.stderr)).into());
    }
    let written = fs::read_to_string(out)?;
    let total = written.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.filter(|total| *total > 0).ok_or_else(|| format!("{name}: valgrind counted nothing").into())
}

/// One kernel, once to have everything in place, and once to be counted.
fn one(name: &str) {
    if let Some(kernel) = kernels().find(|kernel| kernel.name == name) {
        let mut run = (kernel.setup)();
        run();
        counted(&mut *run);
    }
}

/// What valgrind counts in, by its name.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    run();
}

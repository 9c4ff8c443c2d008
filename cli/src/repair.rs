//! `arterial repair`: what is damaged in a run's directory is mended, where that can cost nothing.

use crate::{
    EXIT_INCOMPLETE,
    args::RepairArgs,
    error::CliError,
    output::{self, grouped},
};
use arterial::shards::{Loss, Mended, Repair};
use serde_json::{Value, json};
use std::{
    fmt::{self, Write as _},
    path::Path,
    process::ExitCode,
};

pub(crate) fn repair(args: &RepairArgs) -> Result<ExitCode, CliError> {
    let repair = arterial::repair(&args.dir, args.apply)?;
    if args.json {
        output::print_json(&as_json(&repair, args.apply))?;
    } else {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write_text(&mut text, &repair, args);
        output::print(&text)?;
    }
    for Loss { path, what } in repair.losses() {
        eprintln!("can't be mended: {}: {what}", path.display());
    }
    if !repair.losses().is_empty() {
        eprintln!("error: {} of the damages can't be mended", repair.losses().len());
        return Ok(ExitCode::FAILURE);
    }
    let left = !args.apply && !repair.mended().is_empty();
    Ok(if left { EXIT_INCOMPLETE.into() } else { ExitCode::SUCCESS })
}

fn write_text(text: &mut String, repair: &Repair, args: &RepairArgs) -> fmt::Result {
    let within = |path: &Path| path.strip_prefix(&args.dir).unwrap_or(path).display().to_string();
    writeln!(text, "{}", args.dir.display())?;
    for Mended { path, bytes, what, kept } in repair.mended() {
        let done = if args.apply { "mended" } else { "to mend:" };
        write!(text, "  {done} {}", within(path))?;
        if let Some(bytes) = bytes {
            write!(text, ", bytes {} to {}", grouped(bytes.start), grouped(bytes.end))?;
        }
        writeln!(text, ": {what}")?;
        if let Some(kept) = kept {
            let will = if args.apply { "is" } else { "will be" };
            writeln!(text, "    what stood there {will} kept as {}", within(kept))?;
        }
    }
    let (mended, lost) = (repair.mended().len(), repair.losses().len());
    match (mended, lost, args.apply) {
        (0, 0, _) => writeln!(text, "every file is whole"),
        (_, _, true) => writeln!(text, "{mended} mended, {lost} can't be"),
        (0, _, false) => writeln!(text, "{lost} can't be mended"),
        (_, _, false) => {
            writeln!(text, "{mended} can be mended, {lost} can't; nothing was changed: --apply mends")
        }
    }
}

fn as_json(repair: &Repair, applied: bool) -> Value {
    let mended = |Mended { path, bytes, what, kept }: &Mended| {
        let bytes = bytes.as_ref().map(|bytes| [bytes.start, bytes.end]);
        json!({ "path": path, "bytes": bytes, "what": what, "kept": kept })
    };
    let lost = |Loss { path, what }: &Loss| json!({ "path": path, "what": what });
    json!({
        "applied": applied,
        "mended": repair.mended().iter().map(mended).collect::<Vec<_>>(),
        "lost": repair.losses().iter().map(lost).collect::<Vec<_>>(),
    })
}

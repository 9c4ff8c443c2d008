//! What is printed in the end.

use crate::{judge::Verdict, supervisor::Progress, troubles::Counts, weather::Seen};
use std::{fmt::Write as _, time::Duration};

pub(crate) struct Table<'a> {
    pub(crate) counts: Counts,
    pub(crate) seen: &'a Seen,
    pub(crate) progress: &'a Progress,
    pub(crate) verdict: Verdict,
    pub(crate) wrote: Duration,
    pub(crate) settled: Duration,
}

impl Table<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { counts, seen, progress, verdict, .. } = self;
        let sent: u64 = seen.posts.values().map(|(_, sent)| sent).sum();
        let rows = [
            (
                "reorganisations, blocks undone",
                format!("{}, {}", counts.reorganisations, counts.blocks_undone),
            ),
            ("kills of the engine", counts.kills.to_string()),
            ("restarts of the node", counts.node_restarts.to_string()),
            ("pools dropped", counts.pools_dropped.to_string()),
            ("fee spikes, highest", format!("{}, {} gwei", counts.fee_spikes, counts.highest_fee_gwei)),
            ("foul spells of the RPC", counts.foul_spells.to_string()),
            ("requests", seen.requests.to_string()),
            ("  answered 500 or 429", seen.statuses.to_string()),
            (
                "  lost before the node, after it, torn",
                format!("{}, {}, {}", seen.lost, seen.unanswered, seen.torn),
            ),
            ("  delayed", seen.delays.to_string()),
            ("writes, each final once", verdict.records.to_string()),
            ("a second", format!("{:.0}", verdict.records as f64 / self.wrote.as_secs_f64())),
            ("blocks, each final, with one content", verdict.blocks.to_string()),
            ("transactions sent, beyond one a block", format!("{sent}, {}", sent - verdict.blocks)),
            ("blocks that went back to proven", progress.regressed.to_string()),
            ("transactions included in vain", verdict.reverted.to_string()),
            ("gas a block after the first", format!("{} to {}", verdict.gas.0, verdict.gas.1)),
            ("receipts verified", verdict.receipts.to_string()),
            ("from sealed to posted: median, worst", settling(&progress.settling)),
            ("longest from proven to posted", seconds(progress.worst_posted)),
            ("longest from proven to final", seconds(progress.worst_final)),
            ("most blocks proven and not final", progress.worst_backlog.to_string()),
            ("until everything was final and checked", seconds(self.settled)),
        ];
        let mut text = String::new();
        for (what, value) in rows {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what:<42} {value:>20}");
        }
        text
    }
}

fn settling(all: &[Duration]) -> String {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    let at = |index: usize| sorted.get(index).copied().map_or("-".into(), seconds);
    format!("{}, {}", at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

//! The page of a run.

use super::report::{Report, Settlement};
use crate::{
    output::{counted, grouped},
    page::{Axis, Bar, Bars, Chart, Drawing, Page, Path, Plot, Scale, Section, Series, Tile},
    watch::{Seen, charts},
};
use std::path::Path as FilePath;

/// The page as HTML.
pub(super) fn html(
    report: &Report,
    seen: &Seen,
    settlement: &Settlement,
    way: Option<Path>,
    dir: &FilePath,
) -> String {
    let mut all = charts(seen);
    all.insert(0, times(report));
    all.extend(gas(settlement));
    let mut sections = Vec::new();
    if way.is_some() {
        sections.push(Section {
            path: way,
            ..Section::new("The path of one record", Default::default(), Vec::new())
        });
    }
    sections.push(Section::new("The run", report.lines(dir), all));
    let lead = format!(
        "{} of {}, made durable in {}, proven record by record and settled: {} final.",
        counted(report.records as u64, "reading"),
        counted(report.devices as u64, "device"),
        counted(report.shards.into(), "shard"),
        counted(report.blocks, "block")
    );
    Page {
        title: "arterial run".into(),
        lead,
        tiles: tiles(report),
        sections,
        environment: &report.environment,
    }
    .html()
}

fn tiles(report: &Report) -> Vec<Tile> {
    let mut tiles = vec![
        Tile::new(crate::bench::rounded(report.records_per_second), "durable writes a second"),
        Tile::new(format!("{:.1} s", report.settle_seconds), "from the last of them to all final"),
        Tile::new(grouped(report.receipts_verified as u64), "receipts verified against the chain"),
    ];
    tiles.extend(report.gas_per_record.map(|gas| Tile::new(format!("{gas:.2}"), "gas a record")));
    tiles
}

fn times(report: &Report) -> Chart {
    Chart {
        title: "Where the time went",
        note: "Devices sign before ingest begins, as they would on their own hardware. Proving begins while ingest goes on; \
               settling is what is left when the last write is durable."
            .into(),
        drawing: Drawing::Bars(Bars {
            unit: "s",
            parts: vec!["signing", "ingest", "settling"],
            bars: vec![Bar {
                name: "this run".into(),
                sizes: vec![report.sign_seconds, report.seconds, report.settle_seconds],
            }],
        }),
    }
}

/// What a record cost in each block, if there are blocks to compare.
#[expect(clippy::cast_precision_loss, reason = "a drawing")]
fn gas(settlement: &Settlement) -> Option<Chart> {
    let mut points: Vec<(f64, f64)> = settlement
        .by_block()
        .iter()
        .filter(|(records, _)| *records > 0)
        .map(|(records, gas)| (*records as f64, *gas as f64 / *records as f64))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by_key(|point| point.0);
    let log = |label| Axis { label, scale: Scale::Log };
    (points.len() > 1).then(|| Chart {
        title: "Gas a record, by records in a block",
        note: "Every block costs the same gas, whatever it holds: the more records share it, the less each pays.".into(),
        drawing: Drawing::Plot(Plot {
            x: log("records in a block"),
            y: log("gas a record"),
            series: vec![Series { name: "gas a record".into(), points }],
        }),
    })
}

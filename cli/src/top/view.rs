//! One frame of `arterial top`.
//!
//! What is what is said by words and places; weight and one colour, for what is wrong, come on top. So it reads the same on
//! dark and light, and as plain text.

use super::{
    model::Model,
    snapshot::{Block, Live},
};
use crate::output::{counted, grouped};
use arterial::telemetry::{LANES, WAITING_STAGES};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block as Border, Paragraph, Row, Sparkline, Table, TableState},
};

const WRONG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// What is not known.
const NOTHING: &str = "-";
/// Lines of the boxes above the blocks, with their borders.
const BOX_LINES: u16 = 7;

pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let live = model.newest().live.as_ref();
    let boxes = if live.is_some() { 2 * BOX_LINES } else { 0 };
    let [head, boxes, blocks, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Max(boxes),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(header(model)), head);
    if let Some(live) = live {
        draw_live(frame, boxes, model, live);
    }
    draw_blocks(frame, blocks, model);
    frame.render_widget(Line::from("q quit   p pause   up/down blocks").dim(), keys);
}

/// Lines that show everything.
pub(crate) fn lines_needed(model: &Model) -> u16 {
    let boxes = if model.newest().live.is_some() { 2 * BOX_LINES } else { 0 };
    // Two lines of head, the borders and the head of the blocks, and the keys.
    boxes + 6 + u16::try_from(model.blocks().len().max(1)).unwrap_or(u16::MAX - boxes - 6)
}

fn header(model: &Model) -> Vec<Line<'static>> {
    let [sealed, proven, posted, last] = model.newest().newest.map(grouped);
    let mut first = vec![Span::from("arterial top ").bold(), Span::from(model.source.clone())];
    if model.paused {
        first.push("  paused".bold());
    }
    let second = match (&model.failure, &model.newest().stuck) {
        (Some(failure), _) => Line::from(Span::styled(format!("trying again: {failure}"), WRONG)),
        (None, Some(stuck)) => Line::from(Span::styled(stuck.clone(), WRONG)),
        (None, None) => {
            format!("blocks: {sealed} sealed, {proven} proven, {posted} posted, {last} final").into()
        }
    };
    vec![first.into(), second]
}

fn draw_live(frame: &mut Frame<'_>, area: Rect, model: &Model, live: &Live) {
    let halves = |area| Layout::horizontal([Constraint::Percentage(50); 2]).areas::<2>(area);
    let [upper, lower] = Layout::vertical([Constraint::Length(BOX_LINES); 2]).areas(area);
    let [writes, latency] = halves(upper);
    let [waiting, settling] = halves(lower);
    draw_writes(frame, writes, model, live);
    draw_facts(frame, latency, "Durable after", latencies(model));
    draw_facts(frame, waiting, "Waiting", queues(live));
    draw_facts(frame, settling, "Settling", settling_facts(model, live));
}

/// A name, what is to be said, and whether that is wrong.
type Fact = (&'static str, String, bool);

fn draw_facts(frame: &mut Frame<'_>, area: Rect, title: &'static str, facts: Vec<Fact>) {
    let lines: Vec<_> = facts
        .into_iter()
        .map(|(name, what, wrong)| {
            let what = if wrong { Span::styled(what, WRONG) } else { Span::from(what).bold() };
            Line::from(vec![Span::from(format!("{name:<12}")), what])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(Border::bordered().title(title)), area);
}

fn draw_writes(frame: &mut Frame<'_>, area: Rect, model: &Model, live: &Live) {
    let border = Border::bordered().title("Writes");
    let inner = border.inner(area);
    frame.render_widget(border, area);
    let [facts, curve] = Layout::vertical([Constraint::Length(3), Constraint::Min(1)]).areas(inner);
    let rate = |of: fn(&Live) -> f64| {
        model.window().map_or(NOTHING.into(), |(first, last, seconds)| {
            format!("{} /s", number((of(last) - of(first)) / seconds))
        })
    };
    let refused = live.refused > 0.0;
    let line = |name: &str, rate: String, total: f64, wrong: bool| {
        let rate = if wrong { Span::styled(rate, WRONG) } else { Span::from(rate).bold() };
        Line::from(vec![
            Span::from(format!("{name:<12}")),
            rate,
            format!("   {} in all", number(total)).into(),
        ])
    };
    let lines = vec![
        line("durable", rate(|live| live.durable), live.durable, false),
        line("repeated", rate(|live| live.repeated), live.repeated, false),
        line("refused", rate(|live| live.refused), live.refused, refused),
    ];
    frame.render_widget(Paragraph::new(lines), facts);
    let newest: Vec<_> = model.curve.iter().rev().take(curve.width.into()).rev().copied().collect();
    frame.render_widget(Sparkline::default().data(newest), curve);
}

fn latencies(model: &Model) -> Vec<Fact> {
    let Some((first, last, _)) = model.window() else { return vec![("", "at the next look".into(), false)] };
    let (latency, sync) = (last.latency.since(&first.latency), last.sync.since(&first.sync));
    let shown = |quantile: Option<f64>| quantile.map_or(NOTHING.into(), seconds);
    vec![
        ("p50", shown(latency.quantile(0.5)), false),
        ("p99", shown(latency.quantile(0.99)), false),
        ("fsync p50", shown(sync.quantile(0.5)), false),
        ("fsync p99", shown(sync.quantile(0.99)), false),
    ]
}

fn queues(live: &Live) -> Vec<Fact> {
    let by_lane = |at: usize| format!("{} writes", number(live.queued[at]));
    let mut facts: Vec<_> = (0..LANES.len()).map(|at| (LANES[at], by_lane(at), false)).collect();
    facts.push(("unsealed", format!("{} records", number(live.unsealed)), false));
    let poisoned = live.poisoned > 0.0;
    let shards = if poisoned {
        format!("{} of {} take no writes", number(live.poisoned), live.shards)
    } else {
        format!("{}, {} devices", live.shards, number(live.devices))
    };
    facts.push(("shards", shards, poisoned));
    facts
}

fn settling_facts(model: &Model, live: &Live) -> Vec<Fact> {
    let newest = model.newest().newest;
    let waits = |at: usize| match newest[at].saturating_sub(newest[at + 1]) {
        0 => "none".into(),
        blocks => format!("{}, {}", counted(blocks, "block"), seconds(live.ages[at])),
    };
    let gas = match live.gas_blocks {
        0.0 => NOTHING.into(),
        blocks => format!("{} a block", number(live.gas / blocks)),
    };
    let mut facts: Vec<Fact> = [("to prove", 0), ("to post", 1), ("to be final", 2)]
        .map(|(name, at)| (name, waits(at), false))
        .into();
    debug_assert_eq!(facts.len(), WAITING_STAGES.len());
    facts.push(("gas", gas, false));
    let trouble = live.faults + live.reorgs + live.replaced;
    facts.push(if trouble > 0.0 {
        let [faults, reorgs, replaced] = [live.faults, live.reorgs, live.replaced].map(number);
        ("trouble", format!("{faults} faults, {reorgs} reorgs, {replaced} fee bumps"), true)
    } else {
        ("memory", format!("{} MiB", number(live.resident_bytes / f64::from(1 << 20))), false)
    });
    facts
}

fn draw_blocks(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let shown = |value: Option<u64>| value.map_or(NOTHING.into(), grouped);
    #[expect(clippy::cast_precision_loss, reason = "an age is far below 2^52 seconds")]
    let age =
        |block: &Block| block.age_s.map(|age| age as f64).or_else(|| Some(model.newest().at - block.seen?));
    let row = |block: &Block| {
        Row::new([
            format!("{:>9}", grouped(block.number)),
            model.newest().stage_of(block.number).to_owned(),
            format!("{:>12}", shown(block.records)),
            format!("{:>10}", shown(block.gas)),
            format!("{:>9}", age(block).map_or(NOTHING.into(), |age| format!("{} s", number(age)))),
        ])
    };
    let widths = [9, 10, 12, 10, 9].map(Constraint::Length);
    let names =
        [format!("{:>9}", "block"), "stage".into(), format!("{:>12}", "records"), format!("{:>10}", "gas")];
    let names = names.into_iter().chain([format!("{:>9}", "age")]);
    let table = Table::new(model.blocks().map(row), widths)
        .header(Row::new(names).style(Style::new().bold()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Border::bordered().title("Blocks"));
    let chosen = (model.blocks().len() > 0 && model.chosen > 0).then_some(model.chosen);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(chosen));
}

/// A count, as whole as it is.
fn number(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small, and no less than 0"
    )]
    grouped(value.max(0.0).round() as u64)
}

/// A time with three digits.
fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        0.0 => return "0 s".into(),
        seconds if seconds < 0.001 => (seconds * 1e6, "µs"),
        seconds if seconds < 1.0 => (seconds * 1e3, "ms"),
        seconds => (seconds, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

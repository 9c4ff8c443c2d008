//! What a bench found out, in one form for all of them: a table for people, JSON for machines, a page with the plots.

use super::report::rounded;
use crate::{
    args::OutputArgs,
    environment::Environment,
    error::{CliError, IoContext},
    interrupt::Interrupt,
    lines::Lines,
    output,
    page::{Bar, Bars, Chart, Drawing, Page, Section, Tile},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// What one run of a bench found out.
pub(crate) trait Findings: Serialize {
    /// The figures that runs are compared by, named as in the JSON; the first of them says which run is the median.
    fn headline(&self) -> Vec<(&'static str, f64)>;

    /// The figures that stand first on a page.
    fn tiles(&self) -> Vec<Tile>;

    /// Everything, part by part.
    fn sections(&self) -> Vec<Section>;
}

/// A figure over all runs.
#[derive(Serialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The median run, how far the others are from it, and what they ran on.
#[derive(Serialize)]
struct Measured<F> {
    bench: &'static str,
    environment: Environment,
    runs: usize,
    spread: BTreeMap<&'static str, Spread>,
    #[serde(flatten)]
    run: F,
}

/// Measures as often as was asked for, and says what came of it.
pub(crate) fn report<F: Findings>(
    bench: &'static str,
    output: &OutputArgs,
    dir: &Path,
    mut measure: impl FnMut(&Interrupt) -> Result<F, CliError>,
) -> Result<(), CliError> {
    let interrupt = Interrupt::listen();
    let environment = Environment::of(dir);
    let mut runs = vec![measure(&interrupt)?];
    while runs.len() < output.runs && !interrupt.is_raised() {
        runs.push(measure(&interrupt)?);
    }
    let measured = Measured::of(bench, environment, runs);
    // First what was measured, whatever becomes of the page.
    if output.json { output::print_json(&measured) } else { output::print(&measured.table()) }?;
    if let Some(path) = output.page() {
        fs::write(path, measured.page().html()).context("write", path)?;
        eprintln!("the page is {}", path.display());
    }
    Ok(())
}

impl<F: Findings> Measured<F> {
    fn of(bench: &'static str, environment: Environment, mut runs: Vec<F>) -> Self {
        let count = runs.len();
        let mut figures: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for (name, figure) in runs.iter().flat_map(Findings::headline) {
            figures.entry(name).or_default().push(figure);
        }
        let spread = figures.into_iter().map(|(name, figures)| (name, Spread::of(figures))).collect();
        let first = |run: &F| run.headline().first().map_or(0.0, |(_, figure)| *figure);
        runs.sort_by(|a, b| first(a).total_cmp(&first(b)));
        Self { bench, environment, runs: count, spread, run: runs.swap_remove(count / 2) }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let sections = self.run.sections();
        let several = sections.len() > 1;
        // Writing to a string does not fail.
        for section in &sections {
            let _ = match several {
                true => writeln!(text, "{}\n{}", section.title, section.lines),
                false => write!(text, "{}", section.lines),
            };
        }
        let _ = write!(text, "{}{}", self.spread_lines(), self.environment.lines());
        text
    }

    fn page(&self) -> Page<'_> {
        let mut sections = self.run.sections();
        if self.runs > 1 {
            sections.push(Section::new("How far apart the runs are", self.spread_lines(), Vec::new()));
        }
        let runs =
            if self.runs > 1 { format!("The median of {} runs", self.runs) } else { "One run".to_owned() };
        let commit = self.environment.commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
        let lead =
            format!("{runs} on {}, {}{commit}.", self.environment.cpu, day(&self.environment.taken_at));
        Page {
            title: format!("arterial bench {}", self.bench),
            lead,
            tiles: self.run.tiles(),
            sections,
            environment: &self.environment,
        }
    }

    /// How far apart the runs are, if there were several.
    fn spread_lines(&self) -> Lines {
        let mut lines = Lines::default();
        if self.runs > 1 {
            lines.push("runs", format!("{}; above is the median one", self.runs));
            for (name, Spread { median, min, max }) in &self.spread {
                let values = [median, min, max].map(|value| significant(*value));
                lines.push(name.replace('_', " "), format!("{} ({} to {})", values[0], values[1], values[2]));
            }
        }
        lines
    }
}

/// The day of a time.
pub(crate) fn day(taken_at: &str) -> &str {
    taken_at.split('T').next().unwrap_or_default()
}

impl Spread {
    /// The upper one of two medians.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or_default();
        Self { median: at(figures.len() / 2), min: at(0), max: at(figures.len().saturating_sub(1)) }
    }
}

/// Figures of one unit, a bar each: what was measured, and what the machine could do.
pub(crate) fn side_by_side(
    title: &'static str,
    note: &str,
    unit: &'static str,
    figures: &[(&str, f64)],
) -> Chart {
    let bar = |&(name, figure): &(&str, f64)| Bar { name: name.to_owned(), sizes: vec![figure] };
    let bars = figures.iter().map(bar).collect();
    Chart { title, note: note.to_owned(), drawing: Drawing::Bars(Bars { unit, parts: vec![unit], bars }) }
}

/// A figure of any size, to three digits at least.
fn significant(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1000.0 => rounded(figure),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Run {
        rate: f64,
        latency: f64,
    }

    impl Findings for Run {
        fn headline(&self) -> Vec<(&'static str, f64)> {
            vec![("rate", self.rate), ("latency", self.latency)]
        }

        fn tiles(&self) -> Vec<Tile> {
            Vec::new()
        }

        fn sections(&self) -> Vec<Section> {
            Vec::new()
        }
    }

    #[test]
    fn the_median_run_is_shown_and_the_spread_is_of_each_figure() {
        let runs = [(30.0, 1.0), (10.0, 5.0), (20.0, 9.0)].map(|(rate, latency)| Run { rate, latency });
        let measured = Measured::of("none", Environment::of(Path::new(".")), runs.into());
        assert_eq!((measured.runs, measured.run.rate, measured.run.latency), (3, 20.0, 9.0));
        assert_eq!(measured.spread["latency"], Spread { median: 5.0, min: 1.0, max: 9.0 });
        assert_eq!(measured.spread["rate"], Spread { median: 20.0, min: 10.0, max: 30.0 });
    }

    #[test]
    fn figures_of_all_sizes_have_three_digits() {
        for (figure, text) in
            [(1234.4, "1,234"), (123.4, "123"), (12.34, "12.3"), (0.1234, "0.123"), (0.0, "0.000")]
        {
            assert_eq!(significant(figure), text);
        }
    }
}

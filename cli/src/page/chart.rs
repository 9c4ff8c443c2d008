//! Charts: a drawing, its legend, and its numbers as a table beside it.

use super::{
    axis::{Axis, short},
    bars,
    markup::Markup,
    plot, spans,
};
use std::fmt::Display;

/// Width of every drawing, in its own units. It is that of a phone's column, so that letters have their size there and
/// not less; on wider screens charts stand side by side.
pub(super) const WIDTH: f64 = 360.0;
/// Series that have colours of their own.
const COLOURS: usize = 8;

/// A chart.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What is to be seen on it.
    pub(crate) note: String,
    pub(crate) drawing: Drawing,
}

pub(crate) enum Drawing {
    Plot(Plot),
    Bars(Bars),
    Spans(Spans),
}

/// Lines over an axis.
pub(crate) struct Plot {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Bars of parts that add up.
pub(crate) struct Bars {
    pub(crate) unit: &'static str,
    /// The parts' names, and their sizes in each bar.
    pub(crate) parts: Vec<&'static str>,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) sizes: Vec<f64>,
}

/// What was done when, as a flame graph has it: rows of spans over seconds.
pub(crate) struct Spans {
    /// What is done in a row, one after the other.
    pub(crate) steps: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) name: String,
    /// Seconds at which each step began, and at which the last one ended.
    pub(crate) times: Vec<f64>,
}

/// The class of the n-th colour.
pub(super) fn colour(n: usize) -> &'static str {
    ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"][n % COLOURS]
}

impl Chart {
    pub(super) fn write(&self, markup: &mut Markup) {
        markup.open("figure", &[]);
        markup.open("figcaption", &[]);
        markup.element("h3", &[], self.title);
        markup.element("p", &[], &self.note);
        markup.close("figcaption");
        match &self.drawing {
            Drawing::Plot(plot) => plot::draw(markup, self, plot),
            Drawing::Bars(bars) => bars::draw(markup, self, bars),
            Drawing::Spans(spans) => spans::draw(markup, self, spans),
        }
        self.legend(markup);
        self.numbers(markup);
        markup.close("figure");
    }

    fn legend(&self, markup: &mut Markup) {
        let names: Vec<&str> = match &self.drawing {
            Drawing::Plot(plot) => plot.series.iter().map(|series| &*series.name).collect(),
            Drawing::Bars(bars) => bars.parts.clone(),
            Drawing::Spans(spans) => spans.steps.clone(),
        };
        if names.len() < 2 {
            return;
        }
        markup.open("ul", &[("class", &"legend")]);
        for (n, name) in names.into_iter().enumerate() {
            markup.open("li", &[]);
            markup.element("i", &[("class", &colour(n))], "");
            markup.text(name);
            markup.close("li");
        }
        markup.close("ul");
    }

    fn numbers(&self, markup: &mut Markup) {
        markup.open("details", &[]);
        markup.element("summary", &[], "Numbers");
        markup.open("div", &[("class", &"scroll"), ("tabindex", &"0")]);
        markup.open("table", &[]);
        match &self.drawing {
            Drawing::Plot(plot) => {
                row(markup, "th", [plot.x.label, "", plot.y.label]);
                for series in &plot.series {
                    for (x, y) in &series.points {
                        row(markup, "td", [short(*x), series.name.clone(), short(*y)]);
                    }
                }
            }
            Drawing::Bars(bars) => {
                row(markup, "th", std::iter::once("").chain(bars.parts.iter().copied()));
                for bar in &bars.bars {
                    row(
                        markup,
                        "td",
                        std::iter::once(bar.name.clone()).chain(bar.sizes.iter().map(|size| short(*size))),
                    );
                }
            }
            Drawing::Spans(spans) => {
                row(markup, "th", std::iter::once("").chain(spans.steps.iter().copied()));
                for one in &spans.rows {
                    let took = one.times.windows(2).map(|times| format!("{} s", short(times[1] - times[0])));
                    row(markup, "td", std::iter::once(one.name.clone()).chain(took));
                }
            }
        }
        markup.close("table");
        markup.close("div");
        markup.close("details");
    }
}

fn row<T: Display>(markup: &mut Markup, cell: &'static str, cells: impl IntoIterator<Item = T>) {
    markup.open("tr", &[]);
    cells.into_iter().for_each(|text| markup.element(cell, &[], text));
    markup.close("tr");
}

/// Begins a drawing that says to all what it shows.
pub(super) fn begin(markup: &mut Markup, chart: &Chart, height: f64) {
    let view = format!("0 0 {WIDTH} {height:.0}");
    markup.open("svg", &[("viewBox", &view), ("role", &"img"), ("xmlns", &"http://www.w3.org/2000/svg")]);
    markup.element("title", &[], chart.title);
    markup.element("desc", &[], &chart.note);
}

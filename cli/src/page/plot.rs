//! Lines over an axis.

use super::{
    axis::{Ruler, short},
    chart::{Chart, Plot, Series, WIDTH, begin, colour},
    markup::{At, Markup},
};
use std::fmt::Write as _;

const HEIGHT: f64 = 216.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = HEIGHT - 34.0;
/// Points that are drawn as such, and not only the line through them.
const DOTS_MAX: usize = 24;

struct Place<'a> {
    x: &'a Ruler,
    y: &'a Ruler,
}

impl Place<'_> {
    fn of(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (LEFT + self.x.place(x) * (RIGHT - LEFT), BOTTOM - self.y.place(y) * (BOTTOM - TOP))
    }
}

pub(super) fn draw(markup: &mut Markup, chart: &Chart, plot: &Plot) {
    let points = || plot.series.iter().flat_map(|series| &series.points);
    let x = Ruler::over(plot.x.scale, points().map(|point| point.0));
    let y = Ruler::over(plot.y.scale, points().map(|point| point.1));
    let place = Place { x: &x, y: &y };
    begin(markup, chart, HEIGHT);
    grid(markup, plot, &place);
    for (n, series) in plot.series.iter().enumerate() {
        line(markup, series, colour(n), &place, plot.series.len() == 1);
    }
    markup.close("svg");
}

fn grid(markup: &mut Markup, plot: &Plot, place: &Place<'_>) {
    for (mark, name) in place.y.marks() {
        let (_, y) = place.of((0.0, mark));
        let (from, to) = (At(LEFT), At(RIGHT));
        markup
            .empty("line", &[("class", &"grid"), ("x1", &from), ("x2", &to), ("y1", &At(y)), ("y2", &At(y))]);
        markup.element("text", &[("x", &At(LEFT - 5.0)), ("y", &At(y + 4.0)), ("class", &"end")], name);
    }
    let mut free_from = 0.0;
    for (mark, name) in place.x.marks() {
        let (x, _) = place.of((mark, 0.0));
        // Names of marks that are close would stand in each other.
        let half = name.len() as f64 * 4.0;
        let middle = x.clamp(half, WIDTH - half);
        markup.empty(
            "line",
            &[
                ("class", &"tick"),
                ("x1", &At(x)),
                ("x2", &At(x)),
                ("y1", &At(BOTTOM)),
                ("y2", &At(BOTTOM + 4.0)),
            ],
        );
        if middle - half >= free_from {
            markup.element(
                "text",
                &[("x", &At(middle)), ("y", &At(BOTTOM + 17.0)), ("class", &"middle")],
                name,
            );
            free_from = middle + half + 4.0;
        }
    }
    markup.element("text", &[("x", &At(2.0)), ("y", &At(12.0)), ("class", &"label")], plot.y.label);
    markup.element(
        "text",
        &[("x", &At(RIGHT)), ("y", &At(HEIGHT - 3.0)), ("class", &"label end")],
        plot.x.label,
    );
}

fn line(markup: &mut Markup, series: &Series, colour: &'static str, place: &Place<'_>, alone: bool) {
    let finite = || series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    let points: Vec<(f64, f64)> = finite().map(|point| place.of(*point)).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let mut path = String::new();
    for (n, (x, y)) in points.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(path, "{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' });
    }
    if alone && points.len() > 1 {
        let area = format!("{path}L{:.1} {BOTTOM:.1}L{:.1} {BOTTOM:.1}Z", last.0, first.0);
        markup.empty("path", &[("class", &format!("area {colour}")), ("d", &area)]);
    }
    markup.empty("path", &[("class", &format!("line {colour}")), ("d", &path)]);
    if points.len() > DOTS_MAX {
        return;
    }
    for ((x, y), (was_x, was_y)) in points.iter().zip(finite()) {
        markup.open(
            "circle",
            &[("class", &format!("dot {colour}")), ("cx", &At(*x)), ("cy", &At(*y)), ("r", &"3")],
        );
        markup.element("title", &[], format!("{}: {} at {}", series.name, short(*was_y), short(*was_x)));
        markup.close("circle");
    }
}

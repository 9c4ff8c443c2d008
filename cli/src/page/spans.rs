//! What was done when: a row for each block, its steps over seconds.

use super::{
    axis::{Ruler, Scale, short},
    chart::{Chart, Row, Spans, WIDTH, begin, colour},
    markup::{At, Markup},
};

const LEFT: f64 = 40.0;
const RIGHT: f64 = WIDTH - 16.0;
const ROW: f64 = 15.0;
/// Rows that are drawn at most; where there are more, evenly chosen ones are.
const ROWS_MAX: usize = 20;

pub(super) fn draw(markup: &mut Markup, chart: &Chart, spans: &Spans) {
    let every = spans.rows.len().div_ceil(ROWS_MAX).max(1);
    let rows: Vec<&Row> = spans.rows.iter().step_by(every).collect();
    let ruler = Ruler::over(Scale::Linear, rows.iter().flat_map(|row| row.times.iter().copied()));
    let x_of = |seconds: f64| LEFT + ruler.place(seconds) * (RIGHT - LEFT);
    let bottom = f64::from(u16::try_from(rows.len()).unwrap_or(u16::MAX)) * ROW + 4.0;
    begin(markup, chart, bottom + 32.0);
    for (mark, name) in ruler.marks() {
        let x = x_of(mark);
        markup.empty(
            "line",
            &[("class", &"grid"), ("x1", &At(x)), ("x2", &At(x)), ("y1", &"0"), ("y2", &At(bottom))],
        );
        markup.element("text", &[("x", &At(x)), ("y", &At(bottom + 14.0)), ("class", &"middle")], name);
    }
    markup.element(
        "text",
        &[("x", &At(RIGHT)), ("y", &At(bottom + 28.0)), ("class", &"label end")],
        "seconds",
    );
    let mut y = 2.0;
    for row in rows {
        markup.element("text", &[("x", &At(LEFT - 5.0)), ("y", &At(y + 11.0)), ("class", &"end")], &row.name);
        for (n, (step, times)) in spans.steps.iter().zip(row.times.windows(2)).enumerate() {
            let (from, to) = (x_of(times[0]), x_of(times[1]));
            let class = format!("fill {}", colour(n));
            markup.open(
                "rect",
                &[
                    ("class", &class),
                    ("x", &At(from)),
                    ("y", &At(y)),
                    ("width", &At((to - from).max(0.4))),
                    ("height", &At(ROW - 3.0)),
                ],
            );
            markup.element("title", &[], format!("{}, {step}: {} s", row.name, short(times[1] - times[0])));
            markup.close("rect");
        }
        y += ROW;
    }
    markup.close("svg");
}

//! Bars of parts that add up.

use super::{
    axis::short,
    chart::{Bars, Chart, WIDTH, begin, colour},
    markup::{At, Markup},
};

const NAME: f64 = 15.0;
const BAR: f64 = 18.0;
const GAP: f64 = 12.0;

pub(super) fn draw(markup: &mut Markup, chart: &Chart, bars: &Bars) {
    let sum = |sizes: &[f64]| sizes.iter().sum::<f64>();
    let longest = bars.bars.iter().map(|bar| sum(&bar.sizes)).fold(f64::MIN_POSITIVE, f64::max);
    let rows = u16::try_from(bars.bars.len()).unwrap_or(u16::MAX);
    begin(markup, chart, f64::from(rows) * (NAME + BAR + GAP));
    let mut y = 0.0;
    for bar in &bars.bars {
        markup.element("text", &[("x", &"0"), ("y", &At(y + 11.0))], &bar.name);
        let total = format!("{} {}", short(sum(&bar.sizes)), bars.unit);
        markup.element("text", &[("x", &At(WIDTH)), ("y", &At(y + 11.0)), ("class", &"end strong")], total);
        let mut x = 0.0;
        for (n, (part, size)) in bars.parts.iter().zip(&bar.sizes).enumerate() {
            let width = (size / longest * WIDTH).max(0.0);
            let class = format!("fill {}", colour(n));
            markup.open(
                "rect",
                &[
                    ("class", &class),
                    ("x", &At(x)),
                    ("y", &At(y + NAME)),
                    ("width", &At(width)),
                    ("height", &At(BAR)),
                ],
            );
            markup.element("title", &[], format!("{part}: {} {}", short(*size), bars.unit));
            markup.close("rect");
            x += width;
        }
        y += NAME + BAR + GAP;
    }
    markup.close("svg");
}

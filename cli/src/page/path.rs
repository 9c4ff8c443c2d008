//! The way of one record, from its device to the base chain, as its receipt has it.

use super::{
    chart::{WIDTH, colour},
    markup::{At, Markup},
};

const RAIL: f64 = 22.0;
const TEXT: f64 = 48.0;
/// Height of a station without its level.
const STATION: f64 = 66.0;
/// Height of the row of siblings.
const LEVEL: f64 = 24.0;
const SQUARE: f64 = 10.0;
const SQUARES_ROW: usize = 20;

/// Stations from the device up to the base chain.
pub(crate) struct Path {
    pub(crate) title: &'static str,
    pub(crate) note: String,
    pub(crate) stations: Vec<Station>,
}

/// One thing that is committed to by the next.
pub(crate) struct Station {
    pub(crate) name: &'static str,
    /// What it is, whole.
    pub(crate) value: String,
    /// How it came of what is before it.
    pub(crate) how: String,
    /// What was hashed with it on the way to the next, from below.
    pub(crate) level: Option<Level>,
}

/// Siblings that a path passes, each by a byte of it; `None` where there is nothing beside.
pub(crate) struct Level {
    pub(crate) name: &'static str,
    pub(crate) siblings: Vec<Option<u8>>,
}

impl Station {
    fn height(&self) -> f64 {
        STATION + if self.level.is_some() { LEVEL } else { 0.0 }
    }
}

impl Path {
    pub(super) fn write(&self, markup: &mut Markup) {
        markup.open("figure", &[("class", &"path")]);
        markup.open("figcaption", &[]);
        markup.element("h3", &[], self.title);
        markup.element("p", &[], &self.note);
        markup.close("figcaption");
        self.draw(markup);
        self.table(markup);
        markup.close("figure");
    }

    fn draw(&self, markup: &mut Markup) {
        let height: f64 = self.stations.iter().map(Station::height).sum::<f64>() - 8.0;
        let view = format!("0 0 {WIDTH} {height:.0}");
        markup.open("svg", &[("viewBox", &view), ("role", &"img"), ("xmlns", &"http://www.w3.org/2000/svg")]);
        markup.element("title", &[], self.title);
        markup.element("desc", &[], &self.note);
        let last = self.stations.last().map_or(0.0, Station::height);
        markup.empty(
            "line",
            &[
                ("class", &"rail"),
                ("x1", &At(RAIL)),
                ("x2", &At(RAIL)),
                ("y1", &"20"),
                ("y2", &At(height + 8.0 - last + 20.0)),
            ],
        );
        let mut y = 0.0;
        for (n, station) in self.stations.iter().enumerate() {
            station.draw(markup, n, y);
            y += station.height();
        }
        markup.close("svg");
    }

    fn table(&self, markup: &mut Markup) {
        markup.open("dl", &[]);
        for station in &self.stations {
            markup.open("div", &[]);
            markup.element("dt", &[], station.name);
            markup.element("dd", &[("class", &"hash")], &station.value);
            markup.close("div");
        }
        markup.close("dl");
    }
}

impl Station {
    fn draw(&self, markup: &mut Markup, n: usize, y: f64) {
        markup.empty(
            "circle",
            &[("class", &"station"), ("cx", &At(RAIL)), ("cy", &At(y + 20.0)), ("r", &"12")],
        );
        markup.element("text", &[("class", &"middle strong"), ("x", &At(RAIL)), ("y", &At(y + 24.5))], n + 1);
        markup.element("text", &[("class", &"strong"), ("x", &At(TEXT)), ("y", &At(y + 15.0))], self.name);
        markup.element(
            "text",
            &[("class", &"hash"), ("x", &At(TEXT)), ("y", &At(y + 31.0))],
            shortened(&self.value),
        );
        markup.element("text", &[("class", &"how"), ("x", &At(TEXT)), ("y", &At(y + 46.0))], &self.how);
        let Some(level) = &self.level else { return };
        for (n, sibling) in level.siblings.iter().take(SQUARES_ROW).enumerate() {
            let x = TEXT + f64::from(u16::try_from(n).unwrap_or(u16::MAX)) * (SQUARE + 3.0);
            let class = sibling.map_or("none".to_owned(), |byte| format!("fill {}", colour(byte.into())));
            let (size, place) = (At(SQUARE), At(y + 56.0));
            markup.open(
                "rect",
                &[
                    ("class", &class),
                    ("x", &At(x)),
                    ("y", &place),
                    ("width", &size),
                    ("height", &size),
                    ("rx", &"2"),
                ],
            );
            let what = if sibling.is_some() { "a sibling" } else { "nothing beside" };
            markup.element("title", &[], format!("{}, {} from below: {what}", level.name, n + 1));
            markup.close("rect");
        }
    }
}

/// The begin and the end of what is long.
fn shortened(value: &str) -> String {
    const ENDS: usize = 14;
    let chars: Vec<char> = value.chars().collect();
    if chars.len() <= 2 * ENDS + 3 {
        return value.to_owned();
    }
    let end = chars.len() - ENDS;
    chars[..ENDS].iter().chain(&['…']).chain(&chars[end..]).collect()
}

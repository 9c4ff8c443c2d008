//! A page that says what was measured: one file, without scripts, that asks nobody for anything.
//!
//! Drawings are SVG of our own. `plotters` has no colours that follow the reader's light or dark, no titles and
//! descriptions for those who hear a page, and letters whose size is fixed with the drawing's; `charming` needs a script
//! in the page, or a script engine in this program. What is drawn here takes less code than either needs around it.

mod axis;
mod bars;
mod chart;
mod markup;
mod path;
mod plot;
mod spans;
#[cfg(test)]
mod tests;

pub(crate) use axis::{Axis, Scale};
pub(crate) use chart::{Bar, Bars, Chart, Drawing, Plot, Row, Series, Spans};
pub(crate) use path::{Level, Path, Station};

use crate::{environment::Environment, lines::Lines};
use markup::Markup;

/// The page may have its style, and the icon that is in it; it may load nothing, and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' \
                    height='32' rx='7' fill='%23b3202c'/%3E%3Cpath d='M4 17h6l3-9 5 16 3-7h7' fill='none' stroke='%23fff' \
                    stroke-width='2.6' stroke-linejoin='round' stroke-linecap='round'/%3E%3C/svg%3E";
/// One beat of a heart.
const BEAT: &str = "M0 30H120l9-4 9 4h14l5 5 9-33 10 46 7-18h16l12-7 13 7H600";

/// A page.
pub(crate) struct Page<'a> {
    pub(crate) title: String,
    /// What this is about, in a sentence or two.
    pub(crate) lead: String,
    /// The figures that stand first.
    pub(crate) tiles: Vec<Tile>,
    pub(crate) sections: Vec<Section>,
    pub(crate) environment: &'a Environment,
}

/// A figure and what it is of.
pub(crate) struct Tile {
    pub(crate) figure: String,
    pub(crate) of: String,
}

/// A part of a page.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) lines: Lines,
    pub(crate) charts: Vec<Chart>,
    pub(crate) path: Option<Path>,
}

impl Tile {
    pub(crate) fn new(figure: String, of: &str) -> Self {
        Self { figure, of: of.to_owned() }
    }
}

impl Section {
    pub(crate) const fn new(title: &'static str, lines: Lines, charts: Vec<Chart>) -> Self {
        Self { title, lines, charts, path: None }
    }
}

impl Page<'_> {
    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        let mut markup = Markup::default();
        markup.constant("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
        markup.empty("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
        markup.empty("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
        markup.empty("meta", &[("name", &"color-scheme"), ("content", &"light dark")]);
        markup.empty("link", &[("rel", &"icon"), ("href", &ICON)]);
        markup.element("title", &[], format_args!("{} · Arterial", self.title));
        markup.constant(concat!("<style>\n", include_str!("style.css"), "</style></head><body>\n"));
        self.header(&mut markup);
        markup.open("main", &[]);
        for section in &self.sections {
            section.write(&mut markup);
        }
        markup.open("section", &[]);
        markup.element("h2", &[], "Measured on");
        list(&mut markup, &self.environment.lines());
        markup.close("section");
        markup.close("main");
        markup.constant("\n</body></html>\n");
        markup.into_string()
    }

    fn header(&self, markup: &mut Markup) {
        markup.open("header", &[]);
        markup.open(
            "svg",
            &[
                ("class", &"beat"),
                ("viewBox", &"0 0 600 50"),
                ("aria-hidden", &"true"),
                ("preserveAspectRatio", &"xMaxYMid slice"),
            ],
        );
        markup.empty("path", &[("d", &BEAT)]);
        markup.close("svg");
        markup.element("p", &[("class", &"brand")], "Arterial");
        markup.element("h1", &[], &self.title);
        markup.element("p", &[("class", &"lead")], &self.lead);
        markup.open("ul", &[("class", &"tiles")]);
        for tile in &self.tiles {
            markup.open("li", &[]);
            markup.element("b", &[], &tile.figure);
            markup.element("span", &[], &tile.of);
            markup.close("li");
        }
        markup.close("ul");
        markup.close("header");
    }
}

impl Section {
    fn write(&self, markup: &mut Markup) {
        markup.open("section", &[]);
        markup.element("h2", &[], self.title);
        if let Some(path) = &self.path {
            path.write(markup);
        }
        if !self.charts.is_empty() {
            markup.open("div", &[("class", &"charts")]);
            self.charts.iter().for_each(|chart| chart.write(markup));
            markup.close("div");
        }
        list(markup, &self.lines);
        markup.close("section");
        markup.constant("\n");
    }
}

fn list(markup: &mut Markup, lines: &Lines) {
    if lines.iter().next().is_none() {
        return;
    }
    markup.open("dl", &[]);
    for (name, value) in lines.iter() {
        markup.open("div", &[]);
        markup.element("dt", &[], name);
        markup.element("dd", &[], value);
        markup.close("div");
    }
    markup.close("dl");
}

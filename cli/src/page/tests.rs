use super::*;
use std::path::Path as FilePath;

const ATTACK: &str = "</style></svg><img src=http://x onerror=\"alert('1')\">&";

fn chart(title: &'static str, drawing: Drawing) -> Chart {
    Chart { title, note: ATTACK.into(), drawing }
}

fn plot(points: Vec<(f64, f64)>) -> Drawing {
    let axis = |scale| Axis { label: "seconds", scale };
    Drawing::Plot(Plot {
        x: axis(Scale::Linear),
        y: axis(Scale::Log),
        series: vec![Series { name: ATTACK.into(), points }, Series { name: "other".into(), points: vec![] }],
    })
}

fn page(charts: Vec<Chart>) -> String {
    let mut lines = Lines::default();
    lines.push(ATTACK, ATTACK.into());
    let level = Level { name: "level", siblings: vec![None, Some(7)] };
    let station = Station { name: "record", value: ATTACK.repeat(3), how: ATTACK.into(), level: Some(level) };
    let mut section = Section::new("figures", lines, charts);
    section.path = Some(Path { title: "way", note: ATTACK.into(), stations: vec![station] });
    let tiles = vec![Tile { figure: ATTACK.into(), of: ATTACK.into() }];
    let environment = Environment::of(FilePath::new("."));
    Page {
        title: ATTACK.into(),
        lead: ATTACK.into(),
        tiles,
        sections: vec![section],
        environment: &environment,
    }
    .html()
}

fn all() -> Vec<Chart> {
    let bar = Bar { name: ATTACK.into(), sizes: vec![1.0, 2.0] };
    let row = Row { name: ATTACK.into(), times: vec![0.0, 1.0, 2.0] };
    vec![
        chart("plot", plot(vec![(0.0, 1.0), (1.0, 30.0)])),
        chart("bars", Drawing::Bars(Bars { unit: "gas", parts: vec!["a", "b"], bars: vec![bar] })),
        chart("spans", Drawing::Spans(Spans { steps: vec!["a", "b"], rows: vec![row] })),
    ]
}

#[test]
fn nothing_that_is_given_becomes_markup_and_nothing_is_asked_for() {
    let html = page(all());
    for markup in
        ["<img", "<script", "<iframe", "<object", "<base", "</style></svg>", "onerror=\"", "@import", "url("]
    {
        assert!(!html.contains(markup), "{markup}: {html}");
    }
    assert_eq!(html.matches("<style>").count(), 1);
    // The one link is the icon, which is in the page.
    assert_eq!((html.matches("href=").count(), html.matches("href=\"data:").count()), (1, 1));
}

#[test]
fn every_drawing_says_what_it_is_and_has_its_numbers_beside_it() {
    let html = page(all());
    let drawings = html.matches("role=\"img\"").count();
    assert_eq!(drawings, 4);
    assert_eq!(html.matches("<desc>").count(), drawings);
    // The path has them as a list.
    assert_eq!(html.matches("<details>").count(), drawings - 1);
    assert!(html.contains("<dd class=\"hash\">"));
    for number in ["<td>30</td>", "<td>2</td>", "<td>1 s</td>"] {
        assert!(html.contains(number), "{number}");
    }
}

#[test]
fn what_opens_closes() {
    let html = page(all());
    for element in [
        "svg", "figure", "section", "details", "table", "tr", "dl", "div", "ul", "li", "text", "rect",
        "circle",
    ] {
        let opened =
            html.matches(&format!("<{element}>")).count() + html.matches(&format!("<{element} ")).count();
        let empty = html
            .split(&format!("<{element} "))
            .skip(1)
            .filter(|rest| rest.split('>').next().is_some_and(|tag| tag.ends_with('/')))
            .count();
        assert_eq!(opened - empty, html.matches(&format!("</{element}>")).count(), "{element}");
    }
}

#[test]
fn charts_of_nothing_are_drawn_too() {
    let html = page(vec![
        chart("plot", plot(vec![])),
        chart("one", plot(vec![(f64::NAN, f64::INFINITY), (3.0, 0.0)])),
        chart("bars", Drawing::Bars(Bars { unit: "", parts: vec![], bars: vec![] })),
        chart("spans", Drawing::Spans(Spans { steps: vec!["a"], rows: vec![] })),
    ]);
    assert!(!html.contains("NaN") || html.contains("<td>NaN"), "{html}");
    assert!(!html.contains("\"NaN") && !html.contains("LNaN") && !html.contains("inf\""), "{html}");
}

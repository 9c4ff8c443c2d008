//! Frames from two scrapes of a real run, a second apart.

use super::{lines, model::Model, press, scrape, snapshot::Snapshot, view};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

const FIRST: &str = include_str!("recorded/first.txt");
const SECOND: &str = include_str!("recorded/second.txt");

fn snapshot(text: &str, at: f64) -> Snapshot {
    Snapshot { at, ..Snapshot::of_samples(&scrape::samples(text).unwrap()).unwrap() }
}

fn model() -> Model {
    let mut model = Model::new("http://127.0.0.1:9100".into());
    model.take(snapshot(FIRST, 0.0));
    model.take(snapshot(SECOND, 1.0));
    model
}

fn frame(model: &Model, columns: u16, lines: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    terminal.backend().buffer().clone()
}

/// Text in the colour of what is wrong.
fn red(buffer: &Buffer) -> String {
    buffer.content.iter().filter(|cell| cell.fg == Color::Red).map(|cell| cell.symbol()).collect()
}

#[test]
fn a_recorded_run_looks_as_it_did() {
    let frame = frame(&model(), 100, 30);
    assert_eq!(lines(&frame), include_str!("recorded/frame.txt"));
    assert_eq!(red(&frame), "");
}

#[test]
fn what_is_wrong_stands_out_and_is_said_in_words() {
    let poisoned = "arterial_shard_poisoned{shard=\"0\"} ";
    let mut model = model();
    model.take(snapshot(&SECOND.replace(&format!("{poisoned}0"), &format!("{poisoned}1")), 2.0));
    assert_eq!(red(&frame(&model, 100, 30)), "1 of 1 take no writes");
    model.failure = Some("http://127.0.0.1:9100/metrics: connection refused".into());
    assert!(
        red(&frame(&model, 100, 30))
            .contains("trying again: http://127.0.0.1:9100/metrics: connection refused")
    );
    model.take(snapshot(&SECOND.replace("arterial_halted 0", "arterial_halted 1"), 3.0));
    assert!(red(&frame(&model, 100, 30)).contains("no more blocks are made"));
}

#[test]
fn a_terminal_of_any_size_is_drawn_on() {
    let model = model();
    for (columns, lines) in [(1, 1), (10, 3), (40, 12), (80, 24), (300, 100)] {
        frame(&model, columns, lines);
        frame(&Model::new("x".into()), columns, lines);
    }
}

#[test]
fn keys_do_what_the_last_line_says() {
    let mut model = model();
    let mut key = |code, modifiers| {
        let goes_on = press(&mut model, KeyEvent::new(code, modifiers));
        (goes_on, model.chosen, model.paused)
    };
    assert_eq!(key(KeyCode::Down, KeyModifiers::NONE), (true, 1, false));
    assert_eq!(key(KeyCode::Char('p'), KeyModifiers::NONE), (true, 1, true));
    assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), (true, 1, true));
    assert_eq!(key(KeyCode::Up, KeyModifiers::NONE), (true, 0, true));
    assert!(!key(KeyCode::Char('q'), KeyModifiers::NONE).0);
    assert!(!key(KeyCode::Char('c'), KeyModifiers::CONTROL).0);
}

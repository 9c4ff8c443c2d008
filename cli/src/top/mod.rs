//! `arterial top`: a deployment at work, in the terminal.
//!
//! ```text
//! source (URL, DIR) ─ looks, in a thread ─▶ snapshots ─▶ model (rates, blocks) ─▶ view ─▶ terminal, or text
//! ```

mod model;
mod scrape;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;
mod view;

use crate::{args::TopArgs, error::CliError, interrupt::Interrupt, output};
use model::Model;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use snapshot::Snapshot;
use source::Source;
use std::{
    io::{self, IsTerminal as _},
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
    time::Duration,
};

/// How often keys and looks are waited for.
const TICK: Duration = Duration::from_millis(100);
/// A frame of `--once`: as many blocks as there are, up to so many lines.
const ONCE_COLUMNS: u16 = 100;
const ONCE_LINES_MAX: u16 = 60;

/// Shows it until it is left.
pub(crate) fn top(args: &TopArgs) -> Result<(), CliError> {
    if !args.once && !io::stdout().is_terminal() {
        return Err(CliError::NoTerminal);
    }
    let source = Source::open(args)?;
    let mut model = Model::new(args.source.to_string_lossy().into_owned());
    model.take(source.look()?);
    let every = Duration::from_secs(args.every);
    if args.once {
        thread::sleep(every);
        model.take(source.look()?);
        return output::print(&text(&model));
    }
    let interrupt = Interrupt::quietly();
    let looks = keep_looking(source, every);
    // From here to `restore` the terminal is ours; a panic gives it back, too.
    let mut terminal = ratatui::try_init().map_err(CliError::Terminal)?;
    let shown = show(&mut terminal, &mut model, &looks, &interrupt);
    ratatui::restore();
    shown.map_err(CliError::Terminal)
}

/// Looks in a thread of its own, so that keys need not wait for an answer; it ends with whoever takes the looks.
fn keep_looking(source: Source, every: Duration) -> Receiver<Result<Snapshot, CliError>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            thread::sleep(every);
            if sender.send(source.look()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    model: &mut Model,
    looks: &Receiver<Result<Snapshot, CliError>>,
    interrupt: &Interrupt,
) -> io::Result<()> {
    while !interrupt.is_raised() {
        terminal.draw(|frame| view::draw(frame, model))?;
        if event::poll(TICK)? {
            // A new size is drawn at the next turn.
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
                && !press(model, key)
            {
                return Ok(());
            }
        }
        match looks.try_recv() {
            Ok(_) if model.paused => {}
            Ok(Ok(snapshot)) => model.take(snapshot),
            Ok(Err(error)) => model.failure = Some(error.to_string()),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(io::Error::other("nobody looks any more")),
        }
    }
    Ok(())
}

/// Does what a key says; false if that is to leave.
fn press(model: &mut Model, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => return false,
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('p') => model.paused = !model.paused,
        KeyCode::Down | KeyCode::Char('j') => model.choose(1),
        KeyCode::Up | KeyCode::Char('k') => model.choose(-1),
        KeyCode::Home => model.choose(isize::MIN),
        KeyCode::End => model.choose(isize::MAX),
        _ => {}
    }
    true
}

/// One frame as text.
fn text(model: &Model) -> String {
    let lines_needed = view::lines_needed(model).min(ONCE_LINES_MAX);
    let mut terminal = Terminal::new(TestBackend::new(ONCE_COLUMNS, lines_needed))
        .unwrap_or_else(|impossible| match impossible {});
    let drawn = terminal.draw(|frame| view::draw(frame, model));
    drawn.unwrap_or_else(|impossible| match impossible {});
    lines(terminal.backend().buffer())
}

fn lines(buffer: &Buffer) -> String {
    let mut text = String::new();
    for line in buffer.content.chunks(buffer.area.width.into()) {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

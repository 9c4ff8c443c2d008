//! Ctrl-C: the first asks to stop, the second stops.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// By convention 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// How long what has nothing to finish may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether somebody asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where the system refuses that, signals end the process as they always do, which loses
    /// nothing that was acknowledged.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let _ = ctrlc::set_handler(move || {
            if raised.0.swap(true, Ordering::Relaxed) {
                process::exit(EXIT_CODE.into());
            }
            eprintln!("stopping: what was submitted is being made durable (again to stop at once)");
        });
        interrupt
    }

    /// Listens and says nothing, for what has nothing to finish; and ends what does not end soon. A terminal that went away
    /// is such a case: it raises this, and crossterm reads its end over and over without returning.
    pub(crate) fn quietly() -> Self {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let _ = ctrlc::set_handler(move || {
            raised.0.store(true, Ordering::Relaxed);
            thread::sleep(PATIENCE);
            process::exit(EXIT_CODE.into());
        });
        interrupt
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

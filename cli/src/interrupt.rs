//! Ctrl-C: the first asks to stop, the second stops.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// By convention 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

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

    /// Listens and says nothing: for what has nothing to finish.
    pub(crate) fn quietly() -> Self {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let _ = ctrlc::set_handler(move || raised.0.store(true, Ordering::Relaxed));
        interrupt
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

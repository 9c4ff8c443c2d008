//! Progress on a terminal; nothing anywhere else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Where progress is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    pub(crate) const fn new(shown: bool) -> Self {
        Self { shown }
    }

    fn target(self) -> ProgressDrawTarget {
        if self.shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }

    /// A bar over a known number of things.
    pub(crate) fn bar(self, what: &'static str, total: usize) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total as u64), self.target()).with_message(what);
        let template = "{msg:10} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
        bar.with_style(style(template, ProgressStyle::default_bar))
    }

    /// Something that takes as long as it takes.
    pub(crate) fn spinner(self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target()).with_message(what);
        let bar = bar.with_style(style("{spinner} {wide_msg} {elapsed}", ProgressStyle::default_spinner));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

fn style(template: &str, otherwise: fn() -> ProgressStyle) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| otherwise())
}

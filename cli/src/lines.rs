//! Figures by name, for people: the same in a terminal and on a page.

use std::fmt;

/// Bytes that names take in a terminal.
const NAME_WIDTH: usize = 28;

/// What is to be said, in order.
#[derive(Clone, Default, Debug)]
pub(crate) struct Lines(Vec<(String, String)>);

impl Lines {
    pub(crate) fn push(&mut self, name: impl Into<String>, value: String) {
        self.0.push((name.into(), value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl Extend<(String, String)> for Lines {
    fn extend<T: IntoIterator<Item = (String, String)>>(&mut self, lines: T) {
        self.0.extend(lines);
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name:NAME_WIDTH$} {value}"))
    }
}

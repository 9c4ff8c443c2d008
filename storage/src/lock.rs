//! The right to a place, which one holds at a time.

use std::fmt;

/// Held until it is dropped, or the process ends in any way.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Box<dyn Send + Sync>);

impl Lock {
    /// A lock that is let go of by dropping `held`.
    pub(crate) fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

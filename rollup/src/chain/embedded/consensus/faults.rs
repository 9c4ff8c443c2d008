//! How validators may misbehave, for those who want to see what becomes of it.

/// How a validator behaves. All are [`Honest`](Self::Honest) when a chain is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Conduct {
    /// By the rules.
    #[default]
    Honest,
    /// It hears nothing and says nothing.
    Offline,
    /// All that it says and hears is late by so much.
    Delayed {
        /// Milliseconds.
        by_ms: u64,
    },
    /// It says one thing to one half of the others and another thing to the other half, and only later each to all.
    Equivocating,
    /// It leaves what posts the rollup's blocks out of the blocks that it proposes.
    Censoring,
    /// It proposes and votes for the rollup's blocks without checking them.
    Careless,
}

impl Conduct {
    pub(super) const fn delay_us(self) -> u64 {
        match self {
            Self::Delayed { by_ms } => by_ms.saturating_mul(1000),
            _ => 0,
        }
    }
}

//! How urgent a write is.

/// How urgent a write is. Each shard has a queue of its own for each lane and commits the most urgent first, so that an
/// alarm never waits behind waveforms.
///
/// The log's backlog of records that wait for a block is shared likewise: bulk writes are taken while half of it is free,
/// routine ones while a quarter is. A lane whose share is full at a seal is taken from as
/// fast as blocks are made, in groups as small as the writer has time for; alarms never wait for that.
///
/// A device's writes keep their order within one lane only. A write that is overtaken by a later one of the same device
/// is refused as a step back: a monitor that sends alarms and waveforms is enrolled as two devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Lane {
    /// What somebody must be told at once.
    Alarm,
    /// Everything else that is happening now.
    #[default]
    Routine,
    /// Waveforms, backlogs, imports.
    Bulk,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Alarm, Self::Routine, Self::Bulk];
}

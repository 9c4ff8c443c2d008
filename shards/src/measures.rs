//! What the write side reports of itself. Handles are made once; a group moves a few of them, a write that is accepted
//! none.

use crate::{
    error::{ShardError, SubmitError},
    group::Group,
    lane::Lane,
    ticket::{Answer, Exception, Settled},
};
use arterial_telemetry as telemetry;
use std::{io, sync::Arc};
use telemetry::{Counter, Histogram, REASONS};

/// Counts refusals by their reason.
#[derive(Clone, Debug)]
pub(crate) struct Refusals([Counter; REASONS.len()]);

impl Refusals {
    pub(crate) fn new() -> Self {
        Self(REASONS.map(|reason| telemetry::WRITES_REFUSED.counter(&[reason])))
    }

    pub(crate) fn count(&self, error: &SubmitError, writes: usize) {
        let reason = reason(error);
        let at = REASONS.iter().position(|other| *other == reason).expect("each reason is listed");
        self.0[at].increment(writes as u64);
    }
}

/// One of [`REASONS`].
fn reason(error: &SubmitError) -> &'static str {
    match error {
        SubmitError::Busy { .. } => "busy",
        SubmitError::Closed => "closed",
        SubmitError::Write(_) | SubmitError::BundleSize { .. } => "invalid",
        SubmitError::UnknownDevice { .. } => "unknown_device",
        SubmitError::KeysDestroyed { .. } => "keys_destroyed",
        SubmitError::Unauthentic { .. } | SubmitError::BundleSignature { .. } => "unauthentic",
        SubmitError::SeqRegressed { .. } => "regressed",
        SubmitError::Equivocation { .. } => "equivocation",
        SubmitError::Shard(error) => reason_of_shard(error),
    }
}

fn reason_of_shard(error: &ShardError) -> &'static str {
    match error {
        ShardError::Poisoned { .. } => "poisoned",
        ShardError::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
        {
            "disk_full"
        }
        _ => "io",
    }
}

/// What is reported of writes that are not accepted, or not again.
#[derive(Clone, Debug)]
pub(crate) struct RefusalMeasures {
    repeated: Counter,
    refusals: Refusals,
}

impl RefusalMeasures {
    pub(crate) fn new() -> Self {
        Self { repeated: telemetry::WRITES_REPEATED.counter(&[]), refusals: Refusals::new() }
    }

    pub(crate) fn count(&self, answer: &Answer) {
        match answer {
            Ok(_) => self.repeated.increment(1),
            Err(error) => self.refusals.count(error, 1),
        }
    }
}

/// What a shard's writer reports of its groups.
#[derive(Debug)]
pub(crate) struct GroupMeasures {
    durable: [Counter; Lane::ALL.len()],
    latency: [Histogram; Lane::ALL.len()],
    writes: Histogram,
    exceptions: RefusalMeasures,
}

impl GroupMeasures {
    pub(crate) fn new() -> Self {
        Self {
            durable: telemetry::LANES.map(|lane| telemetry::WRITES_DURABLE.counter(&[lane])),
            latency: telemetry::LANES.map(|lane| telemetry::DURABLE_LATENCY_SECONDS.histogram(&[lane])),
            writes: telemetry::GROUP_WRITES.histogram(&[]),
            exceptions: RefusalMeasures::new(),
        }
    }

    /// What became of a group's writes, just before they are told.
    pub(crate) fn settles(&self, lane: Lane, group: &Group, settled: &Settled) {
        let writes = group.offsets.len() - group.bundles.len();
        match settled {
            Settled::Durable { exceptions, .. } => {
                for (_, exception) in exceptions {
                    // What is sought is counted by whoever finds it.
                    if let Exception::Said(answer) = exception {
                        self.exceptions.count(answer);
                    }
                }
                self.durable[lane as usize].increment((writes - exceptions.len()) as u64);
                self.latency[lane as usize].record(group.begun.elapsed());
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a group has at most GROUP_WRITES_MAX writes"
                )]
                self.writes.record(writes as f64);
            }
            Settled::Refused(error) => {
                self.exceptions.refusals.count(&SubmitError::Shard(Arc::clone(error)), writes);
            }
            Settled::Abandoned => {}
        }
    }
}

/// What a log reports of its appends.
#[derive(Debug)]
pub(crate) struct LogMeasures {
    pub(crate) sync_seconds: Histogram,
    pub(crate) append_bytes: Histogram,
}

impl LogMeasures {
    pub(crate) fn new() -> Self {
        Self {
            sync_seconds: telemetry::LOG_SYNC_SECONDS.histogram(&[]),
            append_bytes: telemetry::LOG_APPEND_BYTES.histogram(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the labels is the order of the lanes.
    #[test]
    fn lanes_are_named_in_their_order() {
        let named = Lane::ALL.map(|lane| format!("{lane:?}").to_lowercase());
        assert_eq!(named, telemetry::LANES);
    }
}

//! What must be true, as plainly as it can be said.

use arterial::{Ack, ShardError, SubmitError, shards::LogPosition};
use std::collections::BTreeMap;

/// Whether something is so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Truth {
    #[default]
    No,
    /// The answer was an error after which nobody knows.
    Doubt,
    Yes,
}

/// A device as its acknowledgements have it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) enrolled: Truth,
    pub(crate) destroyed: Truth,
    pub(crate) records: BTreeMap<u64, Entry>,
}

/// A record that is there, or may be.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) payload: Vec<u8>,
    pub(crate) durable: bool,
    position: Option<LogPosition>,
}

/// What a device tried to write.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) device: usize,
    pub(crate) seq: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) authentic: bool,
}

impl Known {
    pub(crate) fn next_seq(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(seq, _)| seq + 1)
    }

    pub(crate) fn durable(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.records.iter().filter(|(_, entry)| entry.durable).map(|(seq, entry)| (*seq, entry))
    }

    /// Takes an answer in; says what is wrong with it.
    pub(crate) fn judge(
        &mut self,
        attempt: &Attempt,
        was_poisoned: bool,
        answer: &Result<Ack, SubmitError>,
    ) -> Result<(), String> {
        let seq = attempt.seq;
        let there = self.records.get(&seq);
        let same = there.is_some_and(|entry| entry.payload == attempt.payload);
        let fits = match answer {
            Ok(ack) => return self.accept(attempt, was_poisoned, ack),
            Err(SubmitError::Unauthentic { .. }) => !attempt.authentic,
            Err(SubmitError::UnknownDevice { .. }) => self.enrolled != Truth::Yes,
            Err(SubmitError::KeysDestroyed { .. }) => self.destroyed != Truth::No,
            Err(SubmitError::Equivocation { accepted, refused, .. }) => {
                attempt.authentic && there.is_some() && !same && accepted != refused
            }
            Err(SubmitError::SeqRegressed { next_seq, .. }) => {
                attempt.authentic && there.is_none() && seq < u64::from(*next_seq) && seq < self.next_seq()
            }
            Err(SubmitError::Shard(error)) => match &**error {
                ShardError::Poisoned { .. } if was_poisoned => true,
                ShardError::Poisoned { .. } => {
                    self.doubt(attempt);
                    true
                }
                // Nothing was written, or nothing could be read.
                ShardError::Io { .. } => true,
                _ => false,
            },
            Err(SubmitError::Closed) => {
                self.doubt(attempt);
                true
            }
            Err(_) => false,
        };
        if fits { Ok(()) } else { Err(format!("the answer does not fit (same content: {same})")) }
    }

    fn accept(&mut self, attempt: &Attempt, was_poisoned: bool, ack: &Ack) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        if was_poisoned {
            return wrong("a poisoned shard takes writes");
        }
        if !attempt.authentic || self.enrolled == Truth::No || self.destroyed == Truth::Yes {
            return wrong("a write was accepted that its device can't have made");
        }
        let next_seq = self.next_seq();
        if let Some(entry) = self.records.get_mut(&attempt.seq) {
            if entry.payload != attempt.payload {
                return wrong("an equivocation was accepted");
            }
            if entry.durable && !ack.repeated {
                return wrong("a durable write was accepted a second time: the first was lost");
            }
            if entry.position.is_some_and(|position| position != ack.position) {
                return wrong("a repeat was answered with another position");
            }
        } else if ack.repeated {
            return wrong("a write was answered as repeated that never was accepted");
        } else if attempt.seq < next_seq {
            return wrong("a write was accepted behind a later one");
        }
        let payload = attempt.payload.clone();
        self.records.insert(attempt.seq, Entry { payload, durable: true, position: Some(ack.position) });
        Ok(())
    }

    /// It may be there, if it could have been accepted at all: behind another that may be there it could not.
    pub(crate) fn doubt(&mut self, attempt: &Attempt) {
        let possible = attempt.authentic && self.enrolled != Truth::No && self.destroyed != Truth::Yes;
        if possible && attempt.seq >= self.next_seq() {
            let payload = attempt.payload.clone();
            self.records.insert(attempt.seq, Entry { payload, durable: false, position: None });
        }
    }
}

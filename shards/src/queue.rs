//! What waits for a shard's writer: bounded in writes and in bytes.

use crate::{
    authenticate::SignedWrite,
    enrolment::Enrolment,
    error::{EnrolError, ShardError, SubmitError},
    limits::{GROUP_BYTES_MAX, GROUP_WRITES_MAX},
    log::record_frame_bytes_max,
    shard::{Ack, Enrolled, SealedBatch},
    ticket::Answer,
};
use arterial_protocol::{BlockNumber, DeviceId};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// Bytes of payload that wait in one queue at most, but for one request that is larger by itself.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// Writes that are answered together.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) writes: Vec<SignedWrite>,
    pub(crate) reply: Reply,
}

/// Whom the writer answers.
#[derive(Debug)]
pub(crate) enum Reply {
    One(Answer<Result<Ack, SubmitError>>),
    Many(Answer<Vec<Result<Ack, SubmitError>>>),
}

/// Everything else that a writer does, before it takes more writes.
#[derive(Debug)]
pub(crate) enum Control {
    Enrol(Vec<Enrolment>, Answer<Vec<Result<Enrolled, EnrolError>>>),
    Seal(BlockNumber, Answer<Result<SealedBatch, ShardError>>),
    IsUnsealed(DeviceId, u32, Answer<bool>),
    SealsNeeded(Answer<u64>),
    DestroyKeys(DeviceId, Answer<Result<(), ShardError>>),
}

/// What a writer does next.
pub(crate) enum Work {
    Control(Control),
    Group(Vec<Request>),
    /// Closed, and nothing is left.
    Done,
}

/// Why a request was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Full,
    Closed,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Request>,
    writes: usize,
    bytes: usize,
    controls: VecDeque<Control>,
    closed: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    writes_max: usize,
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
}

impl Request {
    /// Bytes that the request takes in the log at most.
    fn log_bytes(&self) -> usize {
        self.writes.iter().map(|write| record_frame_bytes_max(write.payload.len())).sum()
    }
}

impl Queue {
    pub(crate) fn new(writes_max: usize) -> Self {
        Self { writes_max, state: Mutex::default(), work: Condvar::new(), room: Condvar::new() }
    }

    /// Queues a request, waiting for room if `wait`.
    pub(crate) fn push(&self, request: Request, wait: bool) -> Result<(), Refused> {
        let (writes, bytes) = (request.writes.len(), request.log_bytes());
        debug_assert!(writes <= GROUP_WRITES_MAX && bytes <= GROUP_BYTES_MAX);
        let mut state = self.state.lock();
        while !state.closed
            && !state.requests.is_empty()
            && (state.writes + writes > self.writes_max || state.bytes + bytes > QUEUE_BYTES_MAX)
        {
            if !wait {
                return Err(Refused::Full);
            }
            self.room.wait(&mut state);
        }
        if state.closed {
            return Err(Refused::Closed);
        }
        state.writes += writes;
        state.bytes += bytes;
        state.requests.push_back(request);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    pub(crate) fn push_control(&self, control: Control) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.controls.push_back(control);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for work; writes only if `take_writes`, and then as many as one group holds.
    pub(crate) fn take(&self, take_writes: bool) -> Work {
        let mut state = self.state.lock();
        loop {
            if let Some(control) = state.controls.pop_front() {
                return Work::Control(control);
            }
            if (take_writes || state.closed) && !state.requests.is_empty() {
                let group = take_group(&mut state);
                drop(state);
                self.room.notify_all();
                return Work::Group(group);
            }
            if state.closed {
                return Work::Done;
            }
            self.work.wait(&mut state);
        }
    }

    /// Takes nothing more. What is queued is still worked off.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
        self.room.notify_all();
    }

    /// Writes that wait.
    pub(crate) fn writes(&self) -> usize {
        self.state.lock().writes
    }
}

fn take_group(state: &mut State) -> Vec<Request> {
    let mut group = Vec::new();
    let (mut writes, mut bytes) = (0, 0);
    while let Some(request) = state.requests.front() {
        let (more_writes, more_bytes) = (request.writes.len(), request.log_bytes());
        if !group.is_empty()
            && (writes + more_writes > GROUP_WRITES_MAX || bytes + more_bytes > GROUP_BYTES_MAX)
        {
            break;
        }
        writes += more_writes;
        bytes += more_bytes;
        group.extend(state.requests.pop_front());
    }
    state.writes -= writes;
    state.bytes -= bytes;
    group
}

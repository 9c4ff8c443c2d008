//! An answer that is not there yet: waited for by a thread or awaited by a task.

use crate::{error::SubmitError, shard::Ack};
use parking_lot::{Condvar, Mutex};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Answered(T),
    Taken,
    /// The answering side went away without an answer.
    Abandoned,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

/// The receiving end. Dropping it is fine: the work goes on.
#[derive(Debug)]
#[must_use = "the write is durable only once its ticket says so"]
pub struct Ticket<T> {
    shared: Arc<Shared<T>>,
}

/// The answering end. Dropping it without an answer releases whoever waits.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    shared: Arc<Shared<T>>,
}

pub(crate) fn ticket<T>() -> (Answer<T>, Ticket<T>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Waiting(None)), answered: Condvar::new() });
    (Answer { shared: Arc::clone(&shared) }, Ticket { shared })
}

impl<T> Answer<T> {
    pub(crate) fn send(self, value: T) {
        self.settle(State::Answered(value));
    }

    fn settle(&self, with: State<T>) {
        let mut state = self.shared.state.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = with;
            drop(state);
            self.shared.answered.notify_one();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.settle(State::Abandoned);
    }
}

impl<T> Ticket<T> {
    /// Blocks until the answer is there; `None` when the engine went away without one.
    pub(crate) fn wait_raw(self) -> Option<T> {
        let mut state = self.shared.state.lock();
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Answered(value) => return Some(value),
                State::Abandoned | State::Taken => return None,
                waiting @ State::Waiting(_) => {
                    *state = waiting;
                    self.shared.answered.wait(&mut state);
                }
            }
        }
    }
}

/// The answer as a `Result`, where an engine that went away is an error of the same kind.
impl<A, E: From<Abandoned>> Ticket<Result<A, E>> {
    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// The answer's own, or that the engine was closed before it could answer.
    pub fn wait(self) -> Result<A, E> {
        self.wait_raw().unwrap_or_else(|| Err(Abandoned.into()))
    }
}

/// The engine went away without an answer.
#[derive(Clone, Copy, Debug)]
pub struct Abandoned;

impl<A, E: From<Abandoned>> Future for Ticket<Result<A, E>> {
    type Output = Result<A, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Answered(value) => Poll::Ready(value),
            State::Abandoned | State::Taken => Poll::Ready(Err(Abandoned.into())),
            State::Waiting(_) => {
                *state = State::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl From<Abandoned> for SubmitError {
    fn from(_: Abandoned) -> Self {
        Self::Closed
    }
}

impl From<Abandoned> for crate::EnrolError {
    fn from(_: Abandoned) -> Self {
        Self::Closed
    }
}

type Outcome = Result<Ack, SubmitError>;

/// The answers to many writes, from however many shards they went to.
#[derive(Debug)]
#[must_use = "the writes are durable only once their tickets say so"]
pub struct Tickets {
    pub(crate) writes: usize,
    /// Which writes, and their answers.
    pub(crate) parts: Vec<(Vec<usize>, Ticket<Vec<Outcome>>)>,
    pub(crate) refused: Vec<(usize, SubmitError)>,
}

impl Tickets {
    /// Blocks until every write is answered; the answers are in the order of the writes.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Ack, SubmitError>> {
        let mut outcomes: Vec<Result<Ack, SubmitError>> =
            (0..self.writes).map(|_| Err(SubmitError::Closed)).collect();
        for (at, error) in self.refused {
            outcomes[at] = Err(error);
        }
        for (indexes, ticket) in self.parts {
            for (at, outcome) in indexes.into_iter().zip(ticket.wait_raw().into_iter().flatten()) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicUsize, sync::atomic::Ordering, task::Wake, thread};

    type Reply = Result<u32, SubmitError>;

    #[test]
    fn a_thread_waits_for_the_answer() {
        let (answer, ticket) = ticket::<Reply>();
        let waiter = thread::spawn(move || ticket.wait());
        answer.send(Ok(7));
        assert_eq!(waiter.join().unwrap().unwrap(), 7);
    }

    #[test]
    fn a_dropped_answer_releases_the_waiter() {
        let (answer, ticket) = ticket::<Reply>();
        drop(answer);
        assert!(matches!(ticket.wait(), Err(SubmitError::Closed)));
    }

    #[test]
    fn a_task_is_woken_once_the_answer_is_there() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let (answer, mut ticket) = ticket::<Reply>();
        assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
        answer.send(Ok(3));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(matches!(Pin::new(&mut ticket).poll(&mut context), Poll::Ready(Ok(3))));
    }
}

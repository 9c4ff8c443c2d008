//! The answers to writes: waited for by a thread or awaited by a task.
//!
//! Writes are committed in groups, and a group's outcome is shared by the tickets of its writes: so a ticket is a counted
//! reference and an index, and neither costs an allocation.

use crate::{
    error::{ShardError, SubmitError},
    log::LogPosition,
    shard::Ack,
};
use arterial_protocol::ShardId;
use parking_lot::{Condvar, Mutex};
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker, ready},
};

/// What became of a group of writes.
#[derive(Debug)]
pub(crate) enum Settled {
    /// In the log and synced, but for the exceptions.
    Durable {
        shard: ShardId,
        /// Where the group begins in the log.
        base: LogPosition,
        /// Where each of its entries begins in it.
        offsets: Vec<u32>,
        /// By index, in order of it.
        exceptions: Vec<(u32, Exception)>,
    },
    Refused(Arc<ShardError>),
    /// The writer went away.
    Abandoned,
}

/// What is said of one write.
pub(crate) type Answer = Result<Ack, SubmitError>;

/// What is said of a write that is not simply durable with its group.
#[derive(Clone, Debug)]
pub(crate) enum Exception {
    Said(Answer),
    /// Nothing yet: it is looked up.
    Sought(Arc<Promise<Answer>>),
}

/// What became of a group, once it is there.
pub(crate) type Outcome = Promise<Settled>;

/// Something that is said once, to whoever waits for it then or later.
#[derive(Debug)]
pub(crate) struct Promise<T> {
    settled: OnceLock<T>,
    waiting: Mutex<Vec<Waker>>,
    changed: Condvar,
}

impl<T> Default for Promise<T> {
    fn default() -> Self {
        Self { settled: OnceLock::new(), waiting: Mutex::default(), changed: Condvar::new() }
    }
}

impl<T> Promise<T> {
    /// Says it; only the first word counts.
    pub(crate) fn settle(&self, settled: T) {
        if self.settled.set(settled).is_ok() {
            let wakers = std::mem::take(&mut *self.waiting.lock());
            self.changed.notify_all();
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn is_settled(&self) -> bool {
        self.settled.get().is_some()
    }

    fn wait(&self) -> &T {
        if !self.is_settled() {
            let mut waiting = self.waiting.lock();
            while !self.is_settled() {
                self.changed.wait(&mut waiting);
            }
        }
        self.settled.wait()
    }

    fn poll(&self, waker: &Waker) -> Poll<&T> {
        if !self.is_settled() {
            let mut waiting = self.waiting.lock();
            // It may have been settled before the lock was taken, and nobody would wake the task any more.
            if !self.is_settled() {
                if !waiting.iter().any(|other| other.will_wake(waker)) {
                    waiting.push(waker.clone());
                }
                return Poll::Pending;
            }
        }
        self.settled.get().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Outcome {
    /// Whether waiting for an entry's answer would end at once.
    fn has_answer(&self, index: u32) -> bool {
        self.settled.get().is_some_and(|settled| match settled.of(index) {
            Exception::Said(_) => true,
            Exception::Sought(answer) => answer.is_settled(),
        })
    }

    fn wait_for(&self, index: u32) -> Answer {
        match self.wait().of(index) {
            Exception::Said(answer) => answer,
            Exception::Sought(answer) => answer.wait().clone(),
        }
    }
}

impl Settled {
    fn of(&self, index: u32) -> Exception {
        let said = match self {
            Self::Durable { shard, base, offsets, exceptions } => {
                match exceptions.binary_search_by_key(&index, |(at, _)| *at) {
                    Ok(at) => return exceptions[at].1.clone(),
                    Err(_) => Ok(Ack {
                        shard: *shard,
                        position: LogPosition(base.0 + u64::from(offsets[index as usize])),
                        repeated: false,
                    }),
                }
            }
            Self::Refused(error) => Err(SubmitError::Shard(Arc::clone(error))),
            Self::Abandoned => Err(SubmitError::Closed),
        };
        Exception::Said(said)
    }
}

/// The answer to one write. Dropping it is fine: the write goes its way.
#[derive(Clone, Debug)]
#[must_use = "the write is durable only once its ticket says so"]
pub struct Ticket {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) index: u32,
}

impl Ticket {
    /// Whether waiting would end at once.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.outcome.has_answer(self.index)
    }

    /// Blocks until the write is durable, or refused.
    ///
    /// # Errors
    /// Why it was refused, or that the engine was closed before it could answer.
    pub fn wait(self) -> Result<Ack, SubmitError> {
        self.outcome.wait_for(self.index)
    }
}

impl Future for Ticket {
    type Output = Result<Ack, SubmitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(self.outcome.poll(context.waker())).of(self.index) {
            Exception::Said(answer) => Poll::Ready(answer),
            Exception::Sought(answer) => answer.poll(context.waker()).map(Clone::clone),
        }
    }
}

/// The answers to many writes, from however many shards they went to.
#[derive(Debug, Default)]
#[must_use = "the writes are durable only once their tickets say so"]
pub struct Tickets {
    pub(crate) places: Vec<Place>,
    pub(crate) groups: Vec<Arc<Outcome>>,
    /// Writes that were refused at once, in order of them.
    pub(crate) refused: Vec<(u32, SubmitError)>,
}

/// Where the answer to a write will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// In which of the groups; [`Place::REFUSED`] if in none.
    pub(crate) group: u32,
    pub(crate) index: u32,
}

impl Place {
    pub(crate) const REFUSED: Self = Self { group: u32::MAX, index: 0 };
}

impl Tickets {
    /// Whether waiting would end at once.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.places.iter().all(|place| {
            self.groups.get(place.group as usize).is_none_or(|group| group.has_answer(place.index))
        })
    }

    /// Blocks for each answer in turn; in the order of the writes.
    pub fn answers(&self) -> impl Iterator<Item = Result<Ack, SubmitError>> + '_ {
        let mut refused = self.refused.iter();
        self.places.iter().map(move |place| match self.groups.get(place.group as usize) {
            Some(group) => group.wait_for(place.index),
            None => Err(refused.next().map_or(SubmitError::Closed, |(_, error)| error.clone())),
        })
    }

    /// Blocks until every write is answered; the answers are in the order of the writes.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Ack, SubmitError>> {
        self.answers().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicUsize, sync::atomic::Ordering, task::Wake, thread};

    fn ticket() -> (Arc<Outcome>, Ticket) {
        let outcome = Arc::new(Outcome::default());
        (Arc::clone(&outcome), Ticket { outcome, index: 1 })
    }

    fn durable() -> Settled {
        let refused = Exception::Said(Err(SubmitError::Closed));
        Settled::Durable {
            shard: ShardId(3),
            base: LogPosition(80),
            offsets: vec![0, 144, 288],
            exceptions: vec![(2, refused)],
        }
    }

    #[test]
    fn a_thread_waits_for_the_answer() {
        let (outcome, ticket) = ticket();
        let refused = Ticket { index: 2, ..ticket.clone() };
        let waiter = thread::spawn(move || ticket.wait());
        outcome.settle(durable());
        let ack = Ack { shard: ShardId(3), position: LogPosition(224), repeated: false };
        assert_eq!(waiter.join().unwrap().unwrap(), ack);
        assert!(refused.wait().is_err());
    }

    #[test]
    fn an_answer_that_is_looked_up_keeps_nobody_else_waiting() {
        let (outcome, other) = ticket();
        let mut old = Ticket { index: 2, ..other.clone() };
        let answer: Arc<Promise<Answer>> = Arc::default();
        let Settled::Durable { shard, base, offsets, .. } = durable() else { unreachable!() };
        let exceptions = vec![(2, Exception::Sought(Arc::clone(&answer)))];
        outcome.settle(Settled::Durable { shard, base, offsets, exceptions });
        let places = [2, 1].map(|index| Place { group: 0, index });
        let both = Tickets { places: places.into(), groups: vec![outcome], refused: Vec::new() };
        assert!(other.is_answered() && !old.is_answered() && !both.is_answered());
        assert!(other.wait().is_ok());
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut old).poll(&mut context).is_pending());
        let first = Ack { shard, position: LogPosition(80), repeated: true };
        answer.settle(Ok(first));
        assert!(matches!(Pin::new(&mut old).poll(&mut context), Poll::Ready(Ok(ack)) if ack == first));
        assert!(old.is_answered() && both.is_answered());
        assert_eq!((old.wait().unwrap(), both.wait()[0].clone().unwrap()), (first, first));
    }

    #[test]
    fn only_the_first_word_counts() {
        let (outcome, ticket) = ticket();
        outcome.settle(Settled::Abandoned);
        outcome.settle(durable());
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
        let (outcome, mut ticket) = ticket();
        assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
        assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
        outcome.settle(durable());
        // Miri gives a table of functions several addresses, so one waker can look like two.
        let woken = count.0.load(Ordering::SeqCst);
        assert!(woken == 1 || cfg!(miri) && woken == 2, "{woken}");
        assert!(matches!(Pin::new(&mut ticket).poll(&mut context), Poll::Ready(Ok(_))));
    }

    /// Those who wait, in a thread or as a task, and whoever answers, at the same time.
    #[test]
    fn nobody_who_waits_is_forgotten() {
        struct Unpark(thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        for _ in 0..if cfg!(miri) { 2 } else { 500 } {
            let (outcome, ticket) = ticket();
            thread::scope(|scope| {
                for _ in 0..2 {
                    let ticket = ticket.clone();
                    scope.spawn(move || assert!(ticket.wait().is_ok()));
                }
                scope.spawn(|| {
                    let (waker, mut ticket) =
                        (Waker::from(Arc::new(Unpark(thread::current()))), ticket.clone());
                    while Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending() {
                        thread::park();
                    }
                });
                outcome.settle(durable());
            });
        }
    }
}

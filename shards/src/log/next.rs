//! The segment after the one that is written, made ahead.

use crate::error::ShardError;
use arterial_storage::{Blob, yield_to_writers};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Bytes of it that may be written for each byte that the log grows meanwhile. It is there in time, and its zeros come in
/// between the log's appends, a piece at a time: written in one go they would keep the disk from every shard for as long.
const BYTES_PER_LOG_BYTE: u64 = 2;

type Made = Result<Box<dyn Blob>, ShardError>;

/// It, by a thread of its own, which keeps the log's pace until somebody waits for it.
#[derive(Debug)]
pub(super) struct NextSegment {
    thread: JoinHandle<Made>,
    is_waited_for: Arc<AtomicBool>,
}

impl NextSegment {
    /// Begins to make it: `make` is given the pace. Nothing without a thread.
    pub(super) fn begin(
        log_end: Arc<AtomicU64>,
        make: impl FnOnce(&mut dyn FnMut(u64)) -> Made + Send + 'static,
    ) -> Option<Self> {
        let is_waited_for = Arc::new(AtomicBool::new(false));
        let hurries = Arc::clone(&is_waited_for);
        let begun = log_end.load(Ordering::Relaxed);
        let has_time_for = move |written| {
            let grown = log_end.load(Ordering::Relaxed) - begun;
            hurries.load(Ordering::Relaxed) || written <= BYTES_PER_LOG_BYTE * grown
        };
        let make = move || {
            yield_to_writers();
            make(&mut |written| {
                while !has_time_for(written) {
                    thread::park();
                }
            })
        };
        let thread = thread::Builder::new().name("arterial-segment".into()).spawn(make).ok()?;
        Some(Self { thread, is_waited_for })
    }

    /// The log has grown.
    pub(super) fn go_on(&self) {
        self.thread.thread().unpark();
    }

    /// Waits for it; nothing where it could not be made.
    pub(super) fn wait(self) -> Option<Box<dyn Blob>> {
        self.is_waited_for.store(true, Ordering::Relaxed);
        self.go_on();
        self.thread.join().ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arterial_storage::{MemoryStorage, Storage as _, at_once};
    use std::{path::Path, sync::mpsc};

    #[test]
    fn it_keeps_the_log_s_pace_until_it_is_waited_for() {
        let (log_end, (said, pieces)) = (Arc::new(AtomicU64::new(100)), mpsc::channel());
        let next = NextSegment::begin(Arc::clone(&log_end), move |pace| {
            for written in (0..100).step_by(10) {
                pace(written);
                said.send(written).unwrap();
            }
            Ok(MemoryStorage::default().create(Path::new("/segment"), 1, &mut at_once).unwrap())
        })
        .unwrap();
        assert_eq!(pieces.recv(), Ok(0));
        log_end.store(115, Ordering::Relaxed);
        next.go_on();
        assert_eq!([pieces.recv(), pieces.recv(), pieces.recv()], [Ok(10), Ok(20), Ok(30)]);
        // Woken for nothing, it goes on sleeping.
        next.go_on();
        assert_eq!(
            pieces.recv_timeout(std::time::Duration::from_millis(20)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        assert!(next.wait().is_some());
        assert_eq!(pieces.iter().collect::<Vec<_>>(), [40, 50, 60, 70, 80, 90]);
    }
}

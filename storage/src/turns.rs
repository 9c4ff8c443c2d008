//! Who gets the processor first.
#![expect(unsafe_code, reason = "there is no safe wrapper of sched_setattr")]

use std::time::Duration;

/// How far behind the writers: the scheduler's niceness.
const NICENESS: i32 = 10;

/// What a thread that runs promptly asks for at a time: the least that Linux takes.
const PROMPT_SLICE: Duration = Duration::from_micros(100);

/// Lets this thread give way to the writers whenever they want the processor. One that is behind them already stays there.
pub fn yield_to_writers() {
    // Best effort: a system that refuses it works at the writers' priority.
    let niceness = niceness().map_or(NICENESS, |niceness| niceness.max(NICENESS));
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    ask_for(Duration::ZERO);
}

/// Lets this thread have the processor as soon as it is woken, before those that want it for longer: for threads that work
/// shortly and often, as writers do, and whoever hands over alarms.
///
/// It gets no more of the processor than before. Threads that it starts run promptly as well, unless they
/// [yield](yield_to_writers). Where several deployments or programs share a machine, those that don't ask for it wait
/// somewhat longer. Without it a thread that was woken waits until another one has had its slice, whatever their priorities:
/// 1.4 ms on two cores, 2.8 on eight.
///
/// Does nothing before Linux 6.12 (`Documentation/scheduler/sched-eevdf.rst`), and in threads that are not scheduled by
/// `SCHED_OTHER` or `SCHED_BATCH`.
pub fn run_promptly() {
    ask_for(PROMPT_SLICE);
}

fn niceness() -> Option<i32> {
    rustix::process::getpriority_process(Some(rustix::thread::gettid())).ok()
}

/// Asks for so much of the processor at a time; for the system's own measure if it is none.
fn ask_for(slice: Duration) {
    // The call sets the niceness, too.
    let Some(sched_nice) = niceness() else { return };
    let attributes = libc::sched_attr {
        size: const { size_of::<libc::sched_attr>() as u32 },
        sched_policy: 0,
        sched_flags: libc::SCHED_FLAG_KEEP_POLICY as u64,
        sched_nice,
        sched_priority: 0,
        sched_runtime: slice.as_nanos().try_into().unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of `attributes` during the call and keeps no reference to them. Whatever it does
    // with this thread's turns, no memory is concerned. Best effort: an answer of "no" changes nothing.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// The niceness and the slice of this thread, in nanoseconds; systems that know no slices say none.
    fn turns() -> (i32, u64) {
        // SAFETY: all of it are numbers, for which any bytes do.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        // SAFETY: the kernel writes `size` bytes of `attributes` at most.
        let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
        assert_eq!(answer, 0);
        (attributes.sched_nice, attributes.sched_runtime)
    }

    #[test]
    fn a_thread_has_short_turns_until_it_yields_and_is_no_more_important_for_it() {
        let promptly = thread::spawn(|| {
            let (nice, usual) = turns();
            run_promptly();
            let started = thread::spawn(|| {
                let inherited = turns();
                yield_to_writers();
                (inherited, turns())
            });
            (nice, usual, turns(), started.join().unwrap())
        });
        let (nice, usual, prompt, (inherited, yielding)) = promptly.join().unwrap();
        let slice = if usual == 0 { 0 } else { 100_000 };
        assert_eq!((prompt, inherited), ((nice, slice), (nice, slice)));
        assert_eq!(yielding, (NICENESS.max(nice), usual));
    }
}

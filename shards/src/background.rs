//! Work that no acknowledgement waits for.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Lets this thread give way to the writers, and to everybody else, whenever they want the processor.
///
/// Niceness is not enough: a thread that wakes up, as a writer does after each sync, waits for the end of the slice of
/// whoever runs, up to 4 ms, however nice that is. Who has this policy is preempted at once. It still gets a small share
/// of a processor that is wanted all the time; it must not hold a lock that a writer takes for longer than a moment.
pub fn yield_to_writers() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Best effort: a system that refuses it works at the writers' priority.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
}

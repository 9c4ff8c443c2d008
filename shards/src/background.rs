//! Work that no acknowledgement waits for.

/// How far behind the writers: the scheduler's niceness.
const NICENESS: i32 = 10;

/// Lets this thread give way to the writers whenever they want the processor.
pub fn yield_to_writers() {
    // Best effort: a system that refuses it works at the writers' priority.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

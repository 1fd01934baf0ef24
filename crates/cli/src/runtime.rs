//! The runtime of commands that end only with a signal.

use std::num::NonZero;
use std::sync::Mutex;
use std::{io, thread};

use longshore_core::{OutsideCause, StoreError, is_want_of_threads};
use tokio::runtime::{Builder, Runtime};

/// The number of threads and processes that a worker with one running program starts beyond the threads of the runtime:
/// for the database, timers and blocking calls, the supervisor, the program and what that starts.
const SPARE_THREADS: usize = 12;

/// Starts the runtime. With fewer threads than it needs it would panic, or wait for ever for one that never starts, so
/// this starts as many for a moment.
pub(crate) fn start() -> anyhow::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    match check_spare_threads(processors + SPARE_THREADS) {
        Err(error) if is_want_of_threads(&error) => return Err(StoreError::from(OutsideCause::TooManyThreads).into()),
        checked => checked?,
    }
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Starts this many threads, which all exist at the same time, and ends them.
fn check_spare_threads(threads: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        let started: io::Result<Vec<_>> =
            (0..threads).map(|_| thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()))).collect();
        // Opens the gate also after an error, because the scope waits for the threads.
        drop(closed);
        for thread in started? {
            let _ = thread.join();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_may_be_started_are_started_and_end() {
        check_spare_threads(20).unwrap();
    }
}

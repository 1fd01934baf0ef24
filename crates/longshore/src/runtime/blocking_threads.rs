use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::runtime::panic_capture::quietly;

/// How long a thread waits for the next call before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

type Call = Box<dyn FnOnce() + Send>;

/// The threads for blocking handlers: the worker's own, as many as it runs jobs at once. A job must not wait for the
/// blocking pool of the application's runtime, which other work may fill.
///
/// Threads start when they are needed. They end when they are idle for a while, or when the worker has ended. They are
/// not joined: a handler that does not return must not keep its process alive.
#[derive(Debug)]
pub(crate) struct BlockingThreads {
    shared: Arc<Shared>,
    threads_max: usize,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Call>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("threads", &self.threads).field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl BlockingThreads {
    pub(crate) fn new(threads_max: u32) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), threads_max: threads_max as usize }
    }

    /// Runs a call on one of the threads, in the context of the caller's runtime, if there is one. Err means that no
    /// thread could be started and the call never runs.
    pub(crate) fn run(&self, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let runtime = Handle::try_current().ok();
        let call: Call = Box::new(move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            call();
        });
        let mut state = self.shared.state();
        if state.idle <= state.waiting.len() && state.threads < self.threads_max {
            self.start_thread(&mut state)?;
        }
        state.waiting.push_back(call);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let started = Builder::new().name("longshore-handler".to_owned()).spawn(move || shared.serve());
        match started {
            Ok(_) => state.threads += 1,
            // Another thread exists and takes the call after its current one.
            Err(_) if state.threads > 0 => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Drop for BlockingThreads {
    fn drop(&mut self) {
        self.shared.state().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut state = self.state();
        loop {
            if let Some(call) = state.waiting.pop_front() {
                drop(state);
                // A call keeps its own panic for its caller. The thread continues with the next call.
                quietly(call);
                state = self.state();
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, IDLE_MAX).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn each_call_has_a_thread_up_to_the_bound_and_further_calls_wait_for_one() {
        let threads = BlockingThreads::new(2);
        let (began, begun) = channel();
        let mut gates = Vec::new();
        for number in 0..3 {
            let (open, opened) = channel::<()>();
            gates.push(open);
            let began = began.clone();
            let call = move || {
                began.send(number).unwrap();
                let _ = opened.recv();
            };
            threads.run(call).unwrap();
        }
        let mut first = [begun.recv().unwrap(), begun.recv().unwrap()];
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert!(begun.try_recv().is_err());

        gates.remove(0);
        assert_eq!(begun.recv().unwrap(), 2);
    }

    #[test]
    fn a_call_that_panics_leaves_its_thread_to_the_next_one() {
        let threads = BlockingThreads::new(1);
        let (sender, receiver) = channel();
        threads.run(|| panic!("in a call")).unwrap();
        threads.run(move || sender.send(7).unwrap()).unwrap();
        assert_eq!(receiver.recv(), Ok(7));
        assert_eq!(threads.shared.state().threads, 1);
    }
}

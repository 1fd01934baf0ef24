use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::runtime::panic_capture::discard;

/// Resolves at an instant, on every executor and without one. Tokio's timers need a runtime with time enabled. One
/// thread serves all alarms, from the first until none is set.
///
/// Err means that the thread cannot be started.
pub(crate) async fn at(instant: Instant) -> io::Result<()> {
    let mut alarm = Alarm { instant, number: None };
    poll_fn(|context| alarm.poll(context)).await
}

/// How long the thread waits for another alarm before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

static TIMER: Timer = Timer {
    state: Mutex::new(State { alarms: BTreeMap::new(), next_number: 0, is_running: false }),
    changed: Condvar::new(),
};

struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Sorted by instant. The number makes equal instants distinct.
    alarms: BTreeMap<(Instant, u64), Waker>,
    next_number: u64,
    is_running: bool,
}

/// An alarm is set from its first poll until it is dropped.
struct Alarm {
    instant: Instant,
    number: Option<u64>,
}

impl Alarm {
    fn poll(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if Instant::now() >= self.instant {
            return Poll::Ready(Ok(()));
        }
        let mut state = TIMER.state();
        let number = *self.number.get_or_insert_with(|| {
            state.next_number += 1;
            state.next_number
        });
        state.alarms.insert((self.instant, number), context.waker().clone());
        if !state.is_running {
            let started = Builder::new().name("longshore-timer".to_owned()).spawn(|| TIMER.run());
            if let Err(error) = started {
                return Poll::Ready(Err(error));
            }
            state.is_running = true;
        }
        drop(state);
        TIMER.changed.notify_one();
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = TIMER.state().alarms.remove(&(self.instant, number));
            // After the lock, because a waker is foreign code.
            drop(waker);
        }
    }
}

impl Timer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let due = match state.alarms.first_key_value() {
                Some((&(instant, _), _)) => instant.saturating_duration_since(now),
                None => IDLE_MAX,
            };
            if due.is_zero() {
                let waker = state.alarms.pop_first().map(|(_, waker)| waker);
                drop(state);
                wake(waker);
                state = self.state();
                continue;
            }
            let waited = self.changed.wait_timeout(state, due).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.alarms.is_empty() {
                state.is_running = false;
                return;
            }
        }
    }
}

/// A waker that panics must not stop the other alarms.
fn wake(waker: Option<Waker>) {
    let woken = catch_unwind(AssertUnwindSafe(|| {
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    woken.unwrap_or_else(discard);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::park;

    #[test]
    fn alarms_ring_in_their_order_and_an_alarm_that_was_dropped_does_not() {
        let begun = Instant::now();
        let dropped = at(begun + Duration::from_secs(3600));
        let mut dropped = Box::pin(dropped);
        assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(dropped);

        for wait in [Duration::from_millis(20), Duration::ZERO, Duration::from_millis(1)] {
            let at_least = Instant::now() + wait;
            park::block_on(at(at_least)).unwrap();
            assert!(Instant::now() >= at_least);
        }
        let left: Vec<Instant> = TIMER.state().alarms.keys().map(|(instant, _)| *instant).collect();
        assert!(!left.contains(&(begun + Duration::from_secs(3600))));
    }
}

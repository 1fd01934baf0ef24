use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;
use tokio::sync::Notify;

/// Why an attempt must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// The job was cancelled.
    Cancelled,
    /// The timeout was reached.
    TimedOut,
    /// The worker is shutting down; the attempt is returned and not counted.
    ShuttingDown,
    /// The worker did not extend its lease and lost the job. Another worker may already run it.
    LeaseLost,
}

/// The handler was asked to stop, and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", cause.as_str())]
pub struct Stopped {
    /// The cause.
    pub cause: StopCause,
}

impl StopCause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "the job was cancelled",
            Self::TimedOut => "the attempt reached its time limit",
            Self::ShuttingDown => "the worker is shutting down",
            Self::LeaseLost => "the worker lost its lease",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Cancelled => 1,
            Self::TimedOut => 2,
            Self::ShuttingDown => 3,
            Self::LeaseLost => 4,
        }
    }

    const fn of_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Cancelled),
            2 => Some(Self::TimedOut),
            3 => Some(Self::ShuttingDown),
            4 => Some(Self::LeaseLost),
            _ => None,
        }
    }
}

/// The low bits hold the cause. This bit says that the time for stopping is over.
const OVER: u8 = 0x10;
/// Whether the handler has checked its stop signal and found it set.
const SEEN: u8 = 0x20;
const CAUSE: u8 = 0x0f;

/// The stop signal of one attempt. The first cause stays, except that any other cause replaces a shutdown: an attempt
/// that continues during the shutdown can still be cancelled, time out or lose its lease.
///
/// An attempt that is never stopped pays only for the memory.
/// Costs an attempt that is never asked nothing but its memory.
#[derive(Debug, Default)]
pub(crate) struct StopSignal {
    state: AtomicU8,
    changed: Notify,
}

impl StopSignal {
    /// Sets the signal. Does nothing if it already has a cause that stays.
    pub(crate) fn stop(&self, cause: StopCause) {
        let asked = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            let stands = !matches!(StopCause::of_code(state & CAUSE), None | Some(StopCause::ShuttingDown));
            let is_same = state & CAUSE == cause.code();
            (!stands && !is_same).then_some(state & !CAUSE | cause.code())
        });
        if asked.is_ok() {
            self.changed.notify_waiters();
        }
    }

    /// Ends the grace period, whether it has started or not.
    pub(crate) fn stop_at_once(&self, cause: StopCause) {
        self.stop(cause);
        self.state.fetch_or(OVER, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// The cause, if the signal is set.
    pub(crate) fn cause(&self) -> Option<StopCause> {
        StopCause::of_code(self.state.load(Ordering::Acquire) & CAUSE)
    }

    /// The cause, if the signal is set. Also remembers that the handler has seen it.
    pub(crate) fn see(&self) -> Option<StopCause> {
        let cause = self.cause();
        if cause.is_some() {
            self.state.fetch_or(SEEN, Ordering::AcqRel);
        }
        cause
    }

    /// Whether the handler has seen the signal.
    pub(crate) fn is_seen(&self) -> bool {
        self.state.load(Ordering::Acquire) & SEEN != 0
    }

    /// Resolves when the signal is set. Cancellation safe.
    pub(crate) async fn stopped(&self) -> StopCause {
        self.when(|state| StopCause::of_code(state & CAUSE)).await
    }

    /// Resolves when another cause has replaced this one. Cancellation safe.
    pub(crate) async fn replaced(&self, cause: StopCause) -> StopCause {
        self.when(|state| StopCause::of_code(state & CAUSE).filter(|found| *found != cause)).await
    }

    /// Resolves when the grace period has ended. Cancellation safe.
    pub(crate) async fn over(&self) {
        self.when(|state| (state & OVER != 0).then_some(())).await;
    }

    async fn when<T>(&self, reached: impl Fn(u8) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = reached(self.state.load(Ordering::Acquire)) {
                return found;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_cause_stands() {
        let signal = StopSignal::default();
        signal.stop(StopCause::Cancelled);
        signal.stop_at_once(StopCause::ShuttingDown);
        assert_eq!(signal.stopped().await, StopCause::Cancelled);
        signal.over().await;
    }

    #[tokio::test]
    async fn a_shutdown_gives_way_to_any_other_cause() {
        let signal = StopSignal::default();
        signal.stop(StopCause::ShuttingDown);
        signal.stop(StopCause::TimedOut);
        assert_eq!(signal.replaced(StopCause::ShuttingDown).await, StopCause::TimedOut);
        signal.stop(StopCause::LeaseLost);
        assert_eq!(signal.cause(), Some(StopCause::TimedOut));
    }

    #[test]
    fn only_a_look_by_the_handler_counts_as_seen() {
        let signal = StopSignal::default();
        assert_eq!((signal.see(), signal.is_seen()), (None, false));
        signal.stop(StopCause::LeaseLost);
        assert_eq!((signal.cause(), signal.is_seen()), (Some(StopCause::LeaseLost), false));
        assert_eq!((signal.see(), signal.is_seen()), (Some(StopCause::LeaseLost), true));
    }
}

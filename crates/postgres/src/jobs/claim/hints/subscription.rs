use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use longshore_core::{ClaimNumber, Hint, Interest, JobId, Wakeups};

use super::Hints;
use super::changes::{Changes, joined};

/// How many requests to cancel a subscriber remembers. One that is told twice only makes it look again.
const TOLD_MAX: usize = 1024;

/// Somebody who waits for hints.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) interest: Interest,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    hint: Option<Hint>,
    /// The requests to cancel that it was told of: a request is seen by a look and told by whoever made it.
    told: HashSet<(JobId, ClaimNumber)>,
    waker: Option<Waker>,
}

impl Subscriber {
    pub(super) fn new(interest: Interest) -> Self {
        Self { interest, pending: Mutex::default() }
    }

    /// Keeps what concerns it; answers who is to be woken for that.
    pub(super) fn tell(&self, changes: &Changes) -> Option<Waker> {
        let hint = changes.hint_for(&self.interest)?;
        let mut pending = self.pending();
        let hint = pending.unless_told(hint)?;
        pending.hint = Some(match pending.hint.take() {
            None => hint,
            Some(earlier) => joined(earlier, hint),
        });
        pending.waker.take()
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn unless_told(&mut self, hint: Hint) -> Option<Hint> {
        let Hint::Cancellations(mut asked) = hint else { return Some(hint) };
        if self.told.len() > TOLD_MAX {
            self.told.clear();
        }
        asked.retain(|job| self.told.insert(*job));
        (!asked.is_empty()).then_some(Hint::Cancellations(asked))
    }
}

/// A subscription to the hints of one store; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) hints: Arc<Hints>,
}

impl Wakeups for Subscription {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(poll_fn(|context| {
            let mut pending = self.subscriber.pending();
            match pending.hint.take() {
                Some(hint) => Poll::Ready(hint),
                None => {
                    pending.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hints.unsubscribe(&self.subscriber);
    }
}

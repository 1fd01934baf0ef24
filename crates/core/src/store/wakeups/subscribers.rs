use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::changes::{Changes, joined};
use crate::{ClaimNumber, Hint, Interest, JobId, Wakeups};

/// How many requests to cancel a subscriber remembers. One that is told twice only makes it look again.
const TOLD_MAX: usize = 1024;

/// Those of one process who wait for hints.
#[derive(Debug, Default)]
pub struct Subscribers {
    all: Mutex<Vec<Arc<Subscriber>>>,
    /// How many those are: asked before each commit, so it needs no lock.
    count: AtomicUsize,
}

impl Subscribers {
    /// Whether there are any.
    pub fn has_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Keeps what changed for those whom it concerns. The caller wakes them, outside its own locks: who is woken may
    /// subscribe or end its subscription.
    #[must_use]
    pub fn tell(&self, changes: &Changes) -> Vec<Waker> {
        self.lock().iter().filter_map(|subscriber| subscriber.tell(changes)).collect()
    }

    /// What they wait for.
    pub fn interests(&self) -> Vec<Interest> {
        self.lock().iter().map(|subscriber| subscriber.interest.clone()).collect()
    }

    /// Adds one.
    pub fn subscribe(self: &Arc<Self>, interest: Interest) -> Subscription {
        let subscriber = Arc::new(Subscriber { interest, pending: Mutex::default() });
        let mut all = self.lock();
        all.push(Arc::clone(&subscriber));
        self.count.store(all.len(), Ordering::Relaxed);
        drop(all);
        Subscription { subscriber, subscribers: Arc::clone(self) }
    }

    fn remove(&self, subscriber: &Arc<Subscriber>) {
        let mut all = self.lock();
        all.retain(|other| !Arc::ptr_eq(other, subscriber));
        self.count.store(all.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Subscriber>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for hints.
#[derive(Debug)]
struct Subscriber {
    interest: Interest,
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
    /// Keeps what concerns it; answers who is to be woken for that.
    fn tell(&self, changes: &Changes) -> Option<Waker> {
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

/// A subscription; ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    subscriber: Arc<Subscriber>,
    subscribers: Arc<Subscribers>,
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
        self.subscribers.remove(&self.subscriber);
    }
}

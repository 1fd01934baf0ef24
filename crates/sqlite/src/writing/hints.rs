pub(crate) mod changes;
mod subscription;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use longshore_core::Interest;

use changes::Changes;
use subscription::Subscriber;

use crate::database::quiet::quietly;

pub(crate) use subscription::Subscription;

/// The source of wake-ups: every commit of this store that makes work available, and every commit of another connection
/// that the writer notices.
#[derive(Debug)]
pub(crate) struct Hints {
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    /// How many those are: asked before each commit, so it needs no lock.
    subscriber_count: AtomicUsize,
    /// Whether the operating system reports writes to the log.
    is_log_watched: AtomicBool,
    /// Whether the log was written since the writer last checked.
    is_log_written: AtomicBool,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self {
            subscribers: Mutex::default(),
            subscriber_count: AtomicUsize::new(0),
            is_log_watched: AtomicBool::new(false),
            is_log_written: AtomicBool::new(false),
        }
    }

    /// Tells those whom a commit concerns.
    pub(crate) fn give(&self, changes: &Changes) {
        if !self.has_subscribers() {
            // A later subscriber starts with its own read.
            return;
        }
        let wakers: Vec<Waker> = self.all().iter().filter_map(|subscriber| subscriber.tell(changes)).collect();
        // After the locks: who is woken may subscribe or end its subscription.
        // A waker is foreign code.
        wakers.into_iter().for_each(|waker| quietly(|| waker.wake()));
    }

    /// Tells everybody, because nobody knows what has changed.
    pub(crate) fn give_unknown(&self) {
        self.give(&Changes::unknown());
    }

    /// Whether there are subscribers. Without them, nobody needs to watch the file.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.subscriber_count.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_log_watched(&self) -> bool {
        self.is_log_watched.load(Ordering::Relaxed)
    }

    pub(crate) fn set_log_watched(&self) {
        self.is_log_watched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_log_unwatched(&self) {
        self.is_log_watched.store(false, Ordering::Relaxed);
    }

    /// Records a write to the log. Returns whether it is the first since the writer last checked.
    pub(crate) fn note_log_written(&self) -> bool {
        !self.is_log_written.swap(true, Ordering::Relaxed)
    }

    /// Whether the log was written since the last call.
    pub(crate) fn take_log_written(&self) -> bool {
        self.is_log_written.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn subscribe(self: &Arc<Self>, interest: Interest) -> Subscription {
        let subscriber = Arc::new(Subscriber::new(interest));
        let mut all = self.all();
        all.push(Arc::clone(&subscriber));
        self.subscriber_count.store(all.len(), Ordering::Relaxed);
        Subscription { subscriber, hints: Arc::clone(self) }
    }

    fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        let mut all = self.all();
        all.retain(|other| !Arc::ptr_eq(other, subscriber));
        self.subscriber_count.store(all.len(), Ordering::Relaxed);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

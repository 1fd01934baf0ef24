pub(crate) mod changes;
mod subscription;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use longshore_core::Interest;

use changes::Changes;
use subscription::Subscriber;

pub(crate) use subscription::Subscription;

/// Where hints come from: every commit of this store that makes something possible, and every commit of anybody
/// else that the writer's connection notices.
#[derive(Debug)]
pub(crate) struct Hints {
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    /// How many those are: asked before each commit, so it needs no lock.
    subscriber_count: AtomicUsize,
    /// The operating system tells of writes to the log.
    is_log_watched: AtomicBool,
    /// Somebody wrote to the log since the writer last looked.
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
            // Whoever subscribes later begins with a look of its own.
            return;
        }
        let wakers: Vec<Waker> = self.all().iter().filter_map(|subscriber| subscriber.tell(changes)).collect();
        // After the locks: who is woken may subscribe or end its subscription.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells everybody, because nobody knows what has changed.
    pub(crate) fn give_unknown(&self) {
        self.give(&Changes::unknown());
    }

    /// Whether anybody listens; if not, nobody need watch the file.
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

    /// Whether this is the first write since the writer last looked.
    pub(crate) fn note_log_written(&self) -> bool {
        !self.is_log_written.swap(true, Ordering::Relaxed)
    }

    /// Whether somebody wrote to the log since this was last asked.
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

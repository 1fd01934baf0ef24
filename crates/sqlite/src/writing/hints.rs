use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_core::{Changes, Interest, Subscribers, Subscription};

use crate::database::quiet::quietly;

/// The source of wake-ups: every commit of this store that makes work available, and every commit of another connection
/// that the writer notices.
#[derive(Debug)]
pub(crate) struct Hints {
    subscribers: Arc<Subscribers>,
    /// Whether the operating system reports writes to the log.
    is_log_watched: AtomicBool,
    /// Whether the log was written since the writer last checked.
    is_log_written: AtomicBool,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self {
            subscribers: Arc::default(),
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
        // A waker is foreign code.
        self.subscribers.tell(changes).into_iter().for_each(|waker| quietly(|| waker.wake()));
    }

    /// Tells everybody, because nobody knows what has changed.
    pub(crate) fn give_unknown(&self) {
        self.give(&Changes::unknown());
    }

    /// Whether there are subscribers. Without them, nobody needs to watch the file.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.subscribers.has_any()
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

    pub(crate) fn subscribe(&self, interest: Interest) -> Subscription {
        self.subscribers.subscribe(interest)
    }
}

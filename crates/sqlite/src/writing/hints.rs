use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use longshore_core::Wakeups;
use tokio::sync::watch;
use tokio::task::coop::unconstrained;

/// Where hints come from: every commit of this store that makes something possible, and every commit of anybody
/// else that the writer's connection notices.
#[derive(Debug)]
pub(crate) struct Hints {
    changes: watch::Sender<u64>,
    subscribers: AtomicUsize,
    /// The operating system tells of writes to the log.
    is_log_watched: AtomicBool,
    /// Somebody wrote to the log since the writer last looked.
    is_log_written: AtomicBool,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self {
            changes: watch::Sender::new(0),
            subscribers: AtomicUsize::new(0),
            is_log_watched: AtomicBool::new(false),
            is_log_written: AtomicBool::new(false),
        }
    }

    pub(crate) fn give(&self) {
        if !self.has_subscribers() {
            // Whoever subscribes later begins with a look of its own.
            return;
        }
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether anybody listens; if not, nobody need watch the file.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) > 0
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

    pub(crate) fn subscribe(self: &Arc<Self>) -> SqliteWakeups {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        SqliteWakeups { changes: self.changes.subscribe(), hints: Arc::clone(self) }
    }
}

/// A subscription to the hints of one store.
#[derive(Debug)]
pub(crate) struct SqliteWakeups {
    changes: watch::Receiver<u64>,
    hints: Arc<Hints>,
}

impl Wakeups for SqliteWakeups {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if unconstrained(self.changes.changed()).await.is_err() {
                // The sender lives as long as this subscription does, but an end of hints is no hint.
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Drop for SqliteWakeups {
    fn drop(&mut self) {
        self.hints.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_core::Wakeups;
use tokio::sync::watch;

/// Where hints come from: every commit of this store that makes something possible, and every commit of anybody
/// else that the writer's connection notices.
#[derive(Debug)]
pub(crate) struct Hints {
    changes: watch::Sender<u64>,
    subscribers: AtomicUsize,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self { changes: watch::Sender::new(0), subscribers: AtomicUsize::new(0) }
    }

    pub(crate) fn give(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether anybody listens; if not, nobody need watch the file.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) > 0
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
            if self.changes.changed().await.is_err() {
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

use std::pin::Pin;

use longshore_core::Wakeups;
use tokio::sync::watch;

pub(super) struct MemoryWakeups {
    changes: watch::Receiver<()>,
}

impl MemoryWakeups {
    pub(super) fn new(changes: watch::Receiver<()>) -> Self {
        Self { changes }
    }
}

impl Wakeups for MemoryWakeups {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // A store that is gone never changes again.
            if self.changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

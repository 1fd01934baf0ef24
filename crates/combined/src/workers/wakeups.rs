use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;

use longshore_core::{Hint, Interest, Wakeups};
use tokio::sync::watch;
use tokio::task::unconstrained;

use crate::combined_store::Shared;

/// The hints of all databases.
pub(crate) struct CombinedWakeups {
    shared: Weak<Shared>,
    interest: Interest,
    /// One for each database that was open the last time.
    parts: Vec<Option<Box<dyn Wakeups>>>,
    opened: watch::Receiver<()>,
}

impl CombinedWakeups {
    pub(crate) fn new(shared: &Arc<Shared>, interest: Interest) -> Self {
        let parts = shared.members.all().iter().map(|_| None).collect();
        let mut wakeups = Self { shared: Arc::downgrade(shared), interest, parts, opened: shared.opened.subscribe() };
        // From now on.
        wakeups.subscribe();
        wakeups
    }

    /// Subscribes where a database has been opened since the last time.
    fn subscribe(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        for (part, member) in self.parts.iter_mut().zip(shared.members.all()) {
            if part.is_none()
                && let Some(store) = member.opened()
            {
                *part = Some(store.wakeups(self.interest.clone()));
            }
        }
    }
}

impl Wakeups for CombinedWakeups {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(async move {
            self.subscribe();
            let opened = &mut self.opened;
            let mut changes: Vec<_> = self.parts.iter_mut().flatten().map(|part| part.changed()).collect();
            let mut opening = pin!(unconstrained(opened.changed()));
            let hint = poll_fn(|context| {
                for change in &mut changes {
                    if let Poll::Ready(hint) = change.as_mut().poll(context) {
                        return Poll::Ready(hint);
                    }
                }
                match opening.as_mut().poll(context) {
                    // The new database may have had jobs before.
                    Poll::Ready(Ok(())) => Poll::Ready(Hint::Anything),
                    // The store has ended, and nothing is opened any more.
                    Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
                }
            });
            hint.await
        })
    }
}

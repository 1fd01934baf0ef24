mod changes;
mod subscription;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use longshore_core::{Interest, Wakeups};

use crate::store::Parts;
use subscription::{Subscriber, Subscription};

pub(crate) use changes::Changes;

/// Who waits for jobs or for requests to cancel, in this process.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
}

/// Subscribes to hints.
pub(crate) fn subscribe(parts: &Arc<Parts>, interest: Interest) -> Box<dyn Wakeups> {
    Box::new(parts.claims.hints.subscribe(interest))
}

impl Hints {
    /// Tells those whom a commit of this store concerns.
    pub(crate) fn give(&self, changes: Changes) {
        if !changes.is_empty() {
            self.tell(&changes);
        }
    }

    fn tell(&self, changes: &Changes) {
        let wakers: Vec<Waker> = self.all().iter().filter_map(|subscriber| subscriber.tell(changes)).collect();
        // After the locks: who is woken may subscribe or end its subscription.
        wakers.into_iter().for_each(Waker::wake);
    }

    fn subscribe(self: &Arc<Self>, interest: Interest) -> Subscription {
        let subscriber = Arc::new(Subscriber::new(interest));
        self.all().push(Arc::clone(&subscriber));
        Subscription { subscriber, hints: Arc::clone(self) }
    }

    fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        self.all().retain(|other| !Arc::ptr_eq(other, subscriber));
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

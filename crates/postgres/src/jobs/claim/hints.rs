mod listener;
mod payload;
mod sender;

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use longshore_core::{Interest, Subscribers, Wakeups, WorkerId};
use tokio::sync::Notify;

use crate::store::Parts;

pub(crate) use longshore_core::Changes;

/// Who waits for jobs or for requests to cancel. Those of this process are told at once; other processes by a
/// notification that a connection of its own sends, because one in an enqueuing transaction makes all of them queue.
#[derive(Debug)]
pub(crate) struct Hints {
    subscribers: Arc<Subscribers>,
    /// Whether there was ever a subscriber.
    first_subscriber: Notify,
    /// What other processes have not been told yet.
    unsent: Mutex<Changes>,
    has_unsent: Notify,
    /// What distinguishes this store from others on the same queue.
    own: u64,
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            subscribers: Arc::default(),
            first_subscriber: Notify::new(),
            unsent: Mutex::default(),
            has_unsent: Notify::new(),
            // JSON has no larger integers everywhere.
            own: fastrand::u64(..1 << 53),
        }
    }
}

/// Subscribes to hints.
pub(crate) fn subscribe(parts: &Arc<Parts>, interest: Interest) -> Box<dyn Wakeups> {
    let hints = &parts.claims.hints;
    let subscription = hints.subscribers.subscribe(interest);
    hints.first_subscriber.notify_one();
    Box::new(subscription)
}

/// Begins to talk with other processes as soon as there is something to say, or somebody who listens.
pub(crate) fn start(parts: &Arc<Parts>) {
    let handle = parts.runtime.handle();
    // Both end with the runtime, or when the store is gone or closed.
    handle.spawn(listener::run(Arc::downgrade(parts), Arc::clone(&parts.claims.hints)));
    if !parts.options.is_pooled {
        handle.spawn(sender::run(Arc::downgrade(parts), Arc::clone(&parts.claims.hints)));
    }
}

impl Hints {
    /// Tells those whom a commit of this store concerns, in this process and in others.
    pub(crate) fn give(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        self.give_here(&changes);
        lock(&self.unsent).merge(changes);
        self.has_unsent.notify_one();
    }

    /// Tells those of this process.
    pub(crate) fn give_here(&self, changes: &Changes) {
        self.subscribers.tell(changes).into_iter().for_each(Waker::wake);
    }

    /// The types of the jobs, and the workers, that somebody waits for.
    fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        for interest in self.subscribers.interests() {
            match interest {
                Interest::Anything | Interest::Schedules => {}
                Interest::Jobs { job_types, .. } => interests.job_types.extend(job_types.iter().cloned()),
                Interest::Cancellations { worker_id } => interests.workers.push(worker_id),
            }
        }
        interests
    }

    fn take_unsent(&self) -> Changes {
        mem::take(&mut *lock(&self.unsent))
    }
}

/// What the subscribers wait for.
#[derive(Debug, Default)]
struct Interests {
    job_types: BTreeSet<String>,
    workers: Vec<WorkerId>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

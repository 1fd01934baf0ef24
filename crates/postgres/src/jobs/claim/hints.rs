mod listener;
mod payload;
mod sender;

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use longshore_core::{Interest, Subscribers, Wakeups, WorkerId};
use tokio::sync::Notify;

use crate::store::Parts;

pub(crate) use longshore_core::Changes;

/// How long a process that ends waits until others have been told.
const SEND_MAX: Duration = Duration::from_secs(1);

/// Who waits for jobs or for requests to cancel. Those of this process are told at once; other processes by a
/// notification that a connection of its own sends, because one in an enqueuing transaction makes all of them queue.
#[derive(Debug)]
pub(crate) struct Hints {
    subscribers: Arc<Subscribers>,
    /// Whether there was ever a subscriber.
    first_subscriber: Notify,
    outbox: Mutex<Outbox>,
    has_unsent: Notify,
    all_sent: Condvar,
    /// What distinguishes this store from others on the same queue.
    own: u64,
}

/// What other processes have not been told yet.
#[derive(Debug, Default)]
struct Outbox {
    unsent: Changes,
    is_sending: bool,
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            subscribers: Arc::default(),
            first_subscriber: Notify::new(),
            outbox: Mutex::default(),
            has_unsent: Notify::new(),
            all_sent: Condvar::new(),
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
        self.outbox().unsent.merge(changes);
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

    /// Blocks until other processes have been told everything, or cannot be told soon.
    pub(crate) fn wait_until_sent(&self) {
        let is_unsent = |outbox: &mut Outbox| outbox.is_sending || !outbox.unsent.is_empty();
        // What comes too late costs other processes one interval of polling.
        let _ = self.all_sent.wait_timeout_while(self.outbox(), SEND_MAX, is_unsent);
    }

    fn take_unsent(&self) -> Changes {
        let mut outbox = self.outbox();
        outbox.is_sending = true;
        mem::take(&mut outbox.unsent)
    }

    fn note_sent(&self) {
        self.outbox().is_sending = false;
        self.all_sent.notify_all();
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the subscribers wait for.
#[derive(Debug, Default)]
struct Interests {
    job_types: BTreeSet<String>,
    workers: Vec<WorkerId>,
}

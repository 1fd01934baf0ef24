use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{Inbox, Lease, QueueScope, WorkerId};
use tokio::sync::Notify;

/// The open inboxes of this store's workers.
#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    open: Mutex<HashMap<WorkerId, Arc<Mailbox>>>,
}

/// The writer puts leases into it, and a worker takes them out.
#[derive(Debug)]
pub(crate) struct Mailbox {
    worker_id: WorkerId,
    back: Box<dyn GiveBack>,
    content: Mutex<Content>,
    arrived: Notify,
}

#[derive(Debug)]
struct Content {
    leases: Vec<Lease>,
    offered: Offered,
    state: State,
}

/// Returns leases that no worker takes.
pub(crate) trait GiveBack: fmt::Debug + Send + Sync {
    /// Returns the leases; the attempts are not counted. Does not wait until that is done.
    fn give_back(&self, worker_id: &WorkerId, leases: Vec<Lease>);
}

/// The jobs that the worker would take.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) scope: QueueScope,
    pub(crate) limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A claim found nothing more, so leases may be delivered.
    Offering,
    /// No lease may be delivered before the next claim.
    Resting,
    Closed,
}

impl Inboxes {
    pub(crate) fn open(&self, mailbox: Mailbox) -> SqliteInbox {
        let mailbox = Arc::new(mailbox);
        let earlier = self.lock().insert(mailbox.worker_id.clone(), Arc::clone(&mailbox));
        if let Some(earlier) = earlier {
            earlier.close();
        }
        SqliteInbox { mailbox }
    }

    /// The worker's open inbox, if it has one.
    pub(crate) fn of(&self, worker_id: &WorkerId) -> Option<Arc<Mailbox>> {
        let mut open = self.lock();
        open.retain(|_, mailbox| mailbox.content().state != State::Closed);
        open.get(worker_id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<Mailbox>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    pub(crate) fn new(worker_id: WorkerId, back: Box<dyn GiveBack>) -> Self {
        let offered = Offered { scope: QueueScope::All, limit: 0 };
        let content = Content { leases: Vec::new(), offered, state: State::Resting };
        Self { worker_id, back, content: Mutex::new(content), arrived: Notify::new() }
    }

    /// Stops deliveries. Returns what may be delivered after the current claim, reduced by the leases that are already
    /// here and that the worker does not know about, and the queues of those leases.
    pub(crate) fn rest(&self) -> (Offered, Vec<String>) {
        let mut content = self.content();
        if content.state == State::Offering {
            content.state = State::Resting;
        }
        (content.offered.clone(), content.leases.iter().map(|lease| lease.queue.clone()).collect())
    }

    /// Allows deliveries from now on.
    pub(crate) fn stand(&self) {
        let mut content = self.content();
        if content.state == State::Resting {
            content.state = State::Offering;
        }
    }

    pub(crate) fn is_standing(&self) -> bool {
        self.content().state == State::Offering
    }

    /// Delivers the lease of a committed job.
    pub(crate) fn put(&self, lease: Lease) {
        let mut content = self.content();
        if content.state == State::Closed {
            drop(content);
            return self.back.give_back(&self.worker_id, vec![lease]);
        }
        content.leases.push(lease);
        drop(content);
        self.arrived.notify_one();
    }

    fn close(&self) {
        let mut content = self.content();
        content.state = State::Closed;
        let leases = std::mem::take(&mut content.leases);
        drop(content);
        if !leases.is_empty() {
            self.back.give_back(&self.worker_id, leases);
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's side of an inbox.
#[derive(Debug)]
pub(crate) struct SqliteInbox {
    mailbox: Arc<Mailbox>,
}

impl Inbox for SqliteInbox {
    fn offer(&mut self, scope: QueueScope, limit: u32) {
        let mut content = self.mailbox.content();
        content.offered = Offered { scope, limit };
        if content.state == State::Offering {
            content.state = State::Resting;
        }
    }

    fn arrived(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            while self.mailbox.content().leases.is_empty() {
                self.mailbox.arrived.notified().await;
            }
        })
    }

    fn take(&mut self) -> Vec<Lease> {
        std::mem::take(&mut self.mailbox.content().leases)
    }
}

impl Drop for SqliteInbox {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

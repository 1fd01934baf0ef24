use std::collections::HashMap;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{Clock, Inbox, Lease, Outcome, QueueScope, Record, WorkerId};
use tokio::sync::{Notify, oneshot};

use crate::fault::ErrorContext;
use crate::jobs::record::RecordAll;
use crate::writing::work::{Message, Request};

/// The open inboxes of this store's workers.
#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    open: Mutex<HashMap<WorkerId, Arc<Mailbox>>>,
}

/// Where the writer puts leases and a worker takes them.
#[derive(Debug)]
pub(crate) struct Mailbox {
    worker_id: WorkerId,
    context: ErrorContext,
    clock: Arc<dyn Clock>,
    /// The way for leases that nobody takes: back to the writer.
    writer: Sender<Message>,
    content: Mutex<Content>,
    arrived: Notify,
}

#[derive(Debug)]
struct Content {
    leases: Vec<Lease>,
    offered: Offered,
    state: State,
}

/// What the worker says may come.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) scope: QueueScope,
    pub(crate) limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A claim has found nothing more, so leases may come.
    Standing,
    /// None may come before the next claim.
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

    /// The worker's inbox, if it has one that is open.
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
    pub(crate) fn new(
        worker_id: WorkerId,
        context: ErrorContext,
        clock: Arc<dyn Clock>,
        writer: Sender<Message>,
    ) -> Self {
        let offered = Offered { scope: QueueScope::All, limit: 0 };
        let content = Content { leases: Vec::new(), offered, state: State::Resting };
        Self { worker_id, context, clock, writer, content: Mutex::new(content), arrived: Notify::new() }
    }

    /// Nothing may come for now; says what may come after the claim that is under way, less what is there already
    /// and the worker cannot know of, and the queues of those leases.
    pub(crate) fn rest(&self) -> (Offered, Vec<String>) {
        let mut content = self.content();
        if content.state == State::Standing {
            content.state = State::Resting;
        }
        (content.offered.clone(), content.leases.iter().map(|lease| lease.queue.clone()).collect())
    }

    /// Leases may come from now on.
    pub(crate) fn stand(&self) {
        let mut content = self.content();
        if content.state == State::Resting {
            content.state = State::Standing;
        }
    }

    pub(crate) fn is_standing(&self) -> bool {
        self.content().state == State::Standing
    }

    /// Delivers the lease of a job that was committed.
    pub(crate) fn put(&self, lease: Lease) {
        let mut content = self.content();
        if content.state == State::Closed {
            drop(content);
            return self.give_back(vec![lease]);
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
        self.give_back(leases);
    }

    /// Nobody waits for the answer. Should it fail, the retirement of the worker or its death gives them back.
    fn give_back(&self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        let now = self.clock.now();
        let records = leases.into_iter().map(|lease| Record {
            id: lease.id,
            claim_number: lease.claim_number,
            outcome: Outcome::Returned,
            attempt: lease.attempt(),
            started_at: None,
            finished_at: now,
            log: Vec::new(),
        });
        let work = RecordAll { worker_id: self.worker_id.clone(), records: records.collect() };
        let (reply, _) = oneshot::channel();
        let request = Request { work, context: self.context.clone(), reply, kept: None, permit: None };
        let _ = self.writer.send(Message::Task(Box::new(request)));
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's end of an inbox.
#[derive(Debug)]
pub(crate) struct SqliteInbox {
    mailbox: Arc<Mailbox>,
}

impl Inbox for SqliteInbox {
    fn offer(&mut self, scope: QueueScope, limit: u32) {
        let mut content = self.mailbox.content();
        content.offered = Offered { scope, limit };
        if content.state == State::Standing {
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

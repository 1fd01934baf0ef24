use std::collections::HashMap;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use longshore_core::{ClaimRequest, Claimed, Due, Inbox, Lease, NewJob, QueueScope, Record, WorkerId};
use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock};
use tokio::task::JoinHandle;

use super::slots::{Offered, Slots};
use crate::jobs::outcomes::record;
use crate::limiting::rules::{KnownRules, Rules};
use crate::store::Parts;

/// The open inboxes of this store's workers.
#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    open: Mutex<HashMap<WorkerId, Arc<Mailbox>>>,
    /// Leases on their way back, which the next claim of their worker waits for.
    returning: Mutex<Vec<(WorkerId, JoinHandle<()>)>>,
}

/// Enqueues put leases into it, and a worker takes them out.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) worker_id: WorkerId,
    parts: Weak<Parts>,
    content: Mutex<Content>,
    arrived: Notify,
    /// Read by each enqueue that may bring a lease, so that a claim can wait for all of them.
    under_way: Arc<RwLock<()>>,
}

#[derive(Debug)]
struct Content {
    leases: Vec<Lease>,
    offered: Offered,
    /// What may come after a claim that found nothing more; none before the next one.
    standing: Option<Standing>,
    is_closed: bool,
}

/// What a worker would run at once, and where something else may come first.
#[derive(Debug)]
struct Standing {
    slots: Slots,
    job_types: Arc<[String]>,
    scope: QueueScope,
}

/// A slot that an enqueue has taken: the worker may get its job.
pub(super) struct Taken {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) job_types: Arc<[String]>,
    /// None for all.
    pub(super) queues: Option<Vec<String>>,
    /// The limits under which the job may have its lease at once.
    pub(super) rules: Arc<Rules>,
    _under_way: OwnedRwLockReadGuard<()>,
}

/// Opens an inbox for leases that come without a claim.
pub(crate) fn inbox(parts: &Arc<Parts>, worker_id: &WorkerId) -> Box<dyn Inbox> {
    let offered = Offered { scope: QueueScope::All, limit: 0 };
    let content = Content { leases: Vec::new(), offered, standing: None, is_closed: false };
    let mailbox = Arc::new(Mailbox {
        worker_id: worker_id.clone(),
        parts: Arc::downgrade(parts),
        content: Mutex::new(content),
        arrived: Notify::new(),
        under_way: Arc::default(),
    });
    let earlier = parts.enqueues.inboxes.lock().insert(worker_id.clone(), Arc::clone(&mailbox));
    if let Some(earlier) = earlier {
        earlier.close();
    }
    Box::new(PostgresInbox { mailbox })
}

impl Inboxes {
    /// A slot of the first worker that would run this job at once, if the job may run at once.
    pub(super) fn take(&self, job: &NewJob, rules: &KnownRules) -> Option<Taken> {
        let is_for_now = match job.due {
            Due::Now => true,
            Due::After(delay) => delay.as_millis() == 0,
            Due::At(_) => false,
        };
        if !is_for_now || job.parent.is_some() {
            return None;
        }
        // Only a claim counts what runs under a limit. Without one nothing was offered.
        let rules = rules.known().filter(|rules| rules.leaves_free(&job.job_type, &job.queue))?;
        self.lock().values().find_map(|mailbox| mailbox.slot_for(job, &rules))
    }

    /// Ends what the worker of a claim has offered. Gives the claim less what has arrived already, and where to offer again.
    pub(crate) async fn begin_claim(&self, request: ClaimRequest) -> (ClaimRequest, Option<Resting>) {
        for returning in self.returning_of(&request.worker_id) {
            // Its panic would be an error of the store's own task.
            drop(returning.await);
        }
        let Some(mailbox) = self.lock().get(&request.worker_id).cloned() else { return (request, None) };
        mailbox.content().standing = None;
        // What is on its way is in the inbox then.
        drop(mailbox.under_way.write().await);
        let mut claimable = request;
        let (offered, got) = {
            let content = mailbox.content();
            let got: Vec<String> = content.leases.iter().map(|lease| lease.queue.clone()).collect();
            (content.offered.clone(), got)
        };
        let scope = claimable.scope.clone();
        for queue in &got {
            claimable.limit = claimable.limit.saturating_sub(1);
            claimable.limited_max = claimable.limited_max.saturating_sub(1);
            if let QueueScope::Only(limits) = &mut claimable.scope
                && let Some(limit) = limits.iter_mut().find(|limit| limit.queue == *queue)
            {
                limit.limit = limit.limit.saturating_sub(1);
            }
        }
        let resting = Resting { mailbox, offered, got, scope, limit: claimable.limit };
        (claimable, Some(resting))
    }

    fn returning_of(&self, worker_id: &WorkerId) -> Vec<JoinHandle<()>> {
        let mut returning = self.returning.lock().unwrap_or_else(PoisonError::into_inner);
        returning.retain(|(_, task)| !task.is_finished());
        returning.extract_if(.., |(of, _)| of == worker_id).map(|(_, task)| task).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<Mailbox>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The offer of a worker during its claim.
pub(crate) struct Resting {
    mailbox: Arc<Mailbox>,
    offered: Offered,
    /// The queues of the leases that had arrived before.
    got: Vec<String>,
    scope: QueueScope,
    limit: u32,
}

impl Resting {
    /// The offer stands, if the claim got less than it asked for.
    pub(crate) fn stand(self, request: &ClaimRequest, claimed: &Claimed) {
        if claimed.leases.len() >= self.limit as usize {
            return;
        }
        let got = self.got.iter().map(String::as_str).chain(claimed.leases.iter().map(|lease| lease.queue.as_str()));
        let slots = Slots::new(self.offered, &self.scope, got);
        let standing = Standing { slots, job_types: Arc::clone(&request.job_types), scope: self.scope };
        self.mailbox.content().standing = Some(standing);
    }
}

impl Mailbox {
    fn slot_for(self: &Arc<Self>, job: &NewJob, rules: &Arc<Rules>) -> Option<Taken> {
        let mut content = self.content();
        let standing = content.standing.as_mut()?;
        if !standing.slots.has(&job.queue) || !standing.job_types.contains(&job.job_type) {
            return None;
        }
        // A claim that waits for the others comes first.
        let under_way = Arc::clone(&self.under_way).try_read_owned().ok()?;
        standing.slots.take(&job.queue);
        let queues = match &standing.scope {
            QueueScope::All => None,
            QueueScope::Only(limits) => Some(limits.iter().map(|limit| limit.queue.clone()).collect()),
        };
        let job_types = Arc::clone(&standing.job_types);
        Some(Taken { mailbox: Arc::clone(self), job_types, queues, rules: Arc::clone(rules), _under_way: under_way })
    }

    /// Delivers the lease of a committed job.
    pub(super) fn put(&self, lease: Lease) {
        let mut content = self.content();
        if content.is_closed {
            drop(content);
            return self.return_unread(&[lease]);
        }
        content.leases.push(lease);
        drop(content);
        self.arrived.notify_one();
    }

    /// The slot that a job had taken is free again.
    pub(super) fn give_back(&self, queue: &str) {
        if let Some(standing) = &mut self.content().standing {
            standing.slots.give_back(queue);
        }
    }

    /// Something else comes first: only a claim tells what.
    pub(super) fn end_offer(&self) {
        self.content().standing = None;
    }

    fn close(&self) {
        let mut content = self.content();
        (content.is_closed, content.standing) = (true, None);
        let leases = mem::take(&mut content.leases);
        drop(content);
        self.return_unread(&leases);
    }

    /// Returns leases that no worker takes; the attempts are not counted.
    fn return_unread(&self, leases: &[Lease]) {
        let Some(parts) = self.parts.upgrade().filter(|_| !leases.is_empty()) else { return };
        let (worker_id, records) = (self.worker_id.clone(), leases.iter().map(Record::returned).collect());
        let of_task = Arc::clone(&parts);
        let task = parts.runtime.handle().spawn(async move {
            if let Err(fault) = record(of_task, worker_id, records).await {
                // The worker's next heartbeat tells it of them.
                tracing::warn!(reason = %fault.reason(), "leases that nobody took were not returned");
            }
        });
        let mut returning = parts.enqueues.inboxes.returning.lock().unwrap_or_else(PoisonError::into_inner);
        returning.push((self.worker_id.clone(), task));
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's side of an inbox.
#[derive(Debug)]
struct PostgresInbox {
    mailbox: Arc<Mailbox>,
}

impl Inbox for PostgresInbox {
    fn offer(&mut self, scope: QueueScope, limit: u32) {
        let mut content = self.mailbox.content();
        (content.offered, content.standing) = (Offered { scope, limit }, None);
    }

    fn arrived(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            while self.mailbox.content().leases.is_empty() {
                self.mailbox.arrived.notified().await;
            }
        })
    }

    fn take(&mut self) -> Vec<Lease> {
        mem::take(&mut self.mailbox.content().leases)
    }
}

impl Drop for PostgresInbox {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(parts) = self.mailbox.parts.upgrade() {
            parts.enqueues.inboxes.lock().retain(|_, open| !Arc::ptr_eq(open, &self.mailbox));
        }
    }
}

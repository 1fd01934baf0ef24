use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{ClaimRequest, Inbox, JobId, Lease, NewJob, QueueScope, Record, Status, WorkerId};
use tokio::sync::Notify;

use crate::memory::state::State;
use crate::memory::{MemoryStore, Moment};

/// The inbox of one worker.
#[derive(Debug)]
pub(in crate::memory) struct Mailbox {
    content: Mutex<Content>,
    arrived: Notify,
}

#[derive(Debug)]
struct Content {
    leases: Vec<Lease>,
    offered: Slots,
    /// `None` before the next claim.
    left_offer: Option<LeftOffer>,
}

/// The state that a claim left.
#[derive(Clone, Debug)]
struct LeftOffer {
    request: ClaimRequest,
    slots: Slots,
}

/// How many jobs would run at once, in total and from each named queue.
#[derive(Clone, Debug)]
struct Slots {
    left: u32,
    queues: Option<BTreeMap<String, u32>>,
}

impl Slots {
    fn new(scope: QueueScope, left: u32) -> Self {
        let queues = match scope {
            QueueScope::All => None,
            QueueScope::Only(limits) => Some(limits.into_iter().map(|limit| (limit.queue, limit.limit)).collect()),
        };
        Self { left, queues }
    }

    fn has(&self, queue: &str) -> bool {
        self.left > 0 && self.queues.as_ref().is_none_or(|queues| queues.get(queue).is_some_and(|left| *left > 0))
    }

    fn take(&mut self, queue: &str) {
        self.left = self.left.saturating_sub(1);
        if let Some(left) = self.queues.as_mut().and_then(|queues| queues.get_mut(queue)) {
            *left = left.saturating_sub(1);
        }
    }
}

impl Mailbox {
    fn new() -> Arc<Self> {
        let content = Content { leases: Vec::new(), offered: Slots::new(QueueScope::All, 0), left_offer: None };
        Arc::new(Self { content: Mutex::new(content), arrived: Notify::new() })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What a claim may take: less the leases that its worker got and does not know about yet.
    pub(in crate::memory) fn claimable(&self, request: &ClaimRequest) -> ClaimRequest {
        let mut request = request.clone();
        let Some(mailbox) = self.inboxes.get(&request.worker_id) else { return request };
        let mut content = mailbox.content();
        content.left_offer = None;
        for lease in &content.leases {
            request.limit = request.limit.saturating_sub(1);
            if let QueueScope::Only(limits) = &mut request.scope
                && let Some(limit) = limits.iter_mut().find(|limit| limit.queue == lease.queue)
            {
                limit.limit = limit.limit.saturating_sub(1);
            }
        }
        request
    }

    /// Stores the worker's offer, because the claim left nothing.
    pub(in crate::memory) fn leave_offer(&self, request: &ClaimRequest, got: &[Lease]) {
        let Some(mailbox) = self.inboxes.get(&request.worker_id).filter(|_| got.len() < request.limit as usize) else {
            return;
        };
        let mut content = mailbox.content();
        let mut slots = content.offered.clone();
        content.leases.iter().chain(got).for_each(|lease| slots.take(&lease.queue));
        content.left_offer = Some(LeftOffer { request: ClaimRequest { limit: 1, ..request.clone() }, slots });
    }

    /// The worker of this process that would run a new job at once, if nothing else comes before it.
    pub(in crate::memory) fn taker(&self, job: &NewJob, process: u64, moment: Moment) -> Option<WorkerId> {
        let is_due =
            self.rows.values().any(|row| row.waits_for_instant() && row.due.is_some_and(|due| due <= moment.now));
        let is_paused = self.queues.get(&job.queue).copied().flatten().is_some();
        let is_limited = job.limit_key.is_some() || self.limit_book.covers(&job.job_type, &job.queue);
        if is_due || is_paused || is_limited || job.parent.is_some() {
            return None;
        }
        let takes = |left_offer: &LeftOffer| {
            left_offer.slots.has(&job.queue)
                && left_offer.request.scope.includes(&job.queue)
                && left_offer.request.job_types.contains(&job.job_type)
                && !self.has_next(&left_offer.request, moment.now)
        };
        let takers =
            self.inboxes.iter().filter(|(_, mailbox)| mailbox.content().left_offer.as_ref().is_some_and(takes));
        let mut living = takers.filter(|(worker_id, _)| {
            let worker = self.workers.get(worker_id);
            worker.is_some_and(|worker| worker.is_in(process) && worker.is_alive())
        });
        living.next().map(|(worker_id, _)| worker_id.clone())
    }

    /// Gives the new job to that worker, if it may run.
    pub(in crate::memory) fn deliver(&mut self, id: JobId, worker_id: &WorkerId, moment: Moment) {
        if self.refuses(id, Status::Running) {
            return;
        }
        let lease = self.lease_to(id, worker_id, moment.now);
        let Some(mailbox) = self.inboxes.get(worker_id) else { return };
        let mut content = mailbox.content();
        if let Some(left_offer) = &mut content.left_offer {
            left_offer.slots.take(&lease.queue);
        }
        content.leases.push(lease);
        drop(content);
        mailbox.arrived.notify_one();
    }

    fn give_back_unread(&mut self, worker_id: &WorkerId, mailbox: &Arc<Mailbox>, moment: Moment) {
        self.inboxes.retain(|_, open| !Arc::ptr_eq(open, mailbox));
        let leases = std::mem::take(&mut mailbox.content().leases);
        let records: Vec<Record> = leases.iter().map(Record::returned).collect();
        self.record(worker_id, &records, moment.now);
    }
}

/// The worker's side of the inbox.
pub(in crate::memory) struct MemoryInbox {
    store: MemoryStore,
    worker_id: WorkerId,
    mailbox: Arc<Mailbox>,
}

impl MemoryInbox {
    pub(in crate::memory) fn open(store: &MemoryStore, worker_id: &WorkerId) -> Self {
        let mailbox = Mailbox::new();
        store.with(|state, moment| {
            if let Some(earlier) = state.inboxes.insert(worker_id.clone(), Arc::clone(&mailbox)) {
                state.give_back_unread(worker_id, &earlier, moment);
            }
        });
        Self { store: store.clone(), worker_id: worker_id.clone(), mailbox }
    }
}

impl Inbox for MemoryInbox {
    fn offer(&mut self, scope: QueueScope, limit: u32) {
        let mut content = self.mailbox.content();
        (content.offered, content.left_offer) = (Slots::new(scope, limit), None);
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

impl Drop for MemoryInbox {
    fn drop(&mut self) {
        let Self { store, worker_id, mailbox } = self;
        store.with(|state, moment| state.give_back_unread(worker_id, mailbox, moment));
        store.shared.changes.send_replace(());
    }
}

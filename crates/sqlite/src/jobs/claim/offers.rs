use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{NewJob, QueueLimit, QueueScope, Timestamp, WorkerId};
use rusqlite::Connection;

use crate::jobs::claim::inbox::{Mailbox, Offered};
use crate::jobs::claim::lanes::is_paused;

/// The jobs that idle workers of this store would run at once.
///
/// An offer is valid only while it is certain that nothing else may run before a job that is enqueued now. Everything
/// that could change this ends all offers: see [`Offers::end`] and its callers.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    open: Vec<Offer>,
}

/// The jobs that one worker would run at once. It is created in the same step of the writer as the read that found
/// nothing else.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) worker_id: WorkerId,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) job_types: Arc<[String]>,
    pub(crate) slots: Slots,
    /// When the next job becomes due, which may come first.
    pub(crate) next_due: Option<Timestamp>,
    /// SQLite's counter of other connections' commits, from before the read.
    pub(crate) data_version: i64,
}

/// How many jobs would run at once, in total and, if queues are named, from each queue.
#[derive(Debug)]
pub(crate) struct Slots {
    left: u32,
    queues: Option<BTreeMap<String, u32>>,
}

impl Slots {
    /// The offered slots within the queues that were read, reduced by jobs in these queues that the worker already got.
    pub(crate) fn new<'a>(offered: Offered, looked_at: &QueueScope, got: impl Iterator<Item = &'a str>) -> Self {
        let queues: Option<BTreeMap<String, u32>> = match (offered.scope, looked_at) {
            (QueueScope::All, QueueScope::All) => None,
            (QueueScope::All, QueueScope::Only(limits)) => {
                let slots = |limit: &QueueLimit| (limit.queue.clone(), limit.limit.min(offered.limit));
                Some(limits.iter().map(slots).collect())
            }
            (QueueScope::Only(limits), looked_at) => {
                // A repeated claim may ask for less than the worker offers now. Other jobs may wait behind what it did
                // not ask for.
                let asked = |queue: &str| match looked_at {
                    QueueScope::All => u32::MAX,
                    QueueScope::Only(looked_at) => {
                        looked_at.iter().find(|limit| limit.queue == queue).map_or(0, |limit| limit.limit)
                    }
                };
                let slots = |limit: QueueLimit| (limit.limit.min(asked(&limit.queue)), limit.queue);
                Some(limits.into_iter().map(slots).map(|(left, queue)| (queue, left)).collect())
            }
        };
        let mut slots = Self { left: offered.limit, queues };
        got.for_each(|queue| slots.take(queue));
        slots
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.left == 0
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

impl Offers {
    pub(crate) const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn stand(&mut self, offer: Offer) {
        self.withdraw(&offer.worker_id);
        if !offer.slots.is_empty() {
            offer.mailbox.stand();
            self.open.push(offer);
        }
    }

    pub(crate) fn withdraw(&mut self, worker_id: &WorkerId) {
        self.open.retain(|offer| offer.worker_id != *worker_id);
    }

    /// Ends all offers, because something else may run first now, or it is unknown.
    pub(crate) fn end(&mut self) {
        self.open.clear();
    }

    /// Ends the offers that another connection's commit or the passing of time makes uncertain. Call it inside the
    /// write transaction, where nobody else can commit.
    pub(crate) fn end_outdated(&mut self, data_version: i64, now: Timestamp) {
        self.open.retain(|offer| {
            let is_due = offer.next_due.is_some_and(|due| due <= now);
            offer.data_version == data_version && !is_due && offer.mailbox.is_standing()
        });
    }

    /// Takes a slot of the first worker that would run this job at once.
    pub(crate) fn take(&mut self, connection: &Connection, job: &NewJob) -> rusqlite::Result<Option<Taken>> {
        while let Some(place) = self.open.iter().position(|offer| offer.takes(job)) {
            if is_paused(connection, &job.queue)? {
                return Ok(None);
            }
            if !self.open[place].is_valid(connection)? {
                self.open.remove(place);
                continue;
            }
            let offer = &mut self.open[place];
            offer.slots.take(&job.queue);
            let taken = Taken { worker_id: offer.worker_id.clone(), mailbox: Arc::clone(&offer.mailbox) };
            if offer.slots.is_empty() {
                self.open.remove(place);
            }
            return Ok(Some(taken));
        }
        Ok(None)
    }
}

/// The worker that gets a job.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) worker_id: WorkerId,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Offer {
    fn takes(&self, job: &NewJob) -> bool {
        self.slots.has(&job.queue) && self.job_types.contains(&job.job_type)
    }

    /// Whether the worker is still registered and its inbox still open for deliveries.
    fn is_valid(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let is_registered: bool = connection
            .prepare_cached(include_str!("../../sql/claim/is_worker_registered.sql"))?
            .query_row([self.worker_id.as_str()], |row| row.get(0))?;
        Ok(is_registered && self.mailbox.is_standing())
    }
}

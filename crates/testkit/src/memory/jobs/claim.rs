use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Job, JobId, Lease, QueueScope, RequestId, Status, StoreError, Timestamp,
};

use crate::memory::jobs::row::Row;
use crate::memory::limits::Bounds;
use crate::memory::state::State;

impl State {
    pub(in crate::memory) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Result<Claimed, StoreError> {
        self.registered_worker(&request.worker_id)?;
        if let Some(given) = self.given.get(&request.worker_id).filter(|given| given.request_id == request.request_id) {
            return Ok(self.given_again(request, given, now));
        }
        let asked = request;
        let request = self.claimable(asked);
        let leases = self.lease(&request, now);
        self.leave_offer(&request, &leases);
        if !leases.is_empty() {
            let leases = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
            let given = GivenClaim { request_id: request.request_id, leases };
            self.given.insert(request.worker_id.clone(), given);
        }
        Ok(Claimed { leases, next_due: self.next_due(asked, now), now })
    }

    /// Promotes due jobs and leases those that the request may have. Ends overdue jobs that come before them.
    pub(in crate::memory) fn lease(&mut self, request: &ClaimRequest, now: Timestamp) -> Vec<Lease> {
        self.promote(now);
        let mut room = Room::new(request);
        let mut leases = Vec::new();
        let (mut bounds, mut candidates) = (Bounds::new(request), self.candidates(request));
        loop {
            candidates.retain(|id| room.has(&self.rows[id].job.queue));
            let Some(id) = self.next_in_turn(&bounds, &candidates, now) else { break };
            candidates.retain(|candidate| *candidate != id);
            let queue = self.row(id).job.queue.clone();
            if self.end_if_overdue(id, now) || self.bury_if_refused(id, Status::Running, now) {
                continue;
            }
            room.take(&queue);
            leases.push(self.lease_to(id, &request.worker_id, now));
            self.start(&mut bounds, id, now);
        }
        leases
    }

    /// The leases of the same request that the worker still holds.
    fn given_again(&self, request: &ClaimRequest, given: &GivenClaim, now: Timestamp) -> Claimed {
        let still_held = |(id, claim_number): &(JobId, ClaimNumber)| {
            let row = self.rows.get(id).filter(|row| row.is_attempt(&request.worker_id, *claim_number))?;
            Some(row.lease())
        };
        let leases = given.leases.iter().filter_map(still_held).collect();
        Claimed { leases, next_due: self.next_due(request, now), now }
    }

    fn promote(&mut self, now: Timestamp) {
        let is_due = |row: &&Row| row.waits_for_instant() && row.due.is_some_and(|due| due <= now);
        let due: Vec<JobId> = self.rows.values().filter(is_due).map(|row| row.job.id).collect();
        for id in due {
            if !self.bury_if_refused(id, Status::Pending, now) {
                self.row(id).promote();
            }
        }
    }

    /// How long until something becomes due that the request could take.
    fn next_due(&self, request: &ClaimRequest, now: Timestamp) -> Option<Duration> {
        let is_asked = |queue: &String| match &request.scope {
            QueueScope::All => true,
            QueueScope::Only(limits) => limits.iter().any(|limit| limit.limit > 0 && limit.queue == *queue),
        };
        let takes = |row: &&Row| {
            let Job { job_type, queue, .. } = &row.job;
            request.job_types.contains(job_type) && is_asked(queue) && !self.is_paused(queue)
        };
        let waiting = self.rows.values().filter(|row| row.waits_for_instant());
        let due = waiting.filter(takes).filter_map(|row| row.due).min();
        let opening = self.next_opening(&self.candidates(request), now);
        due.into_iter().chain(opening).min().map(|instant| instant.since(now))
    }

    fn is_paused(&self, queue: &str) -> bool {
        self.queues.get(queue).copied().flatten().is_some()
    }

    /// Whether a claim would take a job.
    pub(in crate::memory) fn has_next(&self, request: &ClaimRequest, now: Timestamp) -> bool {
        let room = Room::new(request);
        let mut candidates = self.candidates(request);
        candidates.retain(|id| room.has(&self.rows[id].job.queue));
        self.next_in_turn(&Bounds::new(request), &candidates, now).is_some()
    }

    /// The ready jobs for the request, in the order in which they must run.
    fn candidates(&self, request: &ClaimRequest) -> Vec<JobId> {
        let mut candidates: Vec<&Row> = self
            .rows
            .values()
            .filter(|row| row.is_ready() && request.job_types.contains(&row.job.job_type))
            .filter(|row| !self.is_paused(&row.job.queue))
            .collect();
        candidates.sort_by_key(|row| (Reverse(row.job.priority), row.job.id));
        candidates.into_iter().map(|row| row.job.id).collect()
    }
}

/// The last claim of a worker that returned leases.
#[derive(Clone, Debug)]
pub(in crate::memory) struct GivenClaim {
    request_id: RequestId,
    leases: Vec<(JobId, ClaimNumber)>,
}

/// How much a claim may still take, in total and from each queue that it names.
struct Room<'a> {
    left: u32,
    queues: Option<BTreeMap<&'a str, u32>>,
}

impl<'a> Room<'a> {
    fn new(request: &'a ClaimRequest) -> Self {
        let queues = match &request.scope {
            QueueScope::All => None,
            QueueScope::Only(limits) => Some(limits.iter().map(|limit| (limit.queue.as_str(), limit.limit)).collect()),
        };
        Self { left: request.limit, queues }
    }

    fn has(&self, queue: &str) -> bool {
        self.left > 0 && self.queues.as_ref().is_none_or(|queues| queues.get(queue).is_some_and(|left| *left > 0))
    }

    fn take(&mut self, queue: &str) {
        if let Some(left) = self.queues.as_mut().and_then(|queues| queues.get_mut(queue)) {
            *left -= 1;
        }
        self.left -= 1;
    }
}

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use longshore_core::{ClaimNumber, ClaimRequest, JobId, Lease, Priority, QueueLimit, QueueScope};
use tokio::time::Instant;

use crate::worker::claiming::pace::Pace;

/// The jobs that a worker holds from one queue, or from all of them together.
#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` means every queue.
    queue: Option<String>,
    limit: u32,
    busy: u32,
    waiting: BTreeMap<Reverse<Priority>, VecDeque<Lease>>,
    waiting_count: u32,
    /// When a claim last returned jobs.
    filled_at: Option<Instant>,
    /// Whether one of its jobs has started since the last check.
    has_moved: bool,
    /// The last claim left nothing behind. Until a wake-up, another claim would get nothing.
    is_dry: bool,
    /// Free slots that the store has known since that claim. A new job may arrive for each of them.
    offered: u32,
    pace: Pace,
}

/// The lanes of a worker. Jobs leave by priority across all lanes, each lane up to its limit.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    concurrency: u32,
}

/// How much a claim asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) scope: QueueScope,
    pub(crate) limit: u32,
    /// How many of them may be under a limit: one for each free slot, because jobs that only wait in memory would keep
    /// others from starting theirs.
    pub(crate) limited_max: u32,
}

/// The free slots that a worker offers to new jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) scope: QueueScope,
    pub(crate) limit: u32,
}

impl Lane {
    fn new(queue: Option<String>, limit: u32, pace: Pace) -> Self {
        let waiting = BTreeMap::new();
        Self {
            queue,
            limit,
            busy: 0,
            waiting,
            waiting_count: 0,
            filled_at: None,
            has_moved: false,
            is_dry: false,
            offered: 0,
            pace,
        }
    }

    /// The sort key of the job that would leave next; the smallest comes first.
    fn head(&self) -> Option<(Reverse<Priority>, JobId)> {
        if self.busy >= self.limit {
            return None;
        }
        self.next().map(|lease| (Reverse(lease.priority), lease.id))
    }

    fn next(&self) -> Option<&Lease> {
        self.waiting.first_key_value().and_then(|(_, leases)| leases.front())
    }

    fn push(&mut self, lease: Lease) {
        self.waiting.entry(Reverse(lease.priority)).or_default().push_back(lease);
        self.waiting_count += 1;
    }

    fn pop(&mut self) -> Option<Lease> {
        let mut first = self.waiting.first_entry()?;
        let lease = first.get_mut().pop_front();
        if first.get().is_empty() {
            first.remove();
        }
        self.waiting_count -= 1;
        self.busy += 1;
        self.has_moved = true;
        lease
    }

    fn remove(&mut self, id: JobId, claim_number: ClaimNumber) -> Option<Lease> {
        let is_it = |lease: &Lease| lease.id == id && lease.claim_number == claim_number;
        let (priority, place) = self
            .waiting
            .iter()
            .find_map(|(priority, leases)| leases.iter().position(is_it).map(|place| (*priority, place)))?;
        let leases = self.waiting.get_mut(&priority)?;
        let lease = leases.remove(place);
        if leases.is_empty() {
            self.waiting.remove(&priority);
        }
        self.waiting_count -= 1;
        lease
    }

    /// Takes out all waiting jobs. Until the next measurement, its jobs count as slow.
    fn take_waiting(&mut self) -> impl Iterator<Item = Lease> + use<> {
        self.waiting_count = 0;
        self.pace.reset();
        std::mem::take(&mut self.waiting).into_values().flatten()
    }

    fn prefetch(&self) -> u32 {
        self.pace.prefetch(self.limit)
    }

    /// Whether so few jobs wait that another claim is worth its commit.
    fn is_low(&self) -> bool {
        if self.is_dry {
            // Such a claim only checks for jobs. After it, new jobs may arrive for the slots that have become free.
            return self.free() > self.offered.saturating_mul(2);
        }
        self.waiting_count <= self.prefetch() / 2
    }

    /// Idle slots for which no job is waiting.
    fn free(&self) -> u32 {
        self.limit.saturating_sub(self.busy).saturating_sub(self.waiting_count)
    }

    fn wanted(&self) -> u32 {
        (self.limit.saturating_sub(self.busy) + self.prefetch()).saturating_sub(self.waiting_count)
    }
}

impl Lanes {
    /// One lane for each queue, or a single lane for all queues if none is named.
    pub(crate) fn new(queues: &[QueueLimit], concurrency: u32, prefetch_max: u32) -> Self {
        let pace = || Pace::new(prefetch_max);
        let named =
            queues.iter().map(|queue| Lane::new(Some(queue.queue.clone()), queue.limit.min(concurrency), pace()));
        let mut lanes: Vec<Lane> = named.collect();
        if lanes.is_empty() {
            lanes.push(Lane::new(None, concurrency, pace()));
        }
        Self { lanes, concurrency }
    }

    /// Whether another claim is worth its commit: [`Lanes::demand`] then answers something.
    pub(crate) fn has_demand(&self) -> bool {
        self.lanes.iter().any(|lane| lane.is_low() && lane.wanted() > 0) && self.room() > 0
    }

    /// What the next claim should ask for, if anything.
    pub(crate) fn demand(&mut self, now: Instant) -> Option<Demand> {
        if !self.lanes.iter().any(|lane| lane.is_low() && lane.wanted() > 0) {
            return None;
        }
        let mut limits = Vec::new();
        // Lanes that were found empty are claimed again, because the next offer covers only the queues of this claim.
        for lane in self.lanes.iter_mut().filter(|lane| lane.is_low() || lane.is_dry) {
            lane.pace.measure(now);
            let limit = lane.wanted();
            if limit > 0 {
                limits.push((lane.queue.clone(), limit));
            }
        }
        let wanted = limits.iter().map(|(_, limit)| limit).sum::<u32>();
        let limit = wanted.min(self.room());
        if limit == 0 {
            return None;
        }
        let named = limits.into_iter().filter_map(|(queue, limit)| queue.map(|queue| QueueLimit { queue, limit }));
        let named: Vec<QueueLimit> = named.collect();
        let scope = if named.is_empty() { QueueScope::All } else { QueueScope::Only(named) };
        let limited_max = limit.min(self.offer().limit);
        Some(Demand { scope, limit, limited_max })
    }

    /// What may arrive without a claim after a claim has found nothing more: one job for each free slot.
    pub(crate) fn offer(&self) -> Offer {
        let busy: u32 = self.lanes.iter().map(|lane| lane.busy + lane.waiting_count).sum();
        let limit = self.concurrency.saturating_sub(busy);
        let named =
            self.lanes.iter().filter_map(|lane| Some(QueueLimit { queue: lane.queue.clone()?, limit: lane.free() }));
        let named: Vec<QueueLimit> = named.collect();
        let scope = if named.is_empty() { QueueScope::All } else { QueueScope::Only(named) };
        Offer { scope, limit }
    }

    /// How many more jobs the whole worker may hold.
    fn room(&self) -> u32 {
        let held: u32 = self.lanes.iter().map(|lane| lane.busy + lane.waiting_count).sum();
        let prefetch: u32 = self.lanes.iter().map(Lane::prefetch).sum();
        (self.concurrency + prefetch).saturating_sub(held)
    }

    /// Adds the jobs of a claim, and notes which lanes it has emptied.
    pub(crate) fn fill(&mut self, request: &ClaimRequest, leases: Vec<Lease>, now: Instant) {
        let is_full = leases.len() >= request.limit as usize;
        let mut got = vec![0; self.lanes.len()];
        for lease in leases {
            let index = self.index_of(&lease.queue);
            got[index] += 1;
            self.lanes[index].pace.begin(now);
            self.lanes[index].filled_at = Some(now);
            self.lanes[index].push(lease);
        }
        for (lane, got) in self.lanes.iter_mut().zip(got) {
            let Some(asked) = asked(&request.scope, request.limit, lane.queue.as_deref()) else { continue };
            lane.is_dry = !is_full && got < asked;
            lane.offered = lane.free();
            if lane.is_dry && got == 0 {
                lane.pace.pause();
            }
        }
    }

    /// Adds jobs that arrived without a claim.
    pub(crate) fn receive(&mut self, leases: Vec<Lease>, now: Instant) {
        for lease in leases {
            let index = self.index_of(&lease.queue);
            let lane = &mut self.lanes[index];
            lane.offered = lane.offered.saturating_sub(1);
            lane.pace.begin(now);
            lane.filled_at = Some(now);
            lane.push(lease);
        }
    }

    /// Nothing arrives until the next claim, which is useful as soon as the worker may claim again.
    pub(crate) fn withdraw_offer(&mut self) {
        for lane in &mut self.lanes {
            lane.offered = 0;
        }
    }

    fn index_of(&self, queue: &str) -> usize {
        self.lanes.iter().position(|lane| lane.queue.as_deref().is_none_or(|name| name == queue)).unwrap_or(0)
    }

    /// Something may have changed: a claim is useful again for every lane.
    pub(crate) fn refresh(&mut self) {
        for lane in &mut self.lanes {
            lane.is_dry = false;
        }
    }

    /// The next job with its pass and its lane; the lane has one more running job from now on. If the next job gets no
    /// pass, nothing is returned: no other job overtakes it.
    pub(crate) fn pop<P>(&mut self, let_in: impl FnOnce(&Lease) -> Option<P>) -> Option<(usize, Lease, P)> {
        let heads = self.lanes.iter().enumerate().filter_map(|(index, lane)| Some((lane.head()?, index)));
        let (_, index) = heads.min()?;
        let pass = let_in(self.lanes[index].next()?)?;
        self.lanes[index].pop().map(|lease| (index, lease, pass))
    }

    /// Whether a job could leave now.
    pub(crate) fn has_next(&self) -> bool {
        self.lanes.iter().any(|lane| lane.head().is_some())
    }

    /// Takes out one waiting job.
    pub(crate) fn remove(&mut self, id: JobId, claim_number: ClaimNumber) -> Option<Lease> {
        self.lanes.iter_mut().find_map(|lane| lane.remove(id, claim_number))
    }

    /// An attempt has ended, and its place is free.
    pub(crate) fn release(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.busy -= 1;
        lane.pace.count();
    }

    /// Whether no job waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.waiting_count == 0)
    }

    /// The waiting jobs, in no particular order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Lease> {
        self.lanes.iter().flat_map(|lane| lane.waiting.values().flatten())
    }

    /// Takes out all waiting jobs. Until the next measurement, jobs count as slow.
    pub(crate) fn take_waiting(&mut self) -> Vec<Lease> {
        self.lanes.iter_mut().flat_map(Lane::take_waiting).collect()
    }

    /// Takes out jobs that have waited this long behind jobs that do not end: those of a full lane, and all jobs if the
    /// worker is `Stuck`.
    pub(crate) fn take_stale(&mut self, waited: Duration, now: Instant, progress: Progress) -> Vec<Lease> {
        let mut stale = Vec::new();
        for lane in &mut self.lanes {
            let has_moved = std::mem::take(&mut lane.has_moved);
            let is_blocked = lane.busy >= lane.limit || progress == Progress::Stuck;
            let is_old = lane.filled_at.is_some_and(|at| now.saturating_duration_since(at) >= waited);
            if is_blocked && !has_moved && is_old {
                stale.extend(lane.take_waiting());
            }
        }
        stale
    }
}

/// Whether a worker's slots start jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A job has started recently, or one may start at once.
    Moving,
    /// No job has started for a while, and none may.
    Stuck,
}

/// How many jobs a claim asked for from a lane. `None` if it did not ask.
fn asked(scope: &QueueScope, limit: u32, queue: Option<&str>) -> Option<u32> {
    match (scope, queue) {
        (QueueScope::All, _) => Some(limit),
        (QueueScope::Only(limits), Some(queue)) => {
            limits.iter().find(|limit| limit.queue == queue).map(|limit| limit.limit)
        }
        (QueueScope::Only(_), None) => None,
    }
}

use std::cmp::Reverse;
use std::collections::BTreeMap;

use longshore_core::{ClaimRequest, Job, JobId, Status, Timestamp};

use super::Turn;
use crate::memory::state::State;

/// The place of a lane: by the priority of its first job, then by turn, then by key.
pub(super) type Place = (Reverse<longshore_core::Priority>, i64, String);

/// What the limits leave to one claim.
#[derive(Debug)]
pub(in crate::memory) struct Bounds {
    limited_left: u32,
}

impl Bounds {
    pub(in crate::memory) const fn new(request: &ClaimRequest) -> Self {
        Self { limited_left: request.limited_max }
    }
}

impl State {
    /// The job that a claim takes next, of the ready ones that it may take apart from limits.
    pub(in crate::memory) fn next_in_turn(
        &self,
        bounds: &Bounds,
        candidates: &[JobId],
        now: Timestamp,
    ) -> Option<JobId> {
        let mut heads: Vec<&Job> = Vec::new();
        let mut limited: BTreeMap<(&str, &str), Vec<&Job>> = BTreeMap::new();
        for job in candidates.iter().map(|id| &self.rows[id].job) {
            if !self.has_room(bounds, job) || self.type_opens_at(&job.job_type, now).is_some() {
                continue;
            }
            match self.limit_book.of_type(&job.job_type) {
                None => heads.push(job),
                Some(_) => limited.entry((&job.job_type, &job.queue)).or_default().push(job),
            }
        }
        heads.extend(limited.into_values().filter_map(|jobs| self.head_of_lanes(&jobs, now)));
        heads.into_iter().min_by_key(|job| (Reverse(job.priority), job.id)).map(|job| job.id)
    }

    /// The first job of the lane whose turn it is, of jobs of one type in one queue.
    fn head_of_lanes<'a>(&'a self, jobs: &[&'a Job], now: Timestamp) -> Option<&'a Job> {
        let mut lanes: BTreeMap<String, &Job> = BTreeMap::new();
        for job in jobs {
            let head = lanes.entry(self.limit_book.key_of(job)).or_insert(job);
            if (Reverse(job.priority), job.id) < (Reverse(head.priority), head.id) {
                *head = job;
            }
        }
        let open = lanes.into_iter().filter(|(key, head)| !self.is_key_closed(&head.job_type, key, now));
        let place = |(key, head): &(String, &Job)| (Reverse(head.priority), self.turn(head, key).turn, key.clone());
        open.min_by_key(place).map(|(_, head)| head)
    }

    /// The place of a job's lane among those of its type and queue, and the places of all that may give one now.
    pub(super) fn lane_places(&self, job: &Job, own_key: &str, now: Timestamp) -> (Place, Vec<Place>) {
        let mut lanes: BTreeMap<String, &Job> = BTreeMap::new();
        for ready in self.rows.values().filter(|row| is_ready(row)).map(|row| &row.job) {
            if ready.job_type == job.job_type && ready.queue == job.queue {
                let head = lanes.entry(self.limit_book.key_of(ready)).or_insert(ready);
                if (Reverse(ready.priority), ready.id) < (Reverse(head.priority), head.id) {
                    *head = ready;
                }
            }
        }
        let place = |key: &str, head: &Job| (Reverse(head.priority), self.turn(head, key).turn, key.to_owned());
        let own = place(own_key, lanes.get(own_key).copied().unwrap_or(job));
        let open = lanes.iter().filter(|(key, head)| !self.is_key_closed(&head.job_type, key, now));
        (own, open.map(|(key, head)| place(key, head)).collect())
    }

    fn turn(&self, job: &Job, key: &str) -> Turn {
        let name = (job.job_type.clone(), job.queue.clone(), key.to_owned());
        self.limit_book.lanes.get(&name).copied().unwrap_or_default()
    }

    /// Whether the worker starts one more job under a limit, and the queue and the type have a place for it.
    fn has_room(&self, bounds: &Bounds, job: &Job) -> bool {
        let book = &self.limit_book;
        let (of_type, of_queue) = (book.of_type(&job.job_type), book.of_queue(&job.queue));
        if of_type.is_none() && of_queue.is_none() {
            return true;
        }
        let in_queue = || self.count_running(|running| running.queue == job.queue);
        let of_its_type = || self.count_running(|running| running.job_type == job.job_type);
        bounds.limited_left > 0
            && of_queue.is_none_or(|concurrency| in_queue() < u64::from(concurrency))
            && of_type
                .and_then(|rule| rule.concurrency)
                .is_none_or(|concurrency| of_its_type() < u64::from(concurrency))
    }

    /// When a type that is closed by its rate or by a request opens.
    pub(super) fn type_opens_at(&self, job_type: &str, now: Timestamp) -> Option<Timestamp> {
        let gate = self.limit_book.types.get(job_type).copied().unwrap_or_default();
        let pace = self.limit_book.of_type(job_type).and_then(longshore_core::LimitRule::pace);
        let paced = pace.and_then(|pace| pace.opens_at(gate.arrival, now));
        paced.max(gate.closed_until.filter(|until| *until > now))
    }

    pub(super) fn key_opens_at(&self, job_type: &str, key: &str, now: Timestamp) -> Option<Timestamp> {
        let name = (job_type.to_owned(), key.to_owned());
        let gate = self.limit_book.keys.get(&name).copied().unwrap_or_default();
        let pace = self.limit_book.of_type(job_type).and_then(longshore_core::LimitRule::key_pace);
        let paced = pace.and_then(|pace| pace.opens_at(gate.arrival, now));
        paced.max(gate.closed_until.filter(|until| *until > now))
    }

    pub(super) fn running_of_key(&self, job_type: &str, key: &str) -> u64 {
        self.count_running(|job| job.job_type == job_type && self.limit_book.key_of(job) == key)
    }

    fn is_key_closed(&self, job_type: &str, key: &str, now: Timestamp) -> bool {
        if key.is_empty() {
            return false;
        }
        let concurrency = self.limit_book.of_type(job_type).and_then(|rule| rule.key_concurrency);
        concurrency.is_some_and(|concurrency| self.running_of_key(job_type, key) >= u64::from(concurrency))
            || self.key_opens_at(job_type, key, now).is_some()
    }

    /// Counts the start of a job that was leased just now.
    pub(in crate::memory) fn start(&mut self, bounds: &mut Bounds, id: JobId, now: Timestamp) {
        let job = self.rows[&id].job.clone();
        let book = &mut self.limit_book;
        let rule = book.of_type(&job.job_type).cloned();
        if rule.is_some() || book.of_queue(&job.queue).is_some() {
            bounds.limited_left = bounds.limited_left.saturating_sub(1);
        }
        let Some(rule) = rule else { return };
        let key = book.key_of(&job);
        let key_name = (!key.is_empty()).then_some(key.as_str());
        let gate = book.types.entry(job.job_type.clone()).or_default();
        if let Some(pace) = rule.pace() {
            gate.arrival = pace.after(gate.arrival, now, 1);
        }
        let lane = book.lanes.entry((job.job_type.clone(), job.queue, key.clone())).or_default();
        gate.turn = gate.turn.max(lane.turn);
        *lane = Turn { turn: gate.turn + rule.stride(key_name), served_at: Some(now) };
        if let (Some(pace), false) = (rule.key_pace(), key.is_empty()) {
            let gate = book.keys.entry((job.job_type, key)).or_default();
            gate.arrival = pace.after(gate.arrival, now, 1);
        }
    }

    /// When a closed type or key of the request opens for jobs that are ready.
    pub(in crate::memory) fn next_opening(&self, candidates: &[JobId], now: Timestamp) -> Option<Timestamp> {
        let opens_at = |id: &JobId| {
            let job = &self.rows[id].job;
            let of_type = self.type_opens_at(&job.job_type, now);
            of_type.or_else(|| {
                let key = self.limit_book.key_of(job);
                (!key.is_empty()).then(|| self.key_opens_at(&job.job_type, &key, now)).flatten()
            })
        };
        candidates.iter().filter_map(opens_at).min()
    }
}

/// Whether the job waits for nothing but a claim.
pub(super) fn is_ready(row: &crate::memory::jobs::row::Row) -> bool {
    row.job.status == Status::Pending && row.is_ready()
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    ClaimNumber, JobDetail, JobId, Lease, LeaseWatch, Limits, MoveState, Status, Timestamp, TypeSettings, WorkerId,
};

use crate::memory::audit::Trail;
use crate::memory::jobs::claim::GivenClaim;
use crate::memory::jobs::inbox::Mailbox;
use crate::memory::jobs::row::Row;
use crate::memory::limits::LimitBook;
use crate::memory::schedules::Calendar;
use crate::memory::stats::{MinuteCounts, Pruning};
use crate::memory::tokens::TokenTable;
use crate::memory::workers::worker::Worker;
use crate::memory::workflows::Flows;

/// The whole content of the store.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) rows: BTreeMap<JobId, Row>,
    /// The moves that the database refuses, by the state that they lead to.
    pub(super) refused: BTreeMap<JobId, Vec<Status>>,
    /// The types whose jobs the database refuses to schedules, and its message.
    pub(super) refused_types: BTreeMap<String, String>,
    /// The schedules and their ticks.
    pub(super) calendar: Calendar,
    /// The limits, and the state of their rates and turns.
    pub(super) limit_book: LimitBook,
    /// The batches, and what jobs wait for.
    pub(super) flows: Flows,
    /// The access tokens.
    pub(super) tokens: TokenTable,
    /// What was changed by hand.
    pub(super) trail: Trail,
    /// The last id. The id of a deleted job is not reused.
    pub(super) last_id: i64,
    /// Every queue that was used or paused, and since when it is paused.
    pub(super) queues: BTreeMap<String, Option<Timestamp>>,
    /// What ended, by minute since 1970 and queue.
    pub(super) minutes: BTreeMap<(i64, String), MinuteCounts>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    /// The last claim of each worker that gave anything; a worker that comes back may repeat it.
    pub(super) given: BTreeMap<WorkerId, GivenClaim>,
    /// How many sessions were begun.
    pub(super) last_session: u64,
    /// The observations of each process about the workers of others.
    pub(super) watches: BTreeMap<(u64, WorkerId), LeaseWatch>,
    /// The settings of each type that was registered, as its last registration gave them.
    pub(super) settings: BTreeMap<String, TypeSettings>,
    /// The next ids and claim numbers, where they are not simply one higher.
    pub(super) next_numbers: BTreeMap<JobId, ClaimNumber>,
    /// The open inboxes.
    pub(super) inboxes: BTreeMap<WorkerId, Arc<Mailbox>>,
    /// For each retention, and whether it is a default, the process that removes old jobs, and when it last renewed
    /// that duty.
    pub(super) housekeepers: BTreeMap<(Pruning, bool, Duration), (u64, Timestamp)>,
    /// The move that this database is part of.
    pub(super) moving: Option<MoveState>,
    /// Ended jobs up to this id were there before there was a default retention. The model has no default; it only keeps
    /// what arrives.
    pub(super) history_last_id: i64,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            rows: BTreeMap::new(),
            refused: BTreeMap::new(),
            refused_types: BTreeMap::new(),
            calendar: Calendar::default(),
            limit_book: LimitBook::default(),
            flows: Flows::default(),
            tokens: TokenTable::new(),
            trail: Trail::new(),
            last_id: 0,
            queues: BTreeMap::new(),
            minutes: BTreeMap::new(),
            workers: BTreeMap::new(),
            given: BTreeMap::new(),
            last_session: 0,
            watches: BTreeMap::new(),
            settings: BTreeMap::new(),
            next_numbers: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            housekeepers: BTreeMap::new(),
            moving: None,
            history_last_id: 0,
        }
    }

    /// The id of a new job.
    pub(super) fn next_id(&mut self) -> JobId {
        let last = JobId(self.last_id);
        let given = self.next_numbers.range(last..).map(|(id, _)| *id).find(|id| *id > last);
        self.last_id = given.map_or(self.last_id + 1, |id| id.0);
        JobId(self.last_id)
    }

    /// A lease of a job under the next claim number.
    pub(super) fn lease_to(&mut self, id: JobId, worker_id: &WorkerId, now: Timestamp) -> Lease {
        let given = self.next_numbers.get(&id).copied();
        let waited = self.flows.waits.contains_key(&id);
        let lease = self.row(id).lease_to(worker_id, given, now);
        Lease { has_dependencies: lease.has_dependencies || waited, ..lease }
    }

    /// A job with its history and its place in its workflow.
    pub(super) fn job_detail(&self, id: JobId) -> Option<JobDetail> {
        let detail = self.rows.get(&id)?.detail();
        Some(JobDetail { place: self.place_of(id), dependencies: self.all_dependencies(id), ..detail })
    }

    pub(super) fn row(&mut self, id: JobId) -> &mut Row {
        self.rows.get_mut(&id).expect("the id was looked up in this call")
    }

    /// The jobs that have not ended and have this unique key: first the one that holds it, then those that passed it
    /// on.
    pub(super) fn holders(&self, unique_key: &str) -> Vec<&Row> {
        let is_holder = |row: &&Row| row.job.unique_key.as_deref() == Some(unique_key) && !row.job.status.is_ended();
        let mut holders: Vec<&Row> = self.rows.values().filter(is_holder).collect();
        holders.sort_by_key(|row| (row.has_passed_key, row.job.id.to_string()));
        holders
    }

    pub(super) fn counts(&mut self, at: Timestamp, queue: &str) -> &mut MinuteCounts {
        self.minutes.entry((at.minute(), queue.to_owned())).or_default()
    }
}

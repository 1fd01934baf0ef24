use std::time::Duration;

use longshore_core::{JobData, JobId, NewJob, Priority, RetryPolicy, Status, Timestamp, TypeSettings};

use crate::memory::jobs::row::{LeftOut, Row};
use crate::memory::state::State;
use crate::suite::PlainInsert;

impl State {
    /// Keeps the settings of a registration, and gives them to the jobs that waited for them.
    pub(in crate::memory) fn learn_settings(&mut self, settings: &[TypeSettings]) {
        for of_type in settings {
            self.settings.insert(of_type.job_type.clone(), of_type.clone());
        }
        let ids: Vec<JobId> = self.rows.keys().copied().collect();
        for id in ids {
            self.apply_settings(id);
            self.resolve_retries(id);
        }
    }

    /// The retries of a job that sets none are those of its type.
    pub(in crate::memory) fn resolve_retries(&mut self, id: JobId) {
        let row = self.rows.get(&id).expect("the id was looked up in this call");
        let of_type = self.settings.get(&row.job.job_type).and_then(|settings| settings.max_retries);
        let resolved = row.own_retries.or(of_type).unwrap_or(RetryPolicy::RETRIES);
        self.row(id).job.max_retries = resolved;
    }

    /// What a plain INSERT does, with the triggers of the database.
    pub(in crate::memory) fn insert_plainly(&mut self, plain: &PlainInsert, now: Timestamp) -> JobId {
        let id = self.next_id();
        let mut new = NewJob::new(&plain.job_type, JobData::default());
        new.queue = plain.queue.clone().unwrap_or(new.queue);
        new.priority = plain.priority.map_or(new.priority, Priority);
        new.max_retries = plain.max_retries;
        new.timeout = plain.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let mut row = Row::new(id, new, now);
        row.awaits_settings = Some(LeftOut { queue: plain.queue.is_none(), priority: plain.priority.is_none() });
        self.rows.insert(id, row);
        self.apply_settings(id);
        self.resolve_retries(id);
        let queue = self.row(id).job.queue.clone();
        self.queues.entry(queue).or_default();
        id
    }

    /// Gives a job the settings of its type where it does not say otherwise. A job that runs or has ended keeps what it
    /// has.
    fn apply_settings(&mut self, id: JobId) {
        let row = self.rows.get(&id).expect("the id was looked up in this call");
        let Some(settings) = self.settings.get(&row.job.job_type).cloned() else { return };
        let row = self.row(id);
        let Some(awaits_settings) = row.awaits_settings.take() else { return };
        if !matches!(row.job.status, Status::Pending | Status::Retrying | Status::Blocked) {
            return;
        }
        if let Some(queue) = settings.queue.filter(|_| awaits_settings.queue) {
            row.job.queue.clone_from(&queue);
            self.queues.entry(queue).or_default();
        }
        let row = self.row(id);
        if let Some(priority) = settings.priority.filter(|_| awaits_settings.priority) {
            row.job.priority = priority;
        }
        row.own_retries = row.own_retries.or(settings.max_retries);
        row.job.timeout = row.job.timeout.or(settings.timeout);
        row.become_news();
    }
}

use longshore_core::{Ancestor, JobFacts, JobId, Status, Timestamp, WaitingFacts, WorkerFacts};

use crate::memory::Moment;
use crate::memory::jobs::row::Row;
use crate::memory::state::State;

impl State {
    pub(super) fn waiting_facts(&mut self, id: JobId, observer: u64, moment: Moment) -> Option<WaitingFacts> {
        let workers = self.worker_records(observer, moment).into_iter().map(WorkerFacts::from).collect();
        let row = self.rows.get(&id)?;
        let (ancestors, root) = self.ancestors(row);
        let key = row.job.unique_key.as_deref().filter(|_| row.job.status.is_ended());
        let holders = key.map(|key| self.holders(key)).unwrap_or_default();
        Some(WaitingFacts {
            now: moment.now,
            job: self.job_facts(row, moment.now),
            ancestors,
            root: root.map(|root| self.job_facts(root, moment.now)),
            unique_key_holder: holders.iter().map(|row| row.job.id).find(|holder| *holder != id),
            workers,
        })
    }

    fn ancestors(&self, row: &Row) -> (Vec<Ancestor>, Option<&Row>) {
        let (mut ancestors, mut root): (Vec<Ancestor>, Option<&Row>) = (Vec::new(), None);
        let waits_for = |row: &Row| row.job.parent_job_id.filter(|_| row.job.status == Status::Blocked);
        let mut next = waits_for(row);
        while let Some(found) = next.and_then(|id| self.rows.get(&id)) {
            let id = found.job.id;
            let is_again = id == row.job.id || ancestors.iter().any(|known| known.id == id);
            ancestors.push(Ancestor { id, status: found.job.status });
            root = Some(found);
            let is_over = is_again || ancestors.len() == WaitingFacts::ANCESTORS_MAX;
            next = waits_for(found).filter(|_| !is_over);
        }
        (ancestors, root)
    }

    fn job_facts(&self, row: &Row, now: Timestamp) -> JobFacts {
        let job = &row.job;
        let (is_claimable, key) = (JobFacts::is_claimable(job, now), self.limit_book.key_of(job));
        let comes_first = |other: &&Row| {
            let (theirs, own) = ((other.job.priority, job.id), (job.priority, other.job.id));
            other.is_ready()
                && other.job.job_type == job.job_type
                && other.job.queue == job.queue
                && theirs > own
                && self.limit_book.key_of(&other.job) == key
        };
        let ahead = if is_claimable { self.rows.values().filter(comes_first).count() } else { 0 };
        JobFacts {
            queue_paused_at: self.queues.get(&job.queue).copied().flatten(),
            awaits_settings: row.awaits_settings.is_some(),
            has_valid_names: true,
            ahead: u32::try_from(ahead).unwrap_or(u32::MAX).min(JobFacts::AHEAD_MAX),
            unmet: self.unmet(job.id),
            job: job.clone(),
            limits: self.limits_of(job, now),
            keys_ahead: if is_claimable { self.keys_ahead(job, now) } else { 0 },
        }
    }
}

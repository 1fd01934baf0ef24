use longshore_core::{Duplicate, Enqueued, JobId, NewJob, StoreError, Timestamp, ValidJob};

use crate::memory::Moment;
use crate::memory::jobs::row::Row;
use crate::memory::state::State;

impl State {
    pub(in crate::memory) fn enqueue(
        &mut self,
        jobs: Vec<ValidJob>,
        process: u64,
        moment: Moment,
    ) -> Result<Vec<Enqueued>, StoreError> {
        // One job is checked before anything changes. Only several jobs need a draft that can be dropped.
        if let [job] = jobs.as_slice() {
            let taker = self.taker(job, process, moment);
            let enqueued = self.enqueue_one(job.clone(), moment.now)?;
            if let Some(worker_id) = taker
                && !enqueued.is_duplicate
                && self.row(enqueued.id).is_ready()
            {
                self.deliver(enqueued.id, &worker_id, moment);
            }
            return Ok(vec![enqueued]);
        }
        let mut draft = self.clone();
        let enqueued = jobs.into_iter().map(|job| draft.enqueue_one(job, moment.now)).collect::<Result<_, _>>()?;
        *self = draft;
        Ok(enqueued)
    }

    /// Until the stream breaks off: what stands in place of the next job takes everything back.
    pub(in crate::memory) fn enqueue_stream(
        &mut self,
        jobs: Vec<Result<ValidJob, StoreError>>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut draft = self.clone();
        let mut made = 0;
        for job in jobs {
            if !draft.enqueue_one(job?, now)?.is_duplicate {
                made += 1;
            }
        }
        *self = draft;
        Ok(made)
    }

    pub(in crate::memory) fn enqueue_one(&mut self, new: ValidJob, now: Timestamp) -> Result<Enqueued, StoreError> {
        let holders = new.unique_key.as_deref().map(|key| self.holders(key)).unwrap_or_default();
        let (overdue, holders): (Vec<_>, Vec<_>) = holders.into_iter().partition(|row| row.is_overdue(now));
        let overdue: Vec<JobId> = overdue.into_iter().map(|row| row.job.id).collect();
        if let Some(duplicate) = holders.iter().find(|row| new.unique_while.covers(row.job.status)) {
            let id = duplicate.job.id;
            return Ok(self.meet_duplicate(id, new.into_inner(), now));
        }
        let passes = holders.iter().find(|row| !row.has_passed_key).map(|row| row.job.id);
        if let Some(parent) = new.parent.filter(|parent| !self.rows.contains_key(parent)) {
            return Err(StoreError::UnknownParent { parent });
        }
        for id in overdue {
            // It will never run, so it must not prevent a new job.
            self.end_if_overdue(id, now);
        }
        if let Some(holder) = passes {
            self.row(holder).has_passed_key = true;
        }
        let id = self.next_id();
        self.queues.entry(new.queue.clone()).or_default();
        self.rows.insert(id, Row::new(id, new.into_inner(), now));
        self.resolve_retries(id);
        self.await_parent(id, now);
        Ok(Enqueued::made(id))
    }

    /// Applies the duplicate rule of the new job to the job that has the unique key.
    fn meet_duplicate(&mut self, id: JobId, new: NewJob, now: Timestamp) -> Enqueued {
        let row = self.row(id);
        let (duplicate, due) = (new.on_duplicate.meet(row.job.status), new.due);
        if duplicate != Duplicate::Kept {
            row.replace(new, now);
        }
        if duplicate == Duplicate::PushedBack {
            row.move_due(due, now);
        }
        self.resolve_retries(id);
        Enqueued::met(id, duplicate)
    }
}

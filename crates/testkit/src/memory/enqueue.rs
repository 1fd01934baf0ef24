use longshore_core::{EnqueueStream, Enqueued, JobId, NewJob, StoreError, Timestamp};

use super::Moment;
use super::row::Row;
use super::state::State;

impl State {
    pub(super) fn enqueue(
        &mut self,
        jobs: Vec<NewJob>,
        process: u64,
        moment: Moment,
    ) -> Result<Vec<Enqueued>, StoreError> {
        for job in &jobs {
            job.validate(&self.limits)?;
        }
        // One job is checked before anything changes; only several need a draft to be taken back.
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

    pub(super) fn enqueue_stream(&mut self, jobs: EnqueueStream, now: Timestamp) -> Result<u64, StoreError> {
        let mut draft = self.clone();
        let mut made = 0;
        for job in jobs {
            let job = job.map_err(|source| StoreError::Aborted { source })?;
            if !draft.enqueue_one(job, now)?.is_duplicate {
                made += 1;
            }
        }
        *self = draft;
        Ok(made)
    }

    fn enqueue_one(&mut self, new: NewJob, now: Timestamp) -> Result<Enqueued, StoreError> {
        new.validate(&self.limits)?;
        let holder = new.unique_key.as_deref().and_then(|key| self.holder(key));
        if let Some(id) = holder.filter(|id| !self.rows[id].is_overdue(now)) {
            return Ok(Enqueued { id, is_duplicate: true });
        }
        if let Some(parent) = new.parent.filter(|parent| !self.rows.contains_key(parent)) {
            return Err(StoreError::UnknownParent { parent });
        }
        if let Some(overdue) = holder {
            // It will never run, so it keeps no other job from being made.
            self.end_if_overdue(overdue, now);
        }
        self.last_id += 1;
        let id = JobId(self.last_id);
        self.queues.entry(new.queue.clone()).or_default();
        self.rows.insert(id, Row::new(id, new, now));
        self.await_parent(id, now);
        Ok(Enqueued { id, is_duplicate: false })
    }
}

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use longshore_core::{
    Filter, JobId, JobPageRequest, NewJob, OnDuplicate, Selection, StoreError, WorkerFacts, WorkerId, WorkerRecord,
};

use super::Shown;
use crate::Access;
use crate::error::ApiError;

/// Stands for the queues in a list that the user does not see.
pub(crate) const OTHERS: &str = "…";
/// How many jobs are looked up at once.
const LOOKED_UP: usize = 1000;

/// A user who sees some queues alone.
#[derive(Clone, Debug)]
pub(super) struct Visible {
    pub(super) user: String,
    pub(super) queues: Arc<BTreeSet<String>>,
}

impl Visible {
    /// None for a user who sees everything. Nobody sees nothing.
    pub(super) fn of(access: Option<&Access>) -> Option<Self> {
        let Some(access) = access else { return Some(Self { user: String::new(), queues: Arc::default() }) };
        let queues = Arc::clone(access.queues()?);
        Some(Self { user: access.name().to_owned(), queues })
    }

    /// Only what both a filter and the user's rights select.
    pub(super) fn narrow(&self, filter: &mut Filter) {
        match &mut filter.queues {
            Some(queues) => queues.retain(|queue| self.queues.contains(queue)),
            None => filter.queues = Some(self.queues.iter().cloned().collect()),
        }
    }

    /// What is told of a worker; nothing of one that takes only from other queues.
    pub(super) fn narrow_worker(&self, worker: &mut WorkerRecord, seen: &HashSet<JobId>) -> bool {
        if !worker.queues.is_empty() && !worker.queues.iter().any(|queue| self.queues.contains(queue)) {
            return false;
        }
        worker.running.retain(|job| seen.contains(&job.id));
        self.narrow_names(&mut worker.queues, &mut worker.job_types, None);
        true
    }

    pub(super) fn narrow_facts(&self, worker: &mut WorkerFacts, job_type: &str) {
        self.narrow_names(&mut worker.queues, &mut worker.job_types, Some(job_type));
    }

    /// The types of a worker are told only if it takes from no other queue.
    fn narrow_names(&self, queues: &mut Vec<String>, job_types: &mut Vec<String>, own_type: Option<&str>) {
        let all = queues.len();
        queues.retain(|queue| self.queues.contains(queue));
        if all == 0 || queues.len() < all {
            job_types.retain(|job_type| Some(job_type.as_str()) == own_type);
        }
        // An empty list would mean all queues.
        if queues.len() < all {
            queues.push(OTHERS.to_owned());
        }
    }
}

impl Shown {
    /// Whether the user sees this queue.
    pub(crate) fn sees(&self, queue: &str) -> bool {
        self.visible.as_ref().is_none_or(|visible| visible.queues.contains(queue))
    }

    /// Whether the user sees all queues.
    pub(crate) const fn sees_all(&self) -> bool {
        self.visible.is_none()
    }

    /// Fails for a queue that the user does not see.
    pub(crate) fn check_queue(&self, queue: &str) -> Result<(), ApiError> {
        if self.sees(queue) { Ok(()) } else { Err(ApiError::hidden_queue(queue)) }
    }

    /// Fails for a user who does not see all queues.
    pub(super) fn check_all(&self, what: &str) -> Result<(), ApiError> {
        if self.visible.is_none() { Ok(()) } else { Err(ApiError::of_all_queues(what)) }
    }

    /// Whether the user sees this job. One that does not exist is not seen.
    pub(super) async fn sees_job(&self, id: JobId) -> Result<bool, StoreError> {
        match &self.visible {
            None => Ok(true),
            Some(visible) => Ok(self.seen_among(visible, &[id]).await?.contains(&id)),
        }
    }

    /// Those of these jobs that a user of some queues sees.
    pub(super) async fn seen_among(&self, visible: &Visible, ids: &[JobId]) -> Result<HashSet<JobId>, StoreError> {
        let mut seen = HashSet::new();
        for some in ids.chunks(LOOKED_UP) {
            let selection = Selection::Jobs(some.to_vec());
            let request = JobPageRequest { selection, after: None, limit: LOOKED_UP as u32, looked_max: None };
            let jobs = self.store().jobs(request).await?.jobs;
            seen.extend(jobs.into_iter().filter(|job| visible.queues.contains(&job.queue)).map(|job| job.id));
        }
        Ok(seen)
    }

    /// The part of a selection that the user sees, and the named jobs that it does not see.
    pub(super) async fn narrowed(&self, selection: Selection) -> Result<(Selection, Vec<JobId>), StoreError> {
        match (&self.visible, selection) {
            (None, selection) => Ok((selection, Vec::new())),
            (Some(visible), Selection::Matching(mut filter)) => {
                visible.narrow(&mut filter);
                Ok((Selection::Matching(filter), Vec::new()))
            }
            (Some(visible), Selection::Jobs(ids)) => {
                let seen = self.seen_among(visible, &ids).await?;
                let (seen, hidden) = ids.into_iter().partition(|id| seen.contains(id));
                Ok((Selection::Jobs(seen), hidden))
            }
        }
    }

    /// Fails for a new job in another queue, and for one that may change the job that has its unique key: in which queue
    /// that one is, nobody knows before the enqueue.
    pub(super) fn check_new(&self, job: &NewJob) -> Result<(), ApiError> {
        if self.visible.is_none() {
            return Ok(());
        }
        self.check_queue(&job.queue)?;
        if job.unique_key.is_some() && job.on_duplicate != OnDuplicate::Keep {
            return Err(ApiError::of_all_queues("a unique key that changes another job concerns"));
        }
        Ok(())
    }

    /// The queues from which a worker of this user may claim.
    pub(crate) fn claimable(&self, queues: Vec<String>) -> Result<Vec<String>, ApiError> {
        let Some(visible) = &self.visible else { return Ok(queues) };
        if queues.is_empty() && !visible.queues.is_empty() {
            return Ok(visible.queues.iter().cloned().collect());
        }
        if queues.is_empty() {
            return Err(ApiError::of_all_queues("a worker without queues takes from"));
        }
        queues.iter().try_for_each(|queue| self.check_queue(queue))?;
        Ok(queues)
    }

    /// Whether a user may speak for a worker: not for one that may hold jobs of other queues. One that does not exist
    /// holds nothing.
    pub(crate) async fn may_be(&self, worker_id: &WorkerId) -> Result<bool, StoreError> {
        let Some(visible) = &self.visible else { return Ok(true) };
        let workers = self.store().workers().await?;
        let record = workers.iter().find(|worker| worker.worker_id == *worker_id);
        let is_own = |worker: &WorkerRecord| {
            !worker.queues.is_empty() && worker.queues.iter().all(|queue| visible.queues.contains(queue))
        };
        Ok(record.is_none_or(is_own))
    }
}

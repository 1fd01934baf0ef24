use std::fmt::Debug;

use longshore_core::{
    Actioned, AppliedSchedules, BatchJobPage, BatchRecord, ChangedBatch, ClaimNumber, Claimed, Dependency, Enqueued,
    EnqueuedWorkflow, Extended, Health, JobData, JobDetail, JobId, JobPage, LimitScope, LogPage, QueueStats, Reclaimed,
    Recorded, ScheduleRecord, SettledSchedules, Stats, TickPage, WaitingFacts, WorkerRecord,
};

/// An answer that can be compared, once everything that the contract leaves open is removed.
pub(super) trait Answer: PartialEq + Debug + Sized {
    fn canonical(self) -> Self {
        self
    }
}

impl Answer for () {}
impl Answer for u64 {}
impl Answer for Vec<Enqueued> {}
impl Answer for Extended {}
impl Answer for Recorded {}
impl Answer for Vec<Recorded> {}
impl Answer for Vec<(JobId, ClaimNumber)> {}
impl Answer for Actioned {}
impl Answer for Option<JobDetail> {}
impl Answer for Option<JobData> {}
impl Answer for JobPage {}

/// Whether a job had a parent that was deleted meanwhile is open.
impl Answer for Claimed {
    fn canonical(mut self) -> Self {
        self.leases.iter_mut().for_each(|lease| lease.has_dependencies = false);
        self
    }
}

/// The order of workers is open. Under a limit it is also open whether the key of the job is listed and what comes first: jobs
/// may not be sorted yet, and a key may count although nothing of it can start.
impl Answer for Option<WaitingFacts> {
    fn canonical(mut self) -> Self {
        if let Some(facts) = &mut self {
            facts.workers.sort_by(|left, right| left.worker_id.cmp(&right.worker_id));
            for job in [&mut facts.job].into_iter().chain(&mut facts.root) {
                job.limits.retain(|row| row.scope != LimitScope::Key);
                if !job.limits.is_empty() {
                    (job.ahead, job.keys_ahead) = (0, 0);
                }
            }
        }
        self
    }
}

impl Answer for LogPage {}
impl Answer for bool {}
impl Answer for AppliedSchedules {}
impl Answer for SettledSchedules {}
impl Answer for Option<Vec<Option<JobId>>> {}
impl Answer for Vec<ScheduleRecord> {}
impl Answer for TickPage {}
impl Answer for EnqueuedWorkflow {}
impl Answer for Vec<BatchRecord> {}
impl Answer for BatchJobPage {}
impl Answer for Vec<Dependency> {}
impl Answer for Option<ChangedBatch> {}
impl Answer for Option<bool> {}

/// In which order the dead are found is open, and when to look again is the backend's own.
impl Answer for Reclaimed {
    fn canonical(mut self) -> Self {
        self.next = std::time::Duration::ZERO;
        self.workers.sort();
        self
    }
}

impl Answer for Stats {
    fn canonical(mut self) -> Self {
        drop_zeros(&mut self.queues);
        self
    }
}

/// The order of workers is open.
impl Answer for Vec<WorkerRecord> {
    fn canonical(mut self) -> Self {
        self.sort_by(|left, right| left.worker_id.cmp(&right.worker_id));
        self
    }
}

/// Files, disk and server depend on the backend.
impl Answer for Health {
    fn canonical(mut self) -> Self {
        self.local = None;
        self.server = None;
        drop_zeros(&mut self.queues);
        self.dead_workers.sort();
        self
    }
}

/// Whether a status without jobs is listed with a zero is open.
fn drop_zeros(queues: &mut [QueueStats]) {
    for queue in queues {
        queue.jobs.retain(|_, jobs| *jobs > 0);
    }
}

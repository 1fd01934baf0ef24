mod workflows;

use std::sync::{Arc, Mutex, PoisonError};

use longshore_core::{
    Action, Actioned, AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, ClaimNumber, ClaimRequest, Claimed,
    Console, Enqueued, Extended, Health, Heartbeat, Hint, IdRange, Interest, JobData, JobDetail, JobEdit, JobId,
    JobPage, JobPageRequest, Lease, Limits, LogEndRequest, LogPage, LogRequest, Maintained, Maintenance, NewCheckpoint,
    NewJob, NewToken, QueueChange, Reclaimed, Record, Recorded, Registration, Report, ScheduleRecord, Schedules,
    SchedulesRequest, Selection, SettleSchedules, SettledSchedules, StartedAttempt, Stats, StepName, Store, StoreError,
    StoreFuture, TickPage, TicksRequest, TokenHash, TokenRecord, Tokens, ValidJob, ValidJobStream, WaitingFacts,
    Wakeups, WorkerId, WorkerRecord, WorkerSession, next_of,
};
use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd};
use longshore_core::{AppliedLimits, ApplyLimits, ChangeLimit, LimitPage, Limiting, LimitsRequest};

use crate::{BoxFuture, Queue};

/// A backend that only records what is enqueued. Every other call returns an error.
#[derive(Debug, Default)]
pub struct EnqueueRecorder {
    jobs: Mutex<Vec<NewJob>>,
}

impl EnqueueRecorder {
    /// A recorder, and a queue that fills it.
    pub fn queue() -> (Arc<Self>, Queue) {
        let recorder = Arc::new(Self::default());
        (recorder.clone(), Queue::from_backend(recorder))
    }

    /// The jobs enqueued so far, in order.
    pub fn jobs(&self) -> Vec<NewJob> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, job: ValidJob) -> Enqueued {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push(job.into_inner());
        Enqueued::made(JobId(i64::try_from(jobs.len()).unwrap_or(i64::MAX)))
    }
}

fn nothing<'a, T: Send + 'a>() -> StoreFuture<'a, T> {
    Box::pin(async { Err(StoreError::Closed { database: "the enqueue recorder".into() }) })
}

impl Store for EnqueueRecorder {
    fn limits(&self) -> Limits {
        Limits::default()
    }

    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        Box::pin(async move { Ok(jobs.into_iter().map(|job| self.add(job)).collect()) })
    }

    fn enqueue_valid_stream(&self, mut jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(job) = next_of(&mut jobs).await {
                read.push(job?);
            }
            let inserted = read.len() as u64;
            for job in read {
                self.add(job);
            }
            Ok(inserted)
        })
    }

    fn register(&self, _: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        nothing()
    }

    fn retire(&self, _: WorkerId) -> StoreFuture<'_, ()> {
        nothing()
    }

    fn claim(&self, _: ClaimRequest) -> StoreFuture<'_, Claimed> {
        nothing()
    }

    fn held_leases(&self, _: WorkerId, _: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        nothing()
    }

    fn mark_started(&self, _: WorkerId, _: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        nothing()
    }

    fn begin_isolated(&self, _: WorkerId, _: JobId, _: ClaimNumber) -> StoreFuture<'_, Recorded> {
        nothing()
    }

    fn extend(&self, _: Heartbeat) -> StoreFuture<'_, Extended> {
        nothing()
    }

    fn cancel_requests(&self, _: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        nothing()
    }

    fn record(&self, _: WorkerId, _: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        nothing()
    }

    fn report(&self, _: WorkerId, _: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        nothing()
    }

    fn save_checkpoint(&self, _: WorkerId, _: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        nothing()
    }

    fn step_result(&self, _: JobId, _: StepName) -> StoreFuture<'_, Option<JobData>> {
        nothing()
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        nothing()
    }

    fn wakeups(&self, _: Interest) -> Box<dyn Wakeups> {
        Box::new(Silence)
    }
}

struct Silence;

impl Wakeups for Silence {
    fn changed(&mut self) -> BoxFuture<'_, Hint> {
        Box::pin(std::future::pending())
    }
}

impl Tokens for EnqueueRecorder {
    fn add_token(&self, _: NewToken) -> StoreFuture<'_, bool> {
        nothing()
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        nothing()
    }

    fn token(&self, _: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        nothing()
    }

    fn revoke_token(&self, _: String) -> StoreFuture<'_, bool> {
        nothing()
    }
}

impl AuditTrail for EnqueueRecorder {
    fn begin_deed(&self, _: Actor, _: Deed) -> StoreFuture<'_, AuditId> {
        nothing()
    }

    fn end_deed(&self, _: AuditId, _: DeedEnd) -> StoreFuture<'_, ()> {
        nothing()
    }

    fn audit_page(&self, _: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        nothing()
    }
}

impl Schedules for EnqueueRecorder {
    fn apply_schedules(&self, _: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        nothing()
    }

    fn change_schedule(&self, _: ChangeSchedule) -> StoreFuture<'_, bool> {
        nothing()
    }

    fn schedules(&self, _: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        nothing()
    }

    fn ticks(&self, _: TicksRequest) -> StoreFuture<'_, TickPage> {
        nothing()
    }

    fn settle_schedules(&self, _: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        nothing()
    }

    fn add_ticks(&self, _: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        nothing()
    }
}

impl Limiting for EnqueueRecorder {
    fn apply_limits(&self, _: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        nothing()
    }

    fn change_limit(&self, _: ChangeLimit) -> StoreFuture<'_, bool> {
        nothing()
    }

    fn limit_page(&self, _: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        nothing()
    }
}

impl Console for EnqueueRecorder {
    fn job(&self, _: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        nothing()
    }

    fn jobs(&self, _: JobPageRequest) -> StoreFuture<'_, JobPage> {
        nothing()
    }

    fn count(&self, _: Selection) -> StoreFuture<'_, u64> {
        nothing()
    }

    fn act(&self, _: Selection, _: Action) -> StoreFuture<'_, Actioned> {
        nothing()
    }

    fn edit(&self, _: JobId, _: JobEdit) -> StoreFuture<'_, Actioned> {
        nothing()
    }

    fn waiting_facts(&self, _: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        nothing()
    }

    fn log(&self, _: LogRequest) -> StoreFuture<'_, LogPage> {
        nothing()
    }

    fn log_end(&self, _: LogEndRequest) -> StoreFuture<'_, LogPage> {
        nothing()
    }

    fn stats(&self, _: u32) -> StoreFuture<'_, Stats> {
        nothing()
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        nothing()
    }

    fn change_queue(&self, _: String, _: QueueChange) -> StoreFuture<'_, ()> {
        nothing()
    }

    fn maintain(&self, _: Maintenance) -> StoreFuture<'_, Maintained> {
        nothing()
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        nothing()
    }

    fn take_id_range(&self, _: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        nothing()
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        nothing()
    }
}

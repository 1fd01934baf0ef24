mod audit;
mod console;
mod journal;
mod limits;
mod moving;
mod plan;
mod schedules;
mod tokens;
mod workflows;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Enqueued, Extended, Heartbeat, Hint, Inbox, Interest, JobData, JobId, Lease,
    Limits, NewCheckpoint, OutsideCause, Reclaimed, Record, Recorded, Registration, Report, StartedAttempt, StepName,
    Store, StoreError, StoreFuture, ValidJob, ValidJobStream, Wakeups, WorkerId, WorkerSession,
};

use journal::Journal;

pub use plan::{Fault, FaultPlan, Operation};

/// A store in front of another one that fails on demand: by a seeded plan, or for the next call as a test requests.
///
/// Clones share the plan. It injects only what the contract allows: an error before the effect (busy, full), an error
/// after it (the answer was lost), and delays.
#[derive(Clone)]
pub struct FaultStore<S> {
    inner: S,
    plan: Arc<Mutex<FaultPlan>>,
    journal: Arc<Mutex<Journal>>,
}

impl<S: Sync> FaultStore<S> {
    /// A store that fails by this plan.
    pub fn new(inner: S, plan: FaultPlan) -> Self {
        Self { inner, plan: Arc::new(Mutex::new(plan)), journal: Arc::default() }
    }

    /// The same in front of another store, which shares the plan.
    pub fn beside(&self, inner: S) -> Self {
        Self { inner, plan: Arc::clone(&self.plan), journal: Arc::default() }
    }

    /// Makes the next call of this operation fail with this fault, whatever the plan says.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.with_plan(|plan| plan.script(operation, fault));
    }

    /// From now on no call is answered, as if the server were gone, or calls are answered again.
    pub fn set_gone(&self, is_gone: bool) {
        self.journal().is_gone = is_gone;
    }

    /// From now on, only faults requested with [`FaultStore::fail_next`] happen.
    pub fn heal(&self) {
        self.with_plan(FaultPlan::heal);
    }

    /// How often this operation was asked for so far, whatever came of it.
    pub fn calls(&self, operation: Operation) -> usize {
        self.journal().calls(operation)
    }

    /// The heartbeats so far, whatever came of them.
    pub fn heartbeats(&self) -> Vec<Heartbeat> {
        self.journal().heartbeats.clone()
    }

    /// How many beginnings each call of `mark_started` named so far.
    pub fn beginnings(&self) -> Vec<usize> {
        self.journal().beginnings.clone()
    }

    /// From now on every look for dead workers says that the next one is due after this time.
    pub fn look_again_after(&self, next: Duration) {
        self.journal().next_look = Some(next);
    }

    /// The fault of the last call, if it had one.
    pub fn take_injected(&self) -> Option<Fault> {
        self.with_plan(FaultPlan::take_injected)
    }

    /// The inner store, which never fails on demand.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Returns the inner store.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_plan<T>(&self, call: impl FnOnce(&mut FaultPlan) -> T) -> T {
        call(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the call only if it must have its effect: a store may act before its future is polled.
    fn meet<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        call: impl FnOnce(&'a S) -> StoreFuture<'a, T> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            if self.journal().note(operation) {
                return Err(gone());
            }
            let fault = self.with_plan(|plan| plan.draw(operation));
            match fault {
                None => call(&self.inner).await,
                Some(Fault::Busy) => Err(busy()),
                Some(Fault::Full) => Err(OutsideCause::Full { database: NAME.into() }.into()),
                Some(Fault::Lost) => call(&self.inner).await.and_then(|_| Err(lost())),
                Some(Fault::Delay(span)) => {
                    tokio::time::sleep(span).await;
                    call(&self.inner).await
                }
                Some(Fault::Panic) => panic!("{PANIC}"),
            }
        })
    }
}

/// The message of a panic on demand.
const PANIC: &str = "the store panics on demand";

/// The name of the database in errors.
const NAME: &str = "the faulty store";

fn busy() -> StoreError {
    OutsideCause::Busy { database: NAME.into(), waited: Duration::from_secs(5) }.into()
}

fn gone() -> StoreError {
    OutsideCause::ServerUnreachable { database: NAME.into(), source: "connection refused".into() }.into()
}

fn lost() -> StoreError {
    StoreError::Backend { database: NAME.into(), doing: "answering", source: "the answer was lost".into() }
}

impl<S: fmt::Debug> fmt::Debug for FaultStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S: Store> Store for FaultStore<S> {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn prefetch_max(&self) -> u32 {
        self.inner.prefetch_max()
    }

    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        self.meet(Operation::Enqueue, move |inner| inner.enqueue_valid(jobs))
    }

    fn enqueue_valid_stream(&self, jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        self.meet(Operation::EnqueueStream, move |inner| inner.enqueue_valid_stream(jobs))
    }

    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        self.meet(Operation::Register, move |inner| inner.register(registration))
    }

    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        self.meet(Operation::Retire, move |inner| inner.retire(worker_id))
    }

    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        self.meet(Operation::Claim, move |inner| inner.claim(request))
    }

    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        self.meet(Operation::Read, move |inner| inner.held_leases(worker_id, beyond))
    }

    fn inbox(&self, worker_id: &WorkerId) -> Box<dyn Inbox> {
        self.inner.inbox(worker_id)
    }

    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        self.journal().beginnings.push(attempts.len());
        self.meet(Operation::MarkStarted, move |inner| inner.mark_started(worker_id, attempts))
    }

    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        self.meet(Operation::BeginIsolated, move |inner| inner.begin_isolated(worker_id, id, claim_number))
    }

    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended> {
        self.journal().heartbeats.push(heartbeat.clone());
        self.meet(Operation::Extend, move |inner| inner.extend(heartbeat))
    }

    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        self.meet(Operation::Read, move |inner| inner.cancel_requests(worker_id))
    }

    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.meet(Operation::Record, move |inner| inner.record(worker_id, records))
    }

    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.meet(Operation::Report, move |inner| inner.report(worker_id, reports))
    }

    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        self.meet(Operation::SaveCheckpoint, move |inner| inner.save_checkpoint(worker_id, checkpoint))
    }

    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>> {
        self.meet(Operation::Read, move |inner| inner.step_result(id, step))
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        Box::pin(async move {
            let reclaimed = self.meet(Operation::Reclaim, move |inner| inner.reclaim()).await?;
            let next = self.journal().next_look.unwrap_or(reclaimed.next);
            Ok(Reclaimed { next, ..reclaimed })
        })
    }

    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups> {
        let fault = self.with_plan(|plan| plan.scripted_fault(Operation::Wakeups));
        Box::new(FaultWakeups { inner: self.inner.wakeups(interest), panics: fault == Some(Fault::Panic) })
    }
}

/// Wake-ups, of which the first may be a panic.
struct FaultWakeups {
    inner: Box<dyn Wakeups>,
    panics: bool,
}

impl Wakeups for FaultWakeups {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        assert!(!std::mem::take(&mut self.panics), "{PANIC}");
        self.inner.changed()
    }
}

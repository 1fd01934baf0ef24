//! What a worker costs by itself: no-op jobs from a store that costs next to nothing, on one core.
//!
//! Prints one JSON object: jobs a second, nanoseconds a job, and how many of these the store alone takes.
//! `cargo run --release -p longshore --example overhead [JOBS] [CONCURRENCY]`

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use longshore::*;
use longshore_testkit::MemoryStore;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Nothing {
    number: u64,
}

impl Payload for Nothing {
    const JOB_TYPE: &'static str = "nothing";
}

/// Gives out as many jobs as it has, and counts what comes back; everything else the in-memory store answers.
#[derive(Debug)]
struct Fountain {
    jobs: u64,
    given: AtomicU64,
    taken: AtomicU64,
    claims: AtomicU64,
    commits: AtomicU64,
    done: tokio::sync::Notify,
    rest: MemoryStore,
}

impl Fountain {
    fn new(jobs: u64) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        let (given, taken, claims, commits) = (zero(), zero(), zero(), zero());
        let rest = MemoryStore::new(SystemClock::new());
        Arc::new(Self { jobs, given, taken, claims, commits, done: tokio::sync::Notify::new(), rest })
    }

    fn lease(number: u64) -> Lease {
        let id = JobId(i64::try_from(number).expect("few jobs"));
        Lease {
            id,
            claim_number: ClaimNumber(1),
            job_type: "nothing".to_owned(),
            job_data: JobData::from_stored(format!("{{\"number\":{number}}}")),
            queue: "default".to_owned(),
            priority: Priority::NORMAL,
            budgets: Budgets {
                retry_count: 0,
                max_retries: 3,
                crash_count: 0,
                max_crashes: 3,
                deferral_count: 0,
                max_deferrals: 3,
                time: TimeBounds::default(),
            },
            timeout: None,
            ready_at: Timestamp::from_ms(0),
            metadata: None,
        }
    }

    fn give(&self, limit: u32) -> Claimed {
        self.claims.fetch_add(1, Ordering::Relaxed);
        let from = self.given.fetch_add(u64::from(limit), Ordering::Relaxed);
        let to = self.jobs.min(from + u64::from(limit));
        Claimed { leases: (from.min(to)..to).map(Self::lease).collect(), next_due: None, now: Timestamp::from_ms(0) }
    }

    fn take(&self, records: &[Record]) -> Vec<Recorded> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let taken = self.taken.fetch_add(records.len() as u64, Ordering::Relaxed) + records.len() as u64;
        if taken >= self.jobs {
            self.done.notify_one();
        }
        vec![Recorded::Recorded; records.len()]
    }
}

impl Store for Fountain {
    fn limits(&self) -> Limits {
        self.rest.limits()
    }
    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        self.rest.enqueue_valid(jobs)
    }
    fn enqueue_valid_stream(&self, jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        self.rest.enqueue_valid_stream(jobs)
    }
    fn register(&self, registration: Registration) -> StoreFuture<'_, ()> {
        self.rest.register(registration)
    }
    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        self.rest.retire(worker_id)
    }
    fn abandon(&self, worker_id: &WorkerId) {
        self.rest.abandon(worker_id);
    }
    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        Box::pin(async move { Ok(self.give(request.limit)) })
    }
    fn mark_started(&self, _: &WorkerId, _: StartedAttempt) {}
    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        self.rest.begin_isolated(worker_id, id, claim_number)
    }
    fn extend(&self, _: Heartbeat) -> StoreFuture<'_, Extended> {
        Box::pin(async { Ok(Extended::default()) })
    }
    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        self.rest.cancel_requests(worker_id)
    }
    fn record(&self, _: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        Box::pin(async move { Ok(self.take(&records)) })
    }
    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.rest.report(worker_id, reports)
    }
    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        self.rest.reclaim()
    }
    fn wakeups(&self) -> Box<dyn Wakeups> {
        self.rest.wakeups()
    }
}

impl Console for Fountain {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        self.rest.job(id)
    }
    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        self.rest.jobs(request)
    }
    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        self.rest.count(selection)
    }
    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        self.rest.act(selection, action)
    }
    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        self.rest.edit(id, edit)
    }
    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        self.rest.log(request)
    }
    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        self.rest.stats(minutes)
    }
    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        self.rest.workers()
    }
    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        self.rest.change_queue(queue, change)
    }
    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        self.rest.maintain(maintenance)
    }
    fn health(&self) -> StoreFuture<'_, Health> {
        self.rest.health()
    }
}

/// The store's own share: every lease made and thrown away again.
fn store_alone(jobs: u64) -> Duration {
    let fountain = Fountain::new(jobs);
    let began = Instant::now();
    while std::hint::black_box(fountain.give(1000)).leases.len() == 1000 {}
    began.elapsed()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let jobs = arguments.next().map_or(1_000_000, |word| word.parse().expect("a number of jobs"));
    let concurrency = arguments.next().map_or(16, |word| word.parse().expect("a concurrency"));
    let fountain = Fountain::new(jobs);
    let queue = Queue::from_backend(fountain.clone());
    let worker = Worker::new(&queue).concurrency(concurrency).handle(|payload: Nothing, _| async move {
        std::hint::black_box(payload.number);
        Ok(())
    });
    let began = Instant::now();
    worker.run(fountain.done.notified()).await.expect("the store never fails");
    let (spent, alone) = (began.elapsed(), store_alone(jobs));
    let figures = serde_json::json!({
        "jobs": jobs,
        "concurrency": concurrency,
        "jobs_per_second": (jobs as f64 / spent.as_secs_f64()).round(),
        "ns_per_job": spent.as_nanos() as u64 / jobs.max(1),
        "ns_per_job_store_alone": alone.as_nanos() as u64 / jobs.max(1),
        "claims": fountain.claims.load(Ordering::Relaxed),
        "record_commits": fountain.commits.load(Ordering::Relaxed),
    });
    println!("{figures}");
}

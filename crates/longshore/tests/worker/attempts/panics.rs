use std::future::pending;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use longshore::backend::{Clock, LogRequest};
use longshore::{
    AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, HandlerError, HandlerPolicy, JobData, JobId, Middleware,
    NewJob, Outcome, Payload, Queue, RetryPolicy, Status, Timestamp, Worker, WorkerError,
};
use longshore_testkit::{FakeClock, Fault, FaultPlan, FaultStore, Operation};
use tracing::{Event, Metadata, Subscriber, span};

use crate::bench::{Bench, Running, Step};

const SECOND: Duration = Duration::from_secs(1);

/// A value that panics when it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("the drop went wrong");
    }
}

/// Never ready.
struct PendingMine(Mine);

impl Future for PendingMine {
    type Output = Result<(), HandlerError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

async fn log_of(bench: &Bench, id: JobId) -> String {
    let page = bench.queue.backend().log(LogRequest { id, attempt: None, after: None }).await.unwrap();
    page.entries.into_iter().map(|entry| entry.text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_it_is_dropped_leaves_its_slot_to_the_next_job() {
    let bench = Bench::new();
    let stuck = bench.enqueue_with(|job| job.timeout(SECOND).max_retries(0)).await;
    let fine = bench.queue.enqueue_job(NewJob::new("fine", JobData::default())).await.unwrap().id;
    let worker = bench.worker().concurrency(1).grace(SECOND).handle(|_: Step, _| PendingMine(Mine));
    let worker = worker.handler("fine", Arc::new(Fine));

    worker.run_until_drained().await.unwrap();

    let job = bench.job(stuck).await;
    assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("timeout_error")));
    assert!(log_of(&bench, stuck).await.contains("panicked when it was dropped: the drop went wrong"));
    assert_eq!(bench.status(fine).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_running_handler_panics_when_it_is_dropped_ends_in_order() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let mut running = Running::spawn(bench.worker().grace(600 * SECOND).handle(|_: Step, _| PendingMine(Mine)));
    bench.until_status(id, Status::Running).await;

    running.ask_to_end_at_once();
    running.ended().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Pending);
}

struct Fine;

impl Handler for Fine {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async { Ok(Done::Completed { result: None }) })
    }
}

/// Panics before there is a future.
struct PanicsInRun;

impl Handler for PanicsInRun {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        panic!("no future")
    }
}

/// Panics with a value that panics when it is dropped.
struct PanicsTwice;

impl Handler for PanicsTwice {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async { panic_any(Mine) })
    }
}

/// Fails with an error that panics when it is printed.
struct Untellable;

#[derive(Debug)]
struct UntellableError;

impl std::fmt::Display for UntellableError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for UntellableError {}

impl Handler for Untellable {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async { Err(UntellableError)? })
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_handler_is_a_failed_attempt_wherever_it_happens() {
    let bench = Bench::new();
    let kinds: [(&str, Arc<dyn Handler>, &str); 3] = [
        ("in run", Arc::new(PanicsInRun), "the handler panicked: no future"),
        ("twice", Arc::new(PanicsTwice), "the handler panicked: a value that is not text"),
        ("untellable", Arc::new(Untellable), "the handler panicked: no words"),
    ];
    let mut worker = bench.worker().concurrency(1).handler("fine", Arc::new(Fine));
    let mut ids = Vec::new();
    for (job_type, handler, _) in &kinds {
        worker = worker.handler(*job_type, handler.clone());
        let job = NewJob::new(*job_type, JobData::default()).max_retries(0);
        ids.push(bench.queue.enqueue_job(job).await.unwrap().id);
    }
    let fine = bench.queue.enqueue_job(NewJob::new("fine", JobData::default())).await.unwrap().id;

    worker.run_until_drained().await.unwrap();

    for (id, (_, _, message)) in ids.into_iter().zip(kinds) {
        let job = bench.job(id).await;
        assert_eq!((job.status, job.error_message.as_deref()), (Status::DeadLetter, Some(message)));
    }
    assert_eq!(bench.status(fine).await, Status::Completed);
}

struct PanicsInPolicy;

impl Handler for PanicsInPolicy {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Fine.run_fine()
    }

    fn policy(&self) -> HandlerPolicy {
        panic!("no rules")
    }
}

impl Fine {
    fn run_fine(&self) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async { Ok(Done::Completed { result: None }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_is_an_error_of_the_worker() {
    let bench = Bench::new();
    let worker = bench.worker().handler("a", Arc::new(PanicsInPolicy));
    assert_panicked(worker.run_until_drained().await, "the policy of a handler", "no rules");
}

fn assert_panicked(ended: Result<(), WorkerError>, expected_part: &str, expected_message: &str) {
    match ended {
        Err(WorkerError::Panicked { part, message }) => {
            assert_eq!((part, message.as_str()), (expected_part, expected_message));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_ends_the_worker_with_an_error_and_the_job_is_stored() {
    let parts = [
        (Operation::Register, "the claim loop"),
        (Operation::Claim, "the claim loop"),
        (Operation::Read, "the claim loop"),
        (Operation::MarkStarted, "the store"),
        (Operation::Record, "the store"),
        (Operation::Report, "the recorder of outcomes"),
        (Operation::Extend, "the heartbeat"),
        (Operation::Reclaim, "the search for dead workers"),
        (Operation::Maintain, "the housekeeping"),
        (Operation::Retire, "the shutdown"),
    ];
    for (operation, part) in parts {
        let bench = Bench::new();
        let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
        store.fail_next(operation, Fault::Panic);
        let queue = Queue::from_backend(Arc::new(store.clone()));
        let id = bench.enqueue(0).await;
        let worker =
            bench.worker_of(&queue).lease(6 * SECOND).retention(SECOND).handle(|_: Step, attempt| async move {
                attempt.progress(0.5, None);
                tokio::time::sleep(2 * SECOND).await;
                Ok(())
            });

        assert_panicked(worker.run_until_drained().await, part, "the store panics on demand");

        let job = bench.job(id).await;
        assert!(matches!(job.status, Status::Completed | Status::Pending), "{operation:?}: {}", job.status);
        if matches!(operation, Operation::Record | Operation::MarkStarted | Operation::Read | Operation::Retire) {
            assert_eq!((job.status, job.retry_count), (Status::Completed, 0), "{operation:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hints_that_panic_end_the_worker_with_an_error() {
    let bench = Bench::new();
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(store.clone()));
    for part in ["the claim loop", "the heartbeat"] {
        store.fail_next(Operation::Wakeups, Fault::Panic);
        if part == "the heartbeat" {
            // The claim loop asks first.
            store.fail_next(Operation::Wakeups, Fault::Busy);
        }
        let worker = bench.worker_of(&queue).handle(|_: Step, _| async { Ok(()) });
        let ended = tokio::time::timeout(600 * SECOND, worker.run(pending())).await.unwrap();
        assert!(matches!(ended, Err(WorkerError::Panicked { .. })), "{part}: {ended:?}");
    }
}

/// Panics once when a test requests it.
#[derive(Debug)]
struct PanickyClock {
    inner: FakeClock,
    panics: Arc<AtomicBool>,
}

impl Clock for PanickyClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the clock is broken");
        self.inner.monotonic()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_around_a_handler_ends_its_attempt_and_the_slot_goes_on() {
    let bench = Bench::new();
    let panics = Arc::new(AtomicBool::new(false));
    let first = bench.enqueue_with(|job| job.max_retries(0)).await;
    let second = bench.enqueue(1).await;
    let worker = Worker::new(&bench.queue).clock(PanickyClock { inner: bench.clock.clone(), panics: panics.clone() });
    let worker = worker.concurrency(1).handle(move |step: Step, _| {
        panics.store(step.number == 0, Ordering::SeqCst);
        async { Ok(()) }
    });

    worker.run_until_drained().await.unwrap();

    let job = bench.job(first).await;
    assert_eq!(job.status, Status::DeadLetter);
    assert_eq!(job.error_message.as_deref(), Some("the slot of the worker panicked: the clock is broken"));
    assert_eq!(bench.status(second).await, Status::Completed);
}

/// Panics on everything that is logged.
struct PanickySubscriber;

impl Subscriber for PanickySubscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        // The spans of half of the attempts are created, to see what happens to them.
        static MADE: AtomicBool = AtomicBool::new(false);
        let is_ours = matches!(attributes.metadata().name(), "attempt" | "enqueue");
        assert!(!is_ours || MADE.fetch_not(Ordering::SeqCst), "no new span");
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {
        panic!("nothing is kept");
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        panic!("no {} either", event.metadata().level());
    }

    fn enter(&self, _: &span::Id) {
        static ENTERED: AtomicBool = AtomicBool::new(false);
        assert!(ENTERED.fetch_not(Ordering::SeqCst), "no way in");
    }

    fn exit(&self, _: &span::Id) {
        panic!("no way out");
    }

    fn try_close(&self, _: span::Id) -> bool {
        panic!("no end of a span");
    }
}

struct PanicsAfterwards;

impl Middleware for PanicsAfterwards {
    fn after<'a>(&'a self, _: &'a CurrentAttempt, _: &'a Outcome) -> BoxFuture<'a, ()> {
        Box::pin(async { panic!("a middleware that panics inside a broken span") })
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_panics_costs_lines_and_no_job() {
    let _guard = tracing::subscriber::set_default(PanickySubscriber);
    let bench = Bench::new();
    let mut fine = Vec::new();
    for number in 0..20 {
        fine.push(bench.enqueue(number).await);
    }
    for number in 20..24 {
        let batch = vec![Step { number }.to_job().unwrap(); 2];
        fine.extend(bench.queue.enqueue_all(batch.clone()).await.unwrap().iter().map(|enqueued| enqueued.id));
        bench.queue.enqueue_iter(batch.into_iter().map(Ok)).await.unwrap();
        let orphan = Step { number }.to_job().unwrap().parent(JobId(4711));
        assert!(bench.queue.enqueue_job(orphan).await.is_err());
    }
    let panicking = bench.enqueue(100).await;
    let retried = bench.enqueue(101).await;
    let worker = bench.worker().concurrency(2).middleware(PanicsAfterwards).handle(|step: Step, attempt| async move {
        assert_ne!(step.number, 100, "a handler that panics inside a broken span");
        tokio::time::sleep(SECOND).await;
        if step.number == 101 && attempt.attempt() == 1 {
            return Err(HandlerError::failed(longshore::FailureType::NetworkError, "no route"));
        }
        Ok(())
    });
    let worker = worker.policy("step", |policy| policy.retry(RetryPolicy::quick()));

    worker.run_until_drained().await.unwrap();

    for id in fine {
        assert_eq!(bench.status(id).await, Status::Completed);
    }
    assert_eq!(bench.status(panicking).await, Status::DeadLetter);
    assert_eq!((bench.status(retried).await, bench.job(retried).await.retry_count), (Status::Completed, 1));
}

/// Every duration that a handler can set has its maximum.
struct Endless;

impl Handler for Endless {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async move {
            match attempt.payload().as_str() {
                r#"{"number":1}"# => Ok(Done::snooze(Duration::MAX)),
                r#"{"number":2}"# => Err(HandlerError::failed(longshore::FailureType::NetworkError, "no route")),
                _ => {
                    attempt.stopped().await;
                    attempt.check()?;
                    unreachable!()
                }
            }
        })
    }

    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy {
            timeout: Some(Duration::MAX),
            retry: RetryPolicy::exponential(Duration::MAX, f64::MAX, Duration::MAX).jitter(1.0),
            grace: Some(Duration::MAX),
            settle: Duration::MAX,
            ..HandlerPolicy::default()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spans_of_time_beyond_every_instant_are_very_long_and_no_panic() {
    let bench = Bench::new();
    let (waiting, snoozed, retried) = (bench.enqueue(0).await, bench.enqueue(1).await, bench.enqueue(2).await);
    let worker = bench.worker().grace(Duration::MAX).lease(Duration::MAX).retention(Duration::MAX);
    let worker = worker.handler("step", Arc::new(Endless));
    let mut running = Running::spawn(worker);
    bench.until_status(waiting, Status::Running).await;
    bench.until_status(snoozed, Status::Pending).await;
    bench.until_status(retried, Status::Retrying).await;

    running.ask_to_stop();
    running.ended().await.unwrap();

    let job = bench.job(waiting).await;
    assert_eq!((job.status, job.retry_count), (Status::Pending, 0));
    let delayed = bench.queue.enqueue_job(NewJob::new("step", JobData::default()).delay(Duration::MAX)).await;
    assert!(delayed.is_err());
}

#[test]
fn a_worker_outside_a_runtime_says_what_it_needs() {
    use longshore::testing::EnqueueRecorder;
    let worker = Worker::new(&EnqueueRecorder::queue().1).handler("fine", Arc::new(Fine));
    let mut ended = Box::pin(worker.run_until_drained());
    let polled = ended.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(WorkerError::NoRuntime))), "{polled:?}");
}

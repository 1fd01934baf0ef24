//! Command jobs in a real worker, on the in-memory store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::backend::{Action, LogRequest, Selection, SystemClock};
use longshore::command::OnShutdown;
use longshore::{
    AttemptResult, BoxFuture, CurrentAttempt, FailureType, HandlerError, Job, JobData, JobId, Middleware, NewJob, Next,
    Queue, Status, Worker,
};
use longshore_testkit::MemoryStore;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::processes::{eventually, marked, marked_sleeps};
use crate::run::{Run, sh};

/// Starts `sleep`s in two sessions and ignores SIGTERM.
const STUBBORN_FAMILY: &str = "trap '' TERM; setsid sleep 1000 & sleep 1000 & while :; do sleep 0.02; done";

/// Starts `sleep`s, and finishes its work when it is told to stop.
const FINISHING_FAMILY: &str = r#"trap 'echo "{\"longshore\": {\"result\": 42}}"; exit 0' TERM
    sleep 1000 & sleep 1000 & while :; do sleep 0.02; done"#;

/// A worker with one job to run.
struct Worked {
    runtime: Runtime,
    queue: Queue,
    id: JobId,
    mark: String,
    shutdown: Option<oneshot::Sender<()>>,
    immediate: Option<oneshot::Sender<()>>,
}

impl Worked {
    /// Starts a worker with a grace period, and waits until all processes of the command have started.
    fn start(run: &Run, grace: Duration, change: impl FnOnce(NewJob) -> NewJob) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let queue = Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())));
        let job = change(NewJob::new("sample", Default::default()));
        let id = runtime.block_on(queue.enqueue_job(job)).unwrap().id;
        let worker = Worker::new(&queue).handler("sample", Arc::new(run.handler())).grace(grace);
        let (shutdown, shutdown_asked) = oneshot::channel();
        let (immediate, immediate_asked) = oneshot::channel();
        runtime.spawn(worker.run_until(wish(shutdown_asked), wish(immediate_asked)));
        let worked =
            Self { runtime, queue, id, mark: run.mark.clone(), shutdown: Some(shutdown), immediate: Some(immediate) };
        eventually("the whole family", || marked(&worked.mark).len() >= 3);
        worked
    }

    fn job(&self) -> Job {
        self.runtime.block_on(self.queue.job(self.id)).unwrap().unwrap().job
    }

    fn assert_completed(&self) {
        eventually("the end of the attempt", || self.job().status != Status::Running);
        let job = self.job();
        let result = job.result.as_ref().map(JobData::as_str);
        assert_eq!((job.status, result, job.retry_count), (Status::Completed, Some("42"), 0));
        assert!(marked(&self.mark).is_empty(), "an attempt has ended when its processes have");
    }

    fn until_nobody_is_left(&self) {
        eventually("nobody left", || marked(&self.mark).is_empty());
    }
}

/// A script whose type is told about a shutdown at once.
fn told_at_once(script: &str) -> Run {
    let mut run = sh(script);
    run.spec.on_shutdown = OnShutdown::Terminate;
    run
}

async fn wish(asked: oneshot::Receiver<()>) {
    let _ = asked.await;
}

pub(crate) fn a_cancelled_job_leaves_nobody() {
    let worked = Worked::start(&sh(STUBBORN_FAMILY), Duration::from_millis(200), |job| job);
    let selection = Selection::Jobs(vec![worked.id]);
    worked.runtime.block_on(worked.queue.backend().act(selection, Action::Cancel)).unwrap();
    eventually("cancelled", || worked.job().status == Status::Cancelled);
    assert!(marked(&worked.mark).is_empty(), "an attempt has ended when its processes have");
}

pub(crate) fn a_job_that_reached_its_time_limit_leaves_nobody() {
    let run = sh(&format!("echo stuck >&2; {STUBBORN_FAMILY}"));
    let limit = |job: NewJob| job.timeout(Duration::from_secs(2)).max_retries(0);
    let worked = Worked::start(&run, Duration::from_millis(200), limit);
    eventually("given up", || worked.job().status == Status::DeadLetter);
    assert!(marked(&worked.mark).is_empty(), "an attempt has ended when its processes have");
    let job = worked.job();
    assert_eq!(job.failure_type.as_deref(), Some("timeout_error"));
    assert_eq!(job.last_error_traceback.as_deref(), Some("stuck"));
}

pub(crate) fn a_shutdown_gives_the_job_back_and_leaves_nobody() {
    let mut worked = Worked::start(&sh(STUBBORN_FAMILY), Duration::from_millis(200), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    assert_eq!(worked.job().retry_count, 0);
    assert!(marked(&worked.mark).is_empty(), "a job that was given back may run elsewhere at once");
}

pub(crate) fn a_job_that_finishes_during_a_shutdown_is_completed() {
    let mut worked = Worked::start(&told_at_once(FINISHING_FAMILY), Duration::from_secs(10), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    worked.assert_completed();
}

pub(crate) fn a_job_that_finishes_after_its_time_limit_is_completed() {
    let limit = |job: NewJob| job.timeout(Duration::from_secs(2)).max_retries(0);
    Worked::start(&sh(FINISHING_FAMILY), Duration::from_secs(10), limit).assert_completed();
}

pub(crate) fn a_second_signal_does_not_wait_for_the_grace() {
    let family = "trap 'sleep 1000 &' TERM; sleep 999 & while :; do sleep 0.02; done";
    let mut worked = Worked::start(&told_at_once(family), Duration::from_secs(1000), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("the answer to the first signal", || marked_sleeps(&worked.mark) >= 1);
    worked.immediate.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    worked.until_nobody_is_left();
}

/// Never ends by itself. When it is told to stop, it exits quickly with its own status.
const WAITING_FAMILY: &str = "trap 'exit 3' TERM; sleep 1000 & sleep 1000 & while :; do sleep 0.02; done";

pub(crate) fn a_program_that_waits_is_told_when_the_grace_is_nearly_over() {
    let mut worked = Worked::start(&sh(WAITING_FAMILY), Duration::from_secs(4), |job| job);
    let asked_at = Instant::now();
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    // It was told after three of the four seconds, and exited at once.
    assert!(asked_at.elapsed() >= Duration::from_secs(3), "{:?}", asked_at.elapsed());
    assert_eq!((worked.job().retry_count, worked.job().crash_count), (0, 0));
    assert!(marked(&worked.mark).is_empty(), "a job that was given back may run elsewhere at once");
}

pub(crate) fn a_program_that_waits_and_does_not_listen_is_killed_at_the_end_of_the_grace() {
    let mut worked = Worked::start(&sh(STUBBORN_FAMILY), Duration::from_secs(2), |job| job);
    let asked_at = Instant::now();
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    assert!(asked_at.elapsed() >= Duration::from_secs(2), "{:?}", asked_at.elapsed());
    assert!(marked(&worked.mark).is_empty(), "a job that was given back may run elsewhere at once");
}

pub(crate) fn the_grace_of_a_type_is_what_lies_between_its_signals_at_a_shutdown() {
    let mut run = sh(STUBBORN_FAMILY);
    run.spec.grace = Some(Duration::from_millis(1));
    let mut worked = Worked::start(&run, Duration::from_secs(2), |job| job);
    let asked_at = Instant::now();
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    assert!(asked_at.elapsed() >= Duration::from_millis(1900), "{:?}", asked_at.elapsed());
}

pub(crate) fn a_program_that_fails_by_itself_while_it_waits_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = format!("sleep 1000 & sleep 1000 & while [ ! -e {} ]; do sleep 0.02; done; exit 65", go.display());
    let mut worked = Worked::start(&sh(&script), Duration::from_secs(1000), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    std::fs::write(go, "").unwrap();
    eventually("given up", || worked.job().status == Status::DeadLetter);
    assert_eq!(worked.job().failure_type.as_deref(), Some("validation_error"));
}

pub(crate) fn a_program_that_waits_can_still_be_cancelled() {
    let mut worked = Worked::start(&sh(WAITING_FAMILY), Duration::from_secs(1000), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    let selection = Selection::job(worked.id);
    worked.runtime.block_on(worked.queue.backend().act(selection, Action::Cancel)).unwrap();
    eventually("cancelled", || worked.job().status == Status::Cancelled);
    assert!(marked(&worked.mark).is_empty(), "an attempt has ended when its processes have");
}

pub(crate) fn a_program_that_waits_still_has_its_time_limit() {
    let limit = |job: NewJob| job.timeout(Duration::from_secs(3)).max_retries(0);
    let mut worked = Worked::start(&sh(WAITING_FAMILY), Duration::from_secs(1000), limit);
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("given up", || worked.job().status == Status::DeadLetter);
    assert_eq!(worked.job().failure_type.as_deref(), Some("timeout_error"));
}

pub(crate) fn a_second_signal_ends_a_program_that_waits() {
    let mut worked = Worked::start(&sh(STUBBORN_FAMILY), Duration::from_secs(1000), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    worked.immediate.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    worked.until_nobody_is_left();
}

pub(crate) fn the_last_progress_and_the_last_line_of_a_program_are_kept() {
    let words = r#"echo '{"longshore": {"progress": 0.25, "message": "first"}}'
        echo '{"longshore": {"progress": 1, "message": "last"}}'; printf 'the end'"#;
    for (status, expected) in [("exit 0", Status::Completed), ("exit 65", Status::DeadLetter)] {
        let script = format!("sleep 1000 & sleep 1000 & sleep 0.3; {words}; {status}");
        let worked = Worked::start(&sh(&script), Duration::from_secs(1000), |job| job);
        eventually("the end", || worked.job().status != Status::Running);
        let job = worked.job();
        assert_eq!((job.status, job.progress, job.progress_message.as_deref()), (expected, Some(1.0), Some("last")));
        let request = LogRequest { id: worked.id, attempt: None, after: None };
        let page = worked.runtime.block_on(worked.queue.backend().log(request)).unwrap();
        let log: String = page.entries.into_iter().map(|entry| entry.text).collect();
        assert!(log.ends_with("the end\n"), "{log}");
    }
}

/// Stops the command before it starts, or lets it run and adds a line to its log.
struct Doorkeeper;

impl Middleware for Doorkeeper {
    fn around<'a>(&'a self, attempt: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
        if attempt.queue_name() == "closed" {
            let refused = HandlerError::failed(FailureType::ConfigError, "this queue is closed");
            return Box::pin(async { Err(refused) });
        }
        attempt.log("let in\n");
        next.run()
    }
}

pub(crate) fn a_middleware_surrounds_a_command() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let queue = Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())));
    let enqueue = |job: NewJob| runtime.block_on(queue.enqueue_job(job)).unwrap().id;
    let open = enqueue(NewJob::new("sample", Default::default()));
    let closed = enqueue(NewJob::new("sample", Default::default()).queue("closed"));

    let handler = Arc::new(sh("echo hello").handler());
    let worker = Worker::new(&queue).handler("sample", handler).middleware(Doorkeeper);
    runtime.block_on(worker.run_until_drained()).unwrap();

    let job = |id| runtime.block_on(queue.job(id)).unwrap().unwrap().job;
    assert_eq!(job(open).status, Status::Completed);
    assert_eq!(job(closed).error_message.as_deref(), Some("this queue is closed"));
    let log = |id| {
        let page = runtime.block_on(queue.backend().log(LogRequest { id, attempt: None, after: None })).unwrap();
        page.entries.into_iter().map(|entry| entry.text).collect::<String>()
    };
    assert_eq!((log(open).as_str(), log(closed).as_str()), ("let in\nhello\n", ""));
}

/// The store of a real worker, and a program that is killed right after it said where it stands.
pub(crate) fn a_program_that_died_continues_from_its_checkpoint() {
    let run = sh(r#"case "$LONGSHORE_CHECKPOINT" in
        '') echo '{"longshore": {"checkpoint": [7]}}'; kill -9 $$;;
        '[7]') echo '{"longshore": {"result": 42}}';;
        esac"#);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let queue = Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())));
    let job = NewJob::new("sample", Default::default());
    let id = runtime.block_on(queue.enqueue_job(job)).unwrap().id;
    let retry = longshore::RetryPolicy::fixed(Duration::ZERO);
    let worker = Worker::new(&queue).handler("sample", Arc::new(run.handler()));
    runtime.spawn(
        worker
            .policy("sample", move |policy| policy.retry(retry))
            .run_until(std::future::pending(), std::future::pending()),
    );

    let detail = runtime.block_on(queue.wait(id, Duration::from_secs(60))).unwrap();

    let result = detail.job.result.as_ref().map(JobData::as_str);
    assert_eq!((detail.job.status, result, detail.attempts.len()), (Status::Completed, Some("42"), 2));
    assert_eq!(detail.checkpoints.checkpoint.unwrap().as_str(), "[7]");
}

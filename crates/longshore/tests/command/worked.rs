//! Command jobs under a real worker, on the in-memory store.

use std::sync::Arc;
use std::time::Duration;

use longshore::{Action, Job, JobData, JobId, NewJob, Queue, Selection, Status, SystemClock, Worker};
use longshore_testkit::MemoryStore;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::processes::{eventually, marked, marked_sleeps};
use crate::run::{Run, sh};

/// Leaves `sleep`s in two sessions and does not listen to SIGTERM.
const STUBBORN_FAMILY: &str = "trap '' TERM; setsid sleep 1000 & sleep 1000 & while :; do sleep 0.02; done";

/// Leaves `sleep`s, and ends its work when it is told to stop.
const FINISHING_FAMILY: &str = r#"trap 'echo "{\"longshore\": {\"result\": 42}}"; exit 0' TERM
    sleep 1000 & sleep 1000 & while :; do sleep 0.02; done"#;

/// A worker that has one job to run.
struct Worked {
    runtime: Runtime,
    queue: Queue,
    id: JobId,
    mark: String,
    shutdown: Option<oneshot::Sender<()>>,
    immediate: Option<oneshot::Sender<()>>,
}

impl Worked {
    /// Starts a worker with a grace period, and waits until the command's family is complete.
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
    let mut worked = Worked::start(&sh(FINISHING_FAMILY), Duration::from_secs(10), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    worked.assert_completed();
}

pub(crate) fn a_job_that_finishes_after_its_time_limit_is_completed() {
    let limit = |job: NewJob| job.timeout(Duration::from_secs(2)).max_retries(0);
    Worked::start(&sh(FINISHING_FAMILY), Duration::from_secs(10), limit).assert_completed();
}

pub(crate) fn a_second_signal_does_not_wait_for_the_grace() {
    let family = "trap 'sleep 1000 &' TERM; sleep 999 & while :; do sleep 0.02; done";
    let mut worked = Worked::start(&sh(family), Duration::from_secs(1000), |job| job);
    worked.shutdown.take().unwrap().send(()).unwrap();
    eventually("the answer to the first signal", || marked_sleeps(&worked.mark) >= 1);
    worked.immediate.take().unwrap().send(()).unwrap();
    eventually("given back", || worked.job().status == Status::Pending);
    worked.until_nobody_is_left();
}

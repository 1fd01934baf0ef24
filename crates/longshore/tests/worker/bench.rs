use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::testing::SimulatedProcess;
use longshore::{Job, JobDetail, JobId, NewJob, Payload, Queue, Status, Worker};
use longshore_testkit::{FakeClock, MemoryStore};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A queue in memory that uses the (paused) time of the runtime.
pub(crate) struct Bench {
    pub(crate) store: MemoryStore,
    pub(crate) queue: Queue,
    pub(crate) clock: FakeClock,
    process: SimulatedProcess,
}

/// The payload of most tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) number: u32,
}

impl Payload for Step {
    const JOB_TYPE: &'static str = "step";
}

impl Bench {
    pub(crate) fn new() -> Self {
        let clock = FakeClock::of_runtime();
        let store = MemoryStore::new(clock.clone());
        let queue = Queue::from_backend(Arc::new(store.clone()));
        Self { store, queue, clock, process: SimulatedProcess::default() }
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_of(&self.queue)
    }

    /// A worker for the same jobs through another queue.
    pub(crate) fn worker_of(&self, queue: &Queue) -> Worker {
        Worker::new(queue).clock(self.clock.clone()).as_if_in(&self.process)
    }

    /// A worker of other jobs in the same process.
    pub(crate) fn same_process(&self, other: &Self) -> Worker {
        other.worker().as_if_in(&self.process)
    }

    /// A worker for the same jobs in another process.
    pub(crate) fn worker_elsewhere(&self) -> Worker {
        self.worker().as_if_in(&SimulatedProcess::default())
    }

    pub(crate) async fn enqueue(&self, number: u32) -> JobId {
        self.queue.enqueue(&Step { number }).await.unwrap().id
    }

    pub(crate) async fn enqueue_with(&self, change: impl FnOnce(NewJob) -> NewJob) -> JobId {
        let job = change(Step { number: 0 }.to_job().unwrap());
        self.queue.enqueue_job(job).await.unwrap().id
    }

    pub(crate) async fn detail(&self, id: JobId) -> JobDetail {
        self.queue.job(id).await.unwrap().unwrap()
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.detail(id).await.job
    }

    pub(crate) async fn status(&self, id: JobId) -> Status {
        self.job(id).await.status
    }

    /// Reads repeatedly, in the runtime's time, until the job satisfies the condition; for at most an hour.
    pub(crate) async fn until(&self, id: JobId, is_reached: impl Fn(&Job) -> bool) -> Job {
        for _ in 0..360_000 {
            let job = self.job(id).await;
            if is_reached(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("job {id} is still {}", self.status(id).await);
    }

    pub(crate) async fn until_status(&self, id: JobId, status: Status) -> Job {
        self.until(id, |job| job.status == status).await
    }
}

/// A worker that runs beside the test, and the two ways to stop it.
pub(crate) struct Running {
    task: JoinHandle<Result<(), longshore::WorkerError>>,
    shutdown: Option<oneshot::Sender<()>>,
    immediate: Option<oneshot::Sender<()>>,
}

impl Running {
    pub(crate) fn spawn(worker: Worker) -> Self {
        let (shutdown, stopped) = oneshot::channel();
        let (immediate, ended) = oneshot::channel();
        let task = tokio::spawn(worker.run_until(asked(stopped), asked(ended)));
        Self { task, shutdown: Some(shutdown), immediate: Some(immediate) }
    }

    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.shutdown.take().unwrap().send(());
    }

    pub(crate) fn ask_to_end_at_once(&mut self) {
        let _ = self.immediate.take().unwrap().send(());
    }

    pub(crate) async fn ended(self) -> Result<(), longshore::WorkerError> {
        self.task.await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.ask_to_stop();
        self.ended().await.unwrap();
    }
}

/// Resolves when the test asks. Never resolves if the test only drops its end.
async fn asked(receiver: oneshot::Receiver<()>) {
    if receiver.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Counts handlers that run at the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    seen: Arc<Mutex<Vec<u32>>>,
}

impl Tally {
    pub(crate) fn enter(&self, number: u32) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.seen.lock().unwrap().push(number);
    }

    pub(crate) fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many are inside now.
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::SeqCst)
    }

    /// The maximum number inside at once.
    pub(crate) fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }

    /// Which entered, in order.
    pub(crate) fn seen(&self) -> Vec<u32> {
        self.seen.lock().unwrap().clone()
    }
}

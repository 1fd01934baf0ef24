//! Signals to a worker that is a process of its own.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::{JobDetail, JobId, NewJob, Queue, SystemClock, Worker};
use longshore_testkit::MemoryStore;

use crate::processes::{eventually, marked, marked_sleeps, signal};
use crate::run::sh;

/// Makes the test binary a worker that runs one command at a time until a signal ends it.
pub(crate) const WORK_UNTIL_SIGNAL: &str = "work-until-signal";

/// A worker with two jobs of the same script: one runs, the other one waits for its place.
struct SignalledWorker {
    process: Child,
    mark: String,
}

impl SignalledWorker {
    /// Starts it, and waits until so many processes of the first job run.
    fn start(script: &str, grace: Duration, processes: usize) -> Self {
        let mark = sh("").mark;
        let process = Command::new(std::env::current_exe().unwrap())
            .args([WORK_UNTIL_SIGNAL, script, &mark, &grace.as_millis().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("the first job", || marked(&mark).len() >= processes);
        Self { process, mark }
    }

    fn signal(&self, name: &str) {
        signal(name, self.process.id());
    }

    /// What became of the two jobs when the worker has ended.
    fn ended(mut self) -> String {
        eventually("the end of the worker", || self.process.try_wait().unwrap().is_some());
        assert!(self.process.wait().unwrap().success());
        eventually("nobody left", || marked(&self.mark).is_empty());
        std::io::read_to_string(self.process.stdout.take().unwrap()).unwrap()
    }
}

impl Drop for SignalledWorker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn a_worker_that_gets_a_signal_lets_its_job_finish_and_begins_no_other() {
    for name in ["TERM", "INT"] {
        let finishing = "trap 'exit 0' TERM; sleep 1000 & while :; do sleep 0.02; done";
        let worker = SignalledWorker::start(finishing, Duration::from_secs(60), 3);
        worker.signal(name);
        assert_eq!(worker.ended(), "completed 0 [Completed]\npending 0 []\n", "{name}");
    }
}

pub(crate) fn a_worker_that_gets_a_signal_gives_back_what_does_not_end_within_the_grace() {
    let (stubborn, grace) = ("trap '' TERM; while :; do sleep 0.02; done", Duration::from_millis(300));
    let worker = SignalledWorker::start(stubborn, grace, 2);
    let asked_at = Instant::now();
    worker.signal("TERM");
    assert_eq!(worker.ended(), "pending 0 [Returned]\npending 0 []\n");
    assert!(asked_at.elapsed() >= grace, "{:?}", asked_at.elapsed());
}

pub(crate) fn a_second_signal_to_a_worker_ends_it_at_once() {
    let (answering, grace) =
        ("trap 'sleep 1000 &' TERM; sleep 999 & while :; do sleep 0.02; done", Duration::from_secs(90));
    let worker = SignalledWorker::start(answering, grace, 3);
    worker.signal("TERM");
    eventually("the answer to the first signal", || marked_sleeps(&worker.mark) >= 1);
    let asked_at = Instant::now();
    worker.signal("INT");
    assert_eq!(worker.ended(), "pending 0 [Returned]\npending 0 []\n");
    assert!(asked_at.elapsed() < grace / 2, "{:?}", asked_at.elapsed());
}

/// A worker given by its script, mark and grace in milliseconds; it prints what became of its two jobs.
pub(crate) fn work_until_signal() -> ! {
    let mut args = std::env::args().skip(2);
    let mut run = sh(&args.next().unwrap());
    run.mark_with(&args.next().unwrap());
    let grace = Duration::from_millis(args.next().unwrap().parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())));
        let ids = [enqueue(&queue).await, enqueue(&queue).await];
        let worker = Worker::new(&queue).handler("sample", Arc::new(run.handler())).concurrency(1).grace(grace);
        worker.run_until_signal().await.unwrap();
        for id in ids {
            let JobDetail { job, attempts, .. } = queue.job(id).await.unwrap().unwrap();
            let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
            println!("{} {} {outcomes:?}", job.status, job.retry_count);
        }
    });
    std::process::exit(0);
}

async fn enqueue(queue: &Queue) -> JobId {
    queue.enqueue_job(NewJob::new("sample", Default::default())).await.unwrap().id
}

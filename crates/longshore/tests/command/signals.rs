//! Signals to a worker in a separate process.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::backend::SystemClock;
use longshore::command::OnShutdown;
use longshore::{JobDetail, JobId, NewJob, Queue, Worker};
use longshore_testkit::MemoryStore;

use crate::processes::{eventually, marked, marked_sleeps, signal};
use crate::run::sh;

/// Makes the test binary a worker that runs one command at a time until a signal stops it.
pub(crate) const WORK_UNTIL_SIGNAL: &str = "work-until-signal";

/// A worker with two jobs of the same script: one is running, the other waits for its slot.
struct SignalledWorker {
    process: Child,
    mark: String,
}

impl SignalledWorker {
    /// Starts it with a type that is told about a shutdown at once. Waits until the first job has this many processes.
    fn start(script: &str, grace: Duration, processes: usize) -> Self {
        Self::start_with("terminate", script, grace, processes)
    }

    fn start_with(on_shutdown: &str, script: &str, grace: Duration, processes: usize) -> Self {
        let mark = sh("").mark;
        let process = Command::new(std::env::current_exe().unwrap())
            .args([WORK_UNTIL_SIGNAL, script, &mark, &grace.as_millis().to_string(), on_shutdown])
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

    /// The state of the two jobs after the worker has ended.
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
    for name in ["TERM", "INT", "HUP"] {
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

pub(crate) fn a_program_that_waits_at_a_shutdown_may_finish_undisturbed() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = format!("trap 'exit 3' TERM; sleep 1000 & while [ ! -e {} ]; do sleep 0.02; done", go.display());
    let worker = SignalledWorker::start_with("wait", &script, Duration::from_secs(600), 3);
    worker.signal("TERM");
    // Long enough for the worker to have received the signal: if the first job ended earlier, the next would start.
    std::thread::sleep(Duration::from_secs(1));
    std::fs::write(go, "").unwrap();
    assert_eq!(worker.ended(), "completed 0 [Completed]\npending 0 []\n");
}

pub(crate) fn a_closed_terminal_that_sends_its_signal_twice_is_one_request() {
    let finishing = "trap 'sleep 0.5; exit 0' TERM; sleep 1000 & while :; do sleep 0.02; done";
    let worker = SignalledWorker::start(finishing, Duration::from_secs(60), 3);
    worker.signal("HUP");
    worker.signal("HUP");
    assert_eq!(worker.ended(), "completed 0 [Completed]\npending 0 []\n");
}

pub(crate) fn a_closed_terminal_and_another_signal_are_two_requests() {
    let (stubborn, grace) = ("trap '' TERM; sleep 999 & while :; do sleep 0.02; done", 90);
    for (first, second) in [("HUP", "TERM"), ("TERM", "HUP")] {
        let worker = SignalledWorker::start(stubborn, Duration::from_secs(grace), 3);
        let asked_at = Instant::now();
        worker.signal(first);
        worker.signal(second);
        assert_eq!(worker.ended(), "pending 0 [Returned]\npending 0 []\n", "{first} {second}");
        assert!(asked_at.elapsed() < Duration::from_secs(grace / 2), "{:?}", asked_at.elapsed());
    }
}

pub(crate) fn a_worker_under_nohup_does_not_hear_of_a_closed_terminal() {
    let mark = sh("").mark;
    let finishing = "trap 'exit 0' TERM; sleep 1000 & while :; do sleep 0.02; done";
    // Like `nohup`, but without its file.
    let process = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([WORK_UNTIL_SIGNAL, finishing, &mark, "60000", "terminate"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the first job", || marked(&mark).len() >= 3);
    let mut worker = SignalledWorker { process, mark };
    worker.signal("HUP");
    std::thread::sleep(Duration::from_millis(500));
    // The shell and the long sleep; the short one comes and goes.
    assert!(worker.process.try_wait().unwrap().is_none() && marked(&worker.mark).len() >= 2);
    worker.signal("TERM");
    assert_eq!(worker.ended(), "completed 0 [Completed]\npending 0 []\n");
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

/// A worker given by its script, mark and grace period in milliseconds. It prints the state of its two jobs.
pub(crate) fn work_until_signal() -> ! {
    let mut args = std::env::args().skip(2);
    let mut run = sh(&args.next().unwrap());
    run.mark_with(&args.next().unwrap());
    let grace = Duration::from_millis(args.next().unwrap().parse().unwrap());
    if args.next().unwrap() == "terminate" {
        run.spec.on_shutdown = OnShutdown::Terminate;
    }
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

//! A Rust handler that kills its process, beside handlers that do not.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use longshore::testing::ScratchQueue;
use longshore::{JobDetail, JobId, NewJob, Queue, Status, Worker};

/// Makes the test binary run some workers until no job is left, unless a job aborts it.
pub(crate) const WORK_OR_ABORT: &str = "work-or-abort";

/// The time limit of a test.
const PATIENCE: Duration = Duration::from_secs(120);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The harmless jobs take a while, so that they run beside the poison job.
fn worker(queue: &Queue, concurrency: u32) -> Worker {
    let of_payload = |is_poison: bool| async move {
        tokio::time::sleep(Duration::from_millis(if is_poison { 50 } else { 200 })).await;
        if is_poison {
            std::process::abort();
        }
        Ok(())
    };
    Worker::new(queue).concurrency(concurrency).handle(move |job: Load, _| of_payload(job.is_poison))
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Load {
    is_poison: bool,
}

impl longshore::Payload for Load {
    const JOB_TYPE: &'static str = "load";
}

/// Arguments: the database, how many workers, and the concurrency of each.
pub(crate) fn work_or_abort() -> ! {
    let mut args = std::env::args().skip(2);
    let path = args.next().unwrap();
    let workers: usize = args.next().unwrap().parse().unwrap();
    let concurrency = args.next().unwrap().parse().unwrap();
    runtime().block_on(async {
        let queue = Queue::open(&path).await.unwrap();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..workers {
            running.spawn(worker(&queue, concurrency).run_until_drained());
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap().unwrap();
        }
    });
    std::process::exit(0);
}

/// One poison job between three harmless jobs. Starts the process again until it ends by itself. Returns how many times
/// it died, the poison job, and the harmless jobs.
fn deaths_of(workers: usize, concurrency: u32, max_crashes: u32) -> (u32, JobDetail, Vec<JobDetail>) {
    let runtime = runtime();
    let queue = runtime.block_on(ScratchQueue::open()).unwrap();
    let enqueue = |is_poison| -> JobId {
        let job = longshore::Payload::to_job(&Load { is_poison }).unwrap();
        runtime.block_on(queue.enqueue_job(NewJob { max_crashes, ..job })).unwrap().id
    };
    let harmless = [enqueue(false), enqueue(false)];
    let poison = enqueue(true);
    let last = enqueue(false);
    let (mut deaths, began) = (0, Instant::now());
    loop {
        let ended = Command::new(std::env::current_exe().unwrap())
            .args([WORK_OR_ABORT, &queue.path().display().to_string(), &workers.to_string(), &concurrency.to_string()])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        if ended.success() {
            break;
        }
        deaths += 1;
        assert!(began.elapsed() < PATIENCE, "it has died {deaths} times");
    }
    let detail = |id| runtime.block_on(queue.job(id)).unwrap().unwrap();
    (deaths, detail(poison), [harmless[0], harmless[1], last].map(detail).into())
}

/// It dies one time less if the poison job happens to run alone at first.
fn assert_only_the_poison_is_given_up(workers: usize, concurrency: u32, max_crashes: u32) {
    let (deaths, poison, harmless) = deaths_of(workers, concurrency, max_crashes);
    let reason = format!("crashes_spent: its worker died {deaths} times while it ran");
    assert_eq!(poison.job.status, Status::DeadLetter, "{poison:?}");
    assert_eq!(poison.job.dead_letter_reason.as_deref(), Some(reason.as_str()));
    assert!((max_crashes..=max_crashes.max(2)).contains(&deaths), "it died {deaths} times");
    for detail in harmless {
        assert_eq!((detail.job.status, detail.job.retry_count), (Status::Completed, 0), "{detail:?}");
    }
}

pub(crate) fn a_handler_that_aborts_is_given_up_alone() {
    assert_only_the_poison_is_given_up(1, 4, 3);
}

pub(crate) fn a_handler_that_aborts_and_may_crash_once_is_given_up_alone() {
    assert_only_the_poison_is_given_up(1, 4, 1);
}

pub(crate) fn two_workers_of_one_process_do_not_blame_each_others_jobs() {
    assert_only_the_poison_is_given_up(2, 2, 1);
}

pub(crate) fn workers_with_one_slot_each_in_one_process_do_not_blame_each_others_jobs() {
    assert_only_the_poison_is_given_up(4, 1, 1);
}

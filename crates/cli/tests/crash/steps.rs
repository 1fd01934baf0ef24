//! A worker is killed between the effect of a step and the record of its result, once in each job: the next worker
//! repeats that step alone, and every later attempt sees the one stored result.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::{CurrentAttempt, HandlerError, JobId, Payload, Queue, Status, Worker};
use longshore_testkit_postgres::Cluster;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::PATIENCE;

/// Makes this program a worker: URL, and the file of the effects.
pub(crate) const WORKER: &str = "work-in-steps";

const STEPS: [&str; 4] = ["reserve", "charge", "ship", "mail"];

/// What nobody takes back: a line with the job, the step and a number that no other effect has.
struct Effects(PathBuf);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Effect {
    job: i64,
    step: String,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct Sale;

impl Payload for Sale {
    const JOB_TYPE: &'static str = "sale";
}

impl Effects {
    fn all(&self) -> Vec<Effect> {
        let lines = std::fs::read_to_string(&self.0).unwrap_or_default();
        let read = |line: &str| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap().to_owned();
            Effect { job: word().parse().unwrap(), step: word(), number: word().parse().unwrap() }
        };
        lines.lines().map(read).collect()
    }

    fn of(&self, job: i64, step: &str) -> Vec<u64> {
        let all = self.all().into_iter();
        all.filter(|effect| effect.job == job && effect.step == step).map(|effect| effect.number).collect()
    }

    /// One write, so that lines never mix.
    fn happen(&self, job: i64, step: &str) -> std::io::Result<u64> {
        let number = fastrand::u64(..1 << 50);
        let mut file = File::options().append(true).create(true).open(&self.0)?;
        file.write_all(format!("{job} {step} {number}\n").as_bytes())?;
        Ok(number)
    }
}

/// The step of a job after whose first effect its worker dies.
fn deadly(job: JobId) -> &'static str {
    STEPS[usize::try_from(job.0).unwrap() % STEPS.len()]
}

pub(crate) fn run_worker(arguments: &[&str]) -> ExitCode {
    let [url, effects] = arguments else { panic!("a URL and a file") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let effects = Arc::new(Effects(PathBuf::from(effects)));
    let sell = move |_: Sale, attempt: CurrentAttempt| sell(attempt, Arc::clone(&effects));
    runtime.block_on(async {
        let queue = Queue::open(*url).await.unwrap();
        Worker::new(&queue)
            .lease(Duration::from_secs(2))
            .concurrency(1)
            .handle(sell)
            .run_until_drained()
            .await
            .unwrap();
    });
    ExitCode::SUCCESS
}

async fn sell(attempt: CurrentAttempt, effects: Arc<Effects>) -> Result<Vec<u64>, HandlerError> {
    let id = attempt.id();
    let mut numbers = Vec::new();
    for step in STEPS {
        let take_effect = || async {
            let number = effects.happen(id.0, step)?;
            if deadly(id) == step && effects.of(id.0, step).len() == 1 {
                kill_process(getpid(), Signal::KILL)?;
            }
            Ok(number)
        };
        numbers.push(attempt.step(step, take_effect).await?);
        attempt.checkpoint(&numbers).await?;
    }
    Ok(numbers)
}

pub(crate) fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("queue.db").display().to_string(), folder.path());
}

pub(crate) fn on_postgres() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Cluster::shared().database());
    run(&database.url(), folder.path());
}

fn run(url: &str, folder: &Path) {
    let effects = Effects(folder.join("effects"));
    let queue = Queue::open_blocking(url).unwrap();
    let jobs: Vec<JobId> = (0..2 * STEPS.len()).map(|_| queue.enqueue_blocking(&Sale).unwrap().id).collect();
    let (begun, mut deaths) = (Instant::now(), 0);
    while !is_drained(url, &effects.0) {
        deaths += 1;
        assert!(begun.elapsed() < PATIENCE, "{deaths} workers have died");
    }
    assert_eq!(deaths, jobs.len(), "each job killed its worker once");
    for id in jobs {
        assert_sold(&queue, id, &effects);
    }
}

/// Runs a worker to its end. Whether that was not a death.
fn is_drained(url: &str, effects: &Path) -> bool {
    let mut worker = Command::new(std::env::current_exe().unwrap());
    let ended = worker.arg(WORKER).arg(url).arg(effects).stdin(Stdio::null()).status().unwrap();
    assert!(ended.success() || ended.signal() == Some(9), "{ended}");
    ended.success()
}

fn assert_sold(queue: &Queue, id: JobId, effects: &Effects) {
    let detail = queue.job_blocking(id).unwrap().unwrap();
    assert_eq!((detail.job.status, detail.job.crash_count), (Status::Completed, 1), "job {id}");
    let happened = STEPS.map(|step| effects.of(id.0, step));
    let counts = happened.clone().map(|numbers| numbers.len());
    assert_eq!(counts, STEPS.map(|step| if step == deadly(id) { 2 } else { 1 }), "job {id}");
    // What was recorded last is what everybody sees, in the result, in the checkpoint and in the list of steps.
    let recorded = happened.map(|numbers| *numbers.last().unwrap());
    let numbers = format!("{recorded:?}").replace(' ', "");
    assert_eq!(detail.job.result.unwrap().as_str(), numbers);
    assert_eq!(detail.checkpoints.checkpoint.unwrap().as_str(), numbers);
    let steps: Vec<_> = detail.checkpoints.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps.len(), STEPS.len(), "{steps:?}");
}

//! The latency from an enqueue call to the start of its handler on an idle worker, and the cost of an idle worker.

use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use longshore::{AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, JobData, NewJob, Queue, Worker};
use serde::Serialize;
use tokio::sync::mpsc;

use super::own::{JOB_TYPE, open};
use crate::arguments::Durability;

/// A type of its own, so that other waiting jobs of the benchmark are not run.
const LATENCY_TYPE: &str = "bench-latency";
/// The pause between two samples. It lets the worker become idle again.
pub(super) const PAUSE: Duration = Duration::from_millis(15);
/// The time limit for one sample. A longer sample means that something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The median and the 99th percentile of the samples, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    p50: f64,
    p99: f64,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms", self.p50, self.p99)
    }
}

impl Percentiles {
    /// Computes both by nearest rank. Both are zero if there are no samples.
    pub(super) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * samples.len() as f64).ceil() as usize;
            let sample = samples.get(rank.max(1) - 1).or(samples.last()).copied().unwrap_or(0.0);
            (sample * 1000.0).round() / 1000.0
        };
        Self { p50: at(0.50), p99: at(0.99) }
    }
}

/// Measures with the producer in this process.
pub(super) async fn measure_same_process(folder: &Path, samples: u64, durability: Durability) -> Result<Percentiles> {
    measure(folder, samples, 0, durability).await.map(|(same, _)| same)
}

/// Measures both latencies: producer in this process, and producer in another process. The second is zero if there are
/// no samples.
pub(super) async fn measure(
    folder: &Path,
    samples: u64,
    foreign_samples: u64,
    durability: Durability,
) -> Result<(Percentiles, Percentiles)> {
    let path = folder.join("latency.db");
    let queue = open(&path, durability)?;
    let (sender, mut starts) = mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(&queue).concurrency(4).handler(JOB_TYPE, Arc::new(Timing(sender)));
    let running = tokio::spawn(async move { worker.run(async move { drop(stopped.await) }).await });

    let mut same = Vec::new();
    for _ in 0..samples {
        tokio::time::sleep(PAUSE).await;
        queue.enqueue_job(stamped_job()?).await?;
        same.push(next(&mut starts).await?);
    }
    let mut other = Vec::new();
    if foreign_samples > 0 {
        let mut producer = spawn_producer(&path, foreign_samples)?;
        for _ in 0..foreign_samples {
            other.push(next(&mut starts).await?);
        }
        producer.wait()?;
    }
    drop(stop);
    running.await??;
    Ok((Percentiles::of(same), Percentiles::of(other)))
}

/// Measures with a producer on the worker's own store, and with one on another store.
pub(super) async fn measure_on(queue: &Queue, other: &Queue, samples: u64) -> Result<(Percentiles, Percentiles)> {
    let (sender, mut starts) = mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(queue).concurrency(4).handler(LATENCY_TYPE, Arc::new(Timing(sender)));
    let running = tokio::spawn(async move { worker.run(async move { drop(stopped.await) }).await });
    let (mut same, mut foreign) = (Vec::new(), Vec::new());
    for (producer, times) in [(queue, &mut same), (other, &mut foreign)] {
        for _ in 0..samples {
            tokio::time::sleep(PAUSE).await;
            let job = NewJob::new(LATENCY_TYPE, JobData::encode(&nanoseconds())?);
            producer.enqueue_job(job).await?;
            times.push(next(&mut starts).await?);
        }
    }
    drop(stop);
    running.await??;
    Ok((Percentiles::of(same), Percentiles::of(foreign)))
}

async fn next(starts: &mut mpsc::UnboundedReceiver<f64>) -> Result<f64> {
    let start = tokio::time::timeout(PATIENCE, starts.recv()).await;
    start.context("a job was not started in 30 s")?.context("the worker ended early")
}

/// The first argument of the producer process of the benchmark.
const PRODUCER_WORD: &str = "bench-producer";

/// Runs as the producer process, if the arguments ask for it.
pub(crate) fn produce_if_asked() -> Result<bool> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != PRODUCER_WORD) {
        return Ok(false);
    }
    let (Some(database), Some(samples)) = (words.next(), words.next()) else { return Ok(false) };
    let samples: u64 = samples.to_string_lossy().parse()?;
    produce(Path::new(&database), samples)?;
    Ok(true)
}

/// Enqueues with plain SQL, as a program in another language does.
fn produce(database: &Path, samples: u64) -> Result<()> {
    let connection = rusqlite::Connection::open(database)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "full")?;
    let mut insert = connection.prepare("INSERT INTO job_queue (job_type, job_data) VALUES (?1, ?2)")?;
    for _ in 0..samples {
        std::thread::sleep(PAUSE);
        insert.execute((JOB_TYPE, nanoseconds().to_string()))?;
    }
    Ok(())
}

fn spawn_producer(database: &Path, samples: u64) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.arg(PRODUCER_WORD).arg(database).arg(samples.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().context("could not start the other process of the bench")
}

fn stamped_job() -> Result<NewJob> {
    Ok(NewJob::new(JOB_TYPE, JobData::encode(&nanoseconds())?))
}

/// Nanoseconds since 1970. Both processes read the same clock.
fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A handler that sends the age of the payload.
struct Timing(mpsc::UnboundedSender<f64>);

impl Handler for Timing {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let started = nanoseconds();
        let sender = self.0.clone();
        Box::pin(async move {
            let made: u64 = attempt.payload().decode()?;
            // The receiver is gone when the benchmark is over.
            let _ = sender.send(started.saturating_sub(made) as f64 / 1e6);
            Ok(Done::Completed { result: None })
        })
    }
}

/// The cost of idle worker processes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Idle {
    /// Processor time, in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub rss_mib: f64,
}

/// A worker needs at least one type. No job of this type is ever enqueued.
const IDLE_CONFIG: &str = "[jobs.never]\nrun = [\"true\"]\n";

/// Measures `longshore work` processes on an empty queue for `span`. All of them use one file, and their costs are
/// added. Returns nothing where the system has no `/proc`.
pub(super) async fn watch_idle(
    folder: &Path,
    workers: usize,
    span: Duration,
    durability: Durability,
) -> Result<Option<Idle>> {
    if !Path::new("/proc/self/stat").exists() {
        return Ok(None);
    }
    let path = folder.join(format!("idle-{workers}.db"));
    drop(open(&path, durability)?);
    let config = folder.join("longshore.toml");
    std::fs::write(&config, IDLE_CONFIG)?;
    let mut processes = Processes(Vec::new());
    for _ in 0..workers {
        let worker = Command::new(std::env::current_exe()?)
            .args(["work", "--quiet", "--concurrency", "10", "--database"])
            .arg(&path)
            .arg("--config")
            .arg(&config)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        processes.0.push(worker);
    }
    watch(&processes, span).await.map(Some)
}

/// Worker processes. Dropping them kills them, however the measurement ends.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // `kill` fails for a process that has already ended. It must be waited for in any case.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

async fn watch(processes: &Processes, span: Duration) -> Result<Idle> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ticks = || processes.0.iter().map(|process| cpu_ticks(process.id())).sum::<Result<u64>>();
    let before = ticks()?;
    tokio::time::sleep(span).await;
    let spent = (ticks()? - before) as f64 / TICKS_PER_SECOND;
    let kib = processes.0.iter().map(|process| resident_kib(process.id())).sum::<Result<f64>>()?;
    Ok(Idle { cpu_percent: spent / span.as_secs_f64() * 100.0, rss_mib: kib / 1024.0 })
}

fn resident_kib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let word = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let Some(word) = word else { bail!("the idle worker ended early") };
    Ok(word.parse()?)
}

/// Linux reports processor time in hundredths of a second (proc(5), sysconf(_SC_CLK_TCK)).
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time: fields 14 and 15 of /proc/PID/stat. The fields are counted after the name in parentheses.
fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the idle worker ended early")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}

//! The producer process of the benchmark: this program, started again.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use longshore::{JobData, NewJob, Queue};
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl, Prepare};

use super::own::JOB_TYPE;

/// The pause between two samples. It lets the worker become idle again.
pub(super) const PAUSE: Duration = Duration::from_millis(15);
/// How long the producer waits for the lock of a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first argument of the producer process.
const PRODUCER_WORD: &str = "bench-producer";
/// What names a server to a process of the benchmark. Arguments can be seen by everybody, and a URL may have a password.
pub(super) const SERVER_VARIABLE: &str = "LONGSHORE_DATABASE";

/// Where the producer enqueues.
#[derive(Clone, Debug)]
pub(super) enum ProducerTarget<'a> {
    /// A file, by plain SQL, as a program in another language does.
    File(&'a Path),
    /// The schema that this URL names, by a store of its own.
    Server(&'a str),
}

impl ProducerTarget<'_> {
    /// Starts a process that enqueues `samples` jobs with a pause before each.
    pub(super) fn spawn(&self, samples: u64) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(PRODUCER_WORD).arg(samples.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        match self {
            Self::File(path) => command.arg(path),
            Self::Server(url) => command.env(SERVER_VARIABLE, url),
        };
        command.spawn().context("could not start the other process of the bench")
    }
}

/// Runs as the producer process, if the arguments ask for it.
pub(crate) fn produce_if_asked() -> Result<bool> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != PRODUCER_WORD) {
        return Ok(false);
    }
    let samples: u64 = words.next().unwrap_or_default().to_string_lossy().parse()?;
    match words.next() {
        Some(path) => produce_in_file(&path, samples)?,
        None => produce_on_server(samples)?,
    }
    Ok(true)
}

fn produce_in_file(database: &OsString, samples: u64) -> Result<()> {
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

fn produce_on_server(samples: u64) -> Result<()> {
    let url: PostgresUrl = std::env::var(SERVER_VARIABLE)?.parse()?;
    let (store, _) = PostgresStore::open_prepared(PostgresOptions::new(url), Prepare::Nothing)?;
    let queue = Queue::from_backend(Arc::new(store));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for _ in 0..samples {
            tokio::time::sleep(PAUSE).await;
            queue.enqueue_job(stamped_job()?).await?;
        }
        Ok(())
    })
}

/// A job whose payload is the time at which it was made.
pub(super) fn stamped_job() -> Result<NewJob> {
    Ok(NewJob::new(JOB_TYPE, JobData::encode(&nanoseconds())?))
}

/// Nanoseconds since 1970. Both processes read the same clock.
pub(super) fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

use std::collections::BTreeSet;
use std::fs::File;
use std::num::NonZero;
use std::sync::Arc;

use longshore::Worker;
use longshore_core::{Filter, ScheduleSource};
use serde::Serialize;

#[cfg(feature = "web")]
mod beside;
mod handlers;
mod job_lines;
mod waiting;

#[cfg(feature = "web")]
use self::beside::RunningServer;
use self::job_lines::{JobLines, WorkCounts};
use self::waiting::{Telling, Waiting};
use super::queues;
use crate::arguments::{CONCURRENCY_MAX, QueueSlots, UpArguments, WorkArguments};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::ErrorReport;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::log_format::WORKER;
use crate::output::names::some_of;
use crate::runtime;
use crate::settings::config::Config;

/// The result of the command for `--json`.
#[derive(Serialize)]
struct Ended {
    ended: &'static str,
}

/// Runs jobs on a database whose schema is supported.
pub(crate) fn work(context: &Context, arguments: &WorkArguments) -> anyhow::Result<Exit> {
    run(context, arguments, Prepare::New, None)
}

/// Applies migrations, then runs jobs, beside a server.
pub(crate) fn up(context: &Context, arguments: &UpArguments) -> anyhow::Result<Exit> {
    run(context, &arguments.work, Prepare::Latest, Some(arguments))
}

fn run(
    context: &Context,
    arguments: &WorkArguments,
    prepare: Prepare,
    up: Option<&UpArguments>,
) -> anyhow::Result<Exit> {
    #[cfg(not(feature = "web"))]
    let _ = up;
    check_queues(arguments)?;
    let config = context.config()?;
    check_spare_files()?;
    let runtime = runtime::start()?;
    let ended = runtime.block_on(async {
        // The schema comes before the handlers: if it is not supported, nothing else matters.
        let nothing = nothing_to_run(&config, up.is_some() && !arguments.drain);
        // No database is made for a worker that could never run a job.
        let prepare = if nothing.is_some() && prepare == Prepare::New { Prepare::Nothing } else { prepare };
        let database = match (Database::open(context, prepare).await, nothing) {
            (Err(error), Some(nothing)) if is_missing(&error) => return end_idle(context, arguments, nothing),
            (opened, None) => opened?,
            (opened, Some(nothing)) => {
                opened?;
                return end_idle(context, arguments, nothing);
            }
        };
        let types: Vec<&str> = config.own_types().map(String::as_str).collect();
        #[cfg(feature = "web")]
        let lines = Arc::new(JobLines::redacting(config.serve.redact.clone()));
        #[cfg(not(feature = "web"))]
        let lines = Arc::new(JobLines::default());
        let worker = worker(context, &database, &config, arguments)?.middleware(Arc::clone(&lines));
        if !types.is_empty() {
            // Written through the log, which never waits for a reader.
            tracing::info!(target: WORKER, "running jobs of {}; stop with Ctrl-C or SIGTERM", types.join(", "));
            if config.worker.retention.is_none() || config.worker.dead_letter_retention.is_none() {
                tracing::info!(target: WORKER, "{}", config.worker.retention_words());
            }
        }
        if let Some(names) = some_of(config.schedules.keys()) {
            tracing::info!(target: WORKER, "making the jobs of schedules: {names}");
        }
        warn_of_unused_queues(&database, &config, arguments).await;
        let mine = Filter::all().job_types(config.own_types().cloned());
        let named = arguments.queues.iter().map(|slots| slots.queue.clone());
        let mine = if arguments.queues.is_empty() { mine } else { mine.queues(named) };
        #[cfg(feature = "web")]
        let server = match up {
            Some(up) => RunningServer::start(context, &database, &up.serve).await?,
            None => None,
        };
        watch(context, database, mine, lines.counts(), arguments);
        let is_house_only = up.is_some() && types.is_empty() && config.schedules.is_empty() && !config.jobs.is_empty();
        let ended = match is_house_only {
            // The jobs run in workers over HTTP, which come through the server.
            true => keep_house(worker).await,
            false => run_worker(worker, arguments).await,
        };
        #[cfg(feature = "web")]
        if let Some(server) = server {
            server.stop().await;
        }
        ended
    })?;
    context.hide_live();
    if context.output.format() == crate::output::Format::Json {
        let told = context.output.document(&Ended { ended });
        CommandError::after(format_args!("the worker has {ended}"), told)?;
    }
    Ok(Exit::Done)
}

/// Why a worker could never run a job, if that is so. Beside a server it has something to do for types of others.
fn nothing_to_run(config: &Config, is_beside_server: bool) -> Option<CommandError> {
    if config.own_types().next().is_some() || !config.schedules.is_empty() {
        return None;
    }
    match some_of(config.jobs.keys()) {
        None => Some(CommandError::NoJobTypes),
        Some(_) if is_beside_server => None,
        Some(others) => Some(CommandError::NoOwnJobTypes { others }),
    }
}

/// A queue that is drained has no job that could run, so a drain ends well.
fn end_idle(context: &Context, arguments: &WorkArguments, nothing: CommandError) -> anyhow::Result<&'static str> {
    if arguments.drain {
        context.output.note(nothing);
        return Ok("drained");
    }
    Err(nothing.into())
}

fn is_missing(error: &anyhow::Error) -> bool {
    ErrorReport::of(error).code == "database_missing"
}

/// A queue that was given twice is a typo: nobody could say which number of jobs was meant.
fn check_queues(arguments: &WorkArguments) -> Result<(), CommandError> {
    let mut seen = BTreeSet::new();
    match arguments.queues.iter().find(|slots| !seen.insert(slots.queue.as_str())) {
        Some(repeated) => Err(CommandError::RepeatedQueue { queue: repeated.queue.clone() }),
        None => Ok(()),
    }
}

/// Warns about queues that are probably misspelt.
async fn warn_of_unused_queues(database: &Database, config: &Config, arguments: &WorkArguments) {
    for QueueSlots { queue, .. } in &arguments.queues {
        let is_declared = config.worked_types().any(|job_type| config.new_job(job_type).queue == *queue);
        if !is_declared && let Some(similar) = queues::probably_meant(database, queue).await {
            tracing::warn!("no job has been in queue {queue} yet{similar}");
        }
    }
}

/// Shows counts, and what an idle worker waits for: on a terminal in a live line, else a drain says it in the log.
fn watch(context: &Context, database: Database, mine: Filter, counts: Arc<WorkCounts>, arguments: &WorkArguments) {
    let waiting = Waiting::default();
    let (shown, shown_counts) = (waiting.clone(), Arc::clone(&counts));
    let is_live = context.show_live(Box::new(move || shown_counts.in_words() + &shown.in_words()));
    let telling = match (is_live, arguments.drain) {
        (true, _) => Telling::LiveLine,
        (false, true) => Telling::Log,
        (false, false) => return,
    };
    // Ends with the runtime.
    tokio::spawn(waiting::watch(database, mine, counts, waiting, telling));
}

/// The number of files that a worker with one running program opens beyond those inherited at start: the runtime's, the
/// database's and the program's pipes. With fewer it could never run a job, and the runtime would panic.
const WORKER_FILES: usize = 23;

fn check_spare_files() -> std::io::Result<()> {
    let place = if cfg!(unix) { "/dev/null" } else { "NUL" };
    let opened: std::io::Result<Vec<File>> = (0..WORKER_FILES).map(|_| File::open(place)).collect();
    opened.map(drop)
}

/// A worker with the settings that are not about running jobs: all that keeps the house of a server.
pub(super) fn housekeeper(database: &Database, config: &Config) -> Worker {
    let settings = &config.worker;
    let mut worker = Worker::new(database.queue())
        .retention(settings.retention())
        .dead_letter_retention(settings.dead_letter_retention());
    for (subject, rule) in config.limits() {
        worker = worker.limit_of(subject, rule);
    }
    worker
}

fn worker(
    context: &Context,
    database: &Database,
    config: &Config,
    arguments: &WorkArguments,
) -> anyhow::Result<Worker> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let settings = &config.worker;
    let concurrency = arguments
        .concurrency
        .or(settings.concurrency.map(NonZero::get))
        .unwrap_or(u32::try_from(processors).unwrap_or(u32::MAX));
    let mut worker = housekeeper(database, config).concurrency(concurrency.min(CONCURRENCY_MAX));
    if let Some(grace) = settings.grace {
        worker = worker.grace(grace);
    }
    if let Some(lease) = settings.lease {
        worker = worker.lease(lease);
    }
    for slots in &arguments.queues {
        worker = worker.queue_with_limit(&slots.queue, slots.slots.unwrap_or(u32::MAX));
    }
    worker = worker.schedule_source(ScheduleSource::Config);
    for schedule in config.schedules() {
        worker = worker.schedule(schedule);
    }
    for (job_type, handler) in handlers::all(context, config)? {
        worker = worker.handler(job_type, handler);
    }
    Ok(worker)
}

async fn keep_house(worker: Worker) -> anyhow::Result<&'static str> {
    let (first, _second) = longshore::stop_signals()?;
    worker.keep_house(first).await?;
    Ok("stopped")
}

async fn run_worker(worker: Worker, arguments: &WorkArguments) -> anyhow::Result<&'static str> {
    let (first, second) = longshore::stop_signals()?;
    if !arguments.drain {
        worker.run_until(first, second).await?;
        return Ok("stopped");
    }
    let mut is_stopped = false;
    let shutdown = async {
        first.await;
        is_stopped = true;
    };
    worker.run_until_drained_or(shutdown, second).await?;
    Ok(if is_stopped { "stopped" } else { "drained" })
}

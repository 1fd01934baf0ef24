mod limits;
pub(crate) mod programs;
mod schedules;
mod server;
mod several;

use std::collections::BTreeSet;
use std::time::Duration;

use longshore_core::{
    Health, JobKeeper, LongAttempt, MovePhase, QueueStats, Status, StuckCause, StuckJob, TypeBacklog,
};
use serde::Serialize;

pub(crate) use several::examine;

use crate::output::quoted::{argument, flag_with_name, toml_key};
use crate::output::relative_time::span;
use crate::output::table::count_jobs;

/// A problem and its fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A stable code for scripts.
    pub(crate) code: &'static str,
    /// The problem, in one sentence.
    pub(crate) message: String,
    /// The fix.
    pub(crate) hint: String,
}

impl Finding {
    /// Creates a finding.
    pub(crate) fn new(code: &'static str, message: String, hint: impl Into<String>) -> Self {
        Self { code, message, hint: hint.into() }
    }
}

/// The engine restarts a log at its beginning long before this size. A larger log cannot shrink at the moment.
const WAL_BYTES_MAX: u64 = 64 * MIB;
/// A disk is almost full if it has less free space than this …
const DISK_FREE_BYTES_MIN: u64 = 256 * MIB;
/// … or less than one twentieth, unless that is still a lot.
const DISK_FREE_SHARE: u64 = 20;
const DISK_FREE_BYTES_PLENTY: u64 = 10 * 1024 * MIB;
/// Clock differences on one machine and rounding are smaller than this.
const CLOCK_SLACK: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// Finds problems in the facts, the worst first. `configured` are the job types of the configuration file.
pub(crate) fn judge(health: &Health, configured: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(moving(health));
    findings.extend(disk(health));
    findings.extend(health.server.iter().flat_map(server::judge));
    findings.extend(clock(health));
    findings.extend(dead_workers(health));
    findings.extend(stuck_jobs(health));
    findings.extend(long_attempts(health));
    findings.extend(health.keepers.iter().map(keeper));
    findings.extend(nobody_works(health));
    findings.extend(names(health));
    findings.extend(types(health, configured));
    findings.extend(health.queues.iter().filter_map(|queue| paused(queue, health)));
    findings.extend(dead_letters(health));
    findings.extend(write_ahead_log(health));
    findings
}

fn moving(health: &Health) -> Option<Finding> {
    let state = health.moving.as_ref()?;
    let (code, hint) = match state.phase {
        MovePhase::Arrived => return None,
        MovePhase::MovedAway => {
            ("queue_moved", "use that database: what is left here is a copy that nobody may change")
        }
        MovePhase::Undoing => ("queue_moving", "carry it on with the same \"longshore move\" with --undo"),
        MovePhase::Draining | MovePhase::Frozen | MovePhase::Arriving => {
            ("queue_moving", "if it was interrupted, run the same \"longshore move\" again, or with --undo")
        }
    };
    Some(Finding::new(code, state.to_string(), hint))
}

fn disk(health: &Health) -> Option<Finding> {
    let local = health.local?;
    let free = local.disk_free_bytes?;
    let is_small_share = local.disk_total_bytes.is_some_and(|total| free < total / DISK_FREE_SHARE);
    let is_almost_full = free < DISK_FREE_BYTES_MIN || (is_small_share && free < DISK_FREE_BYTES_PLENTY);
    is_almost_full.then(|| {
        let message = format!("the disk is almost full: {} MiB are free", free / MIB);
        Finding::new(
            "disk_almost_full",
            message,
            "free some space, or move the database; on a full disk every write fails",
        )
    })
}

fn clock(health: &Health) -> Option<Finding> {
    let latest = health.latest_record_at?;
    let ahead = latest.since(health.now);
    (ahead > CLOCK_SLACK).then(|| {
        let message = format!("the clock jumped: the database has records from {} ahead of now", span(ahead));
        let hint = "set the clock, for example with an NTP service; until then, scheduled jobs may start late";
        Finding::new("clock_jumped", message, hint)
    })
}

fn dead_workers(health: &Health) -> Option<Finding> {
    let jobs: u64 = health.dead_workers.iter().map(|(_, jobs)| jobs).sum();
    let (worker, _) = health.dead_workers.iter().find(|(_, jobs)| *jobs > 0)?;
    let message = format!("dead workers hold {}; one of them is {worker}", count_jobs(jobs));
    Some(Finding::new(
        "dead_workers",
        message,
        "start a worker (\"longshore work\"): it returns the jobs to their queues within seconds",
    ))
}

/// Jobs that can never continue, for example because another program changed rows with plain SQL.
fn stuck_jobs(health: &Health) -> Option<Finding> {
    let first = health.stuck.first()?;
    let StuckJob { id, cause } = first;
    let jobs = count_jobs(health.stuck.len() as u64);
    let most = if health.stuck.len() >= StuckJob::TOLD_MAX { "at least " } else { "" };
    let message = format!("{most}{jobs} cannot continue, such as job {id}, which {cause}");
    let hint = match cause {
        StuckCause::ParentEnded { parent, status } if *status != Status::Completed => {
            format!(
                "longshore jobs retry {parent}; otherwise a worker's housekeeping gives up the jobs that wait for it"
            )
        }
        _ => "start a worker (\"longshore work\"): its housekeeping fixes them within minutes".to_owned(),
    };
    Some(Finding::new("stuck_jobs", message, hint))
}

/// There is no time limit unless one is set, so an attempt that hangs is only seen here.
fn long_attempts(health: &Health) -> Option<Finding> {
    let LongAttempt { id, job_type, started_at, usual_ms } = health.long_attempts.first()?;
    let (ran, usual) = (span(health.now.since(*started_at)), span(Duration::from_millis(*usual_ms)));
    let of_type = format!("attempts of {job_type} usually take less than {usual}");
    let message = match health.long_attempts.len() {
        1 => format!("job {id} has been running for {ran}; {of_type}"),
        many => format!("{many} attempts take far longer than usual: job {id} has been running for {ran}; {of_type}"),
    };
    let hint = format!(
        "see what it does with \"longshore jobs logs {id}\"; if it hangs, longshore jobs cancel {id}, and set a timeout for \
         this type"
    );
    Some(Finding::new("long_attempts", message, hint))
}

fn keeper(keeper: &JobKeeper) -> Finding {
    let JobKeeper { table, column, jobs } = keeper;
    let most = if *jobs >= u64::from(JobKeeper::JOBS_MAX) { "at least " } else { "" };
    let message = format!("{table}.{column} refers to {most}{}, which cannot be removed", count_ended_jobs(*jobs));
    let hint =
        format!("declare the foreign key of {table}.{column} with ON DELETE SET NULL or CASCADE, or delete its rows");
    Finding::new("jobs_kept_by_table", message, hint)
}

fn count_ended_jobs(jobs: u64) -> String {
    if jobs == 1 { "1 ended job".to_owned() } else { format!("{jobs} ended jobs") }
}

fn nobody_works(health: &Health) -> Option<Finding> {
    if health.living_workers > 0 || open_backlog(health).next().is_none() {
        return None;
    }
    let jobs = count_backlog(open_backlog(health));
    Some(Finding::new(
        "no_worker",
        format!("no worker is running, but {jobs} could run now"),
        "start one with \"longshore work\" or \"longshore up\"",
    ))
}

/// Names that are not valid text. Only a faulty program can write them.
fn names(health: &Health) -> Option<Finding> {
    let unreadable: Vec<&TypeBacklog> = health.backlog.iter().filter(|backlog| !backlog.has_valid_names).collect();
    let first = unreadable.first()?;
    let message = format!(
        "{} cannot run because a name is not valid UTF-8, such as type \"{}\" in queue \"{}\"",
        count_backlog(unreadable.iter().copied()),
        first.job_type,
        first.queue
    );
    let hint = "give them a valid name in SQL (UPDATE job_queue SET queue = …, job_type = …), and correct the program \
                that wrote them";
    Some(Finding::new("invalid_name", message, hint))
}

/// Types that no worker and no configuration knows, and types that only the configuration knows while workers run.
fn types(health: &Health, configured: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let readable = health.backlog.iter().filter(|backlog| backlog.has_valid_names);
    let waiting: BTreeSet<&str> = readable.map(|backlog| backlog.job_type.as_str()).collect();
    for job_type in waiting.into_iter().filter(|word| !health.known_job_types.iter().any(|known| known == word)) {
        let of_type = health.backlog.iter().filter(|backlog| backlog.job_type == job_type);
        let jobs = count_backlog(of_type);
        if !configured.contains(job_type) {
            let message = format!(
                "no worker and no configuration file knows the type \"{job_type}\"; {jobs} of this type could run now"
            );
            let hint = format!(
                "declare [jobs.{}] in longshore.toml, start the program that handles it, or delete them: \
                 longshore jobs delete --all {}",
                toml_key(job_type),
                flag_with_name("--type", job_type)
            );
            findings.push(Finding::new("unknown_job_type", message, hint));
        } else if health.living_workers > 0 {
            let message = format!("no running worker knows the type \"{job_type}\"; {jobs} of this type could run now");
            let hint = "restart the worker, so that it reads the configuration that declares this type";
            findings.push(Finding::new("job_type_without_worker", message, hint));
        }
    }
    findings
}

fn paused(queue: &QueueStats, health: &Health) -> Option<Finding> {
    let since = queue.paused_at?;
    let count = |status: Status| queue.jobs.get(&status).copied().unwrap_or(0);
    let jobs = count(Status::Pending) + count(Status::Retrying);
    (jobs > 0).then(|| {
        let name = &queue.queue;
        let ago = span(health.now.since(since));
        let message = format!("queue {name} has been paused for {ago}, with {} waiting in it", count_jobs(jobs));
        Finding::new("paused_queue", message, format!("longshore queues resume {}", argument(name)))
    })
}

fn dead_letters(health: &Health) -> Option<Finding> {
    let (recent, all) = (health.dead_letters_last_hour, health.dead_letters);
    (recent > 0).then(|| {
        let message = format!("the number of dead letters grows: {recent} in the last hour, {all} in total");
        let hint = "find the reasons with \"longshore dead list\", then retry or discard them";
        Finding::new("dead_letters_grow", message, hint)
    })
}

fn write_ahead_log(health: &Health) -> Option<Finding> {
    let bytes = health.local?.wal_bytes;
    (bytes > WAL_BYTES_MAX).then(|| {
        let message = format!("the write-ahead log has {} MiB and cannot shrink", bytes / MIB);
        let hint =
            "stop the program that keeps a read transaction open on the database (\"fuser FILE\" lists candidates)";
        Finding::new("wal_does_not_shrink", message, hint)
    })
}

/// Jobs that wait in queues that are not paused.
fn open_backlog(health: &Health) -> impl Iterator<Item = &TypeBacklog> {
    let paused: BTreeSet<&str> =
        health.queues.iter().filter(|queue| queue.paused_at.is_some()).map(|queue| queue.queue.as_str()).collect();
    health.backlog.iter().filter(move |backlog| backlog.jobs > 0 && !paused.contains(backlog.queue.as_str()))
}

/// The number of waiting jobs, in words. The count of one type has an upper bound.
fn count_backlog<'a>(backlog: impl Iterator<Item = &'a TypeBacklog>) -> String {
    let counts: Vec<u64> = backlog.map(|backlog| backlog.jobs).collect();
    let words = count_jobs(counts.iter().sum());
    if counts.iter().any(|jobs| *jobs >= u64::from(TypeBacklog::JOBS_MAX)) {
        format!("at least {words}")
    } else {
        words
    }
}

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use longshore_core::{
    BrokenKey, Health, JobKeeper, LongAttempt, MovePhase, MoveState, QueueStats, Status, StuckJob, Timestamp,
    TypeBacklog, WorkerId,
};

use crate::relative_time::span;

/// A problem that the facts about a database show. Its text is one sentence without a capital and without a full stop.
/// Commands add what to type against it, and pages add a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthProblem {
    /// The queue is moving, or has moved away.
    Moving(MoveState),
    /// The server takes no writes: it is a standby, or was set to read-only.
    ReadOnlyServer,
    /// The disk is almost full.
    DiskAlmostFull {
        /// What is free.
        free_bytes: u64,
    },
    /// The database has records from the future.
    ClockJumped {
        /// How far ahead of now they are.
        ahead: Duration,
    },
    /// Dead workers still hold jobs.
    DeadWorkers {
        /// One of them.
        worker: WorkerId,
        /// The jobs of all of them.
        jobs: u64,
    },
    /// Jobs that cannot continue.
    StuckJobs {
        /// The first of them.
        first: StuckJob,
        /// How many; no more are listed than [`StuckJob::TOLD_MAX`].
        jobs: u64,
    },
    /// Attempts that run far longer than usual.
    LongAttempts {
        /// The longest of them.
        first: LongAttempt,
        /// How long it has run.
        ran: Duration,
        /// How many there are.
        attempts: u64,
    },
    /// A table of the application keeps ended jobs from being removed.
    KeptJobs(JobKeeper),
    /// A foreign key of the application with which jobs cannot be deleted, and perhaps not run.
    BrokenKey(BrokenKey),
    /// No worker is running, and jobs could.
    NoWorker {
        /// The jobs.
        jobs: CountedJobs,
    },
    /// Names that are not valid text.
    InvalidNames {
        /// The queue of the first of them.
        queue: String,
        /// Its type.
        job_type: String,
        /// The jobs of all of them.
        jobs: CountedJobs,
    },
    /// A type that no worker and no configuration knows.
    UnknownType {
        /// The type.
        job_type: String,
        /// Its jobs.
        jobs: CountedJobs,
    },
    /// A type that is configured, and no running worker knows it.
    TypeWithoutWorker {
        /// The type.
        job_type: String,
        /// Its jobs.
        jobs: CountedJobs,
    },
    /// A paused queue with waiting jobs.
    PausedQueue {
        /// The queue.
        queue: String,
        /// For how long it has been paused.
        paused: Duration,
        /// How many jobs wait.
        jobs: u64,
        /// How many of them are pending and due later.
        scheduled: u64,
        /// Whether that may be more, as in [`QueueStats`].
        has_more_scheduled: bool,
    },
    /// Dead letters of the last hour.
    DeadLettersGrow {
        /// How many there are of the last hour.
        recent: u64,
        /// How many there are in total.
        all: u64,
    },
    /// The write-ahead log stays large.
    LogDoesNotShrink {
        /// Its size.
        bytes: u64,
    },
}

/// A number of jobs that could run now. The count of one type has an upper bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedJobs {
    /// The number that was counted.
    pub jobs: u64,
    /// Whether there may be more.
    pub is_at_least: bool,
}

const MIB: u64 = 1024 * 1024;
/// The engine restarts a log at its beginning long before this size. A larger log cannot shrink at the moment.
const WAL_BYTES_MAX: u64 = 64 * MIB;
/// A disk is almost full if it has less free space than this …
const DISK_FREE_BYTES_MIN: u64 = 256 * MIB;
/// … or less than one twentieth, unless that is still a lot.
const DISK_FREE_SHARE: u64 = 20;
const DISK_FREE_BYTES_PLENTY: u64 = 10 * 1024 * MIB;
/// Clock differences on one machine and rounding are smaller than this.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

impl HealthProblem {
    /// What the facts show, the worst kind first, and of a kind what has lasted longest first. `is_configured` says
    /// whether a configuration knows a type.
    pub fn all_of(health: &Health, is_configured: impl Fn(&str) -> bool) -> Vec<Self> {
        let mut problems = Vec::new();
        problems.extend(moving(health));
        problems.extend(read_only(health));
        problems.extend(disk(health));
        problems.extend(clock(health));
        if health.moving.as_ref().is_some_and(|state| state.phase == MovePhase::MovedAway) {
            // What is left here is a copy, so nobody has to work on it.
            return problems;
        }
        problems.extend(health.broken_keys.iter().cloned().map(Self::BrokenKey));
        problems.extend(dead_workers(health));
        problems.extend(stuck_jobs(health));
        problems.extend(long_attempts(health));
        problems.extend(health.keepers.iter().cloned().map(Self::KeptJobs));
        problems.extend(no_worker(health));
        problems.extend(invalid_names(health));
        problems.extend(types(health, is_configured));
        problems.extend(paused_queues(health));
        problems.extend(dead_letters(health));
        problems.extend(write_ahead_log(health));
        problems
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Moving(MoveState { phase: MovePhase::MovedAway, .. }) => "queue_moved",
            Self::Moving(_) => "queue_moving",
            Self::ReadOnlyServer => "database_read_only",
            Self::DiskAlmostFull { .. } => "disk_almost_full",
            Self::ClockJumped { .. } => "clock_jumped",
            Self::DeadWorkers { .. } => "dead_workers",
            Self::StuckJobs { .. } => "stuck_jobs",
            Self::LongAttempts { .. } => "long_attempts",
            Self::KeptJobs(_) => "jobs_kept_by_table",
            Self::BrokenKey(_) => "broken_foreign_key",
            Self::NoWorker { .. } => "no_worker",
            Self::InvalidNames { .. } => "invalid_name",
            Self::UnknownType { .. } => "unknown_job_type",
            Self::TypeWithoutWorker { .. } => "job_type_without_worker",
            Self::PausedQueue { .. } => "paused_queue",
            Self::DeadLettersGrow { .. } => "dead_letters_grow",
            Self::LogDoesNotShrink { .. } => "wal_does_not_shrink",
        }
    }
}

impl fmt::Display for HealthProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moving(state) => write!(f, "{state}"),
            Self::ReadOnlyServer => {
                f.write_str("the database takes no writes: the server is a standby, or is set to read-only")
            }
            Self::DiskAlmostFull { free_bytes } => {
                write!(f, "the disk is almost full: {} MiB are free", free_bytes / MIB)
            }
            Self::ClockJumped { ahead } => {
                write!(f, "the clock jumped: the database has records from {} ahead of now", span(*ahead))
            }
            Self::DeadWorkers { worker, jobs } => {
                write!(f, "dead workers hold {}; one of them is {worker}", count_jobs(*jobs))
            }
            Self::StuckJobs { first: StuckJob { id, cause }, jobs } => {
                let least = if *jobs >= StuckJob::TOLD_MAX as u64 { "at least " } else { "" };
                write!(f, "{least}{} cannot continue, such as job {id}, which {cause}", count_jobs(*jobs))
            }
            Self::LongAttempts { first, ran, attempts } => write_long_attempts(f, first, *ran, *attempts),
            Self::KeptJobs(JobKeeper { table, column, jobs }) => {
                let least = if *jobs >= u64::from(JobKeeper::JOBS_MAX) { "at least " } else { "" };
                let ended = if *jobs == 1 { "1 ended job".to_owned() } else { format!("{jobs} ended jobs") };
                write!(f, "{table}.{column} refers to {least}{ended}, which cannot be removed")
            }
            Self::BrokenKey(BrokenKey { table, columns, refers_to }) => write!(
                f,
                "the foreign key {table} ({}) refers to job_queue ({}), which is no unique key: no job can be deleted, \
                 and none can run if that changes one of these columns",
                columns.join(", "),
                refers_to.join(", ")
            ),
            Self::NoWorker { jobs } => write!(f, "no worker is running, but {jobs} could run now"),
            Self::InvalidNames { queue, job_type, jobs } => write!(
                f,
                "{jobs} cannot run because a name is not valid UTF-8, such as type \"{job_type}\" in queue \"{queue}\""
            ),
            Self::UnknownType { job_type, jobs } => write!(
                f,
                "no worker and no configuration file knows the type \"{job_type}\"; {jobs} of this type could run now"
            ),
            Self::TypeWithoutWorker { job_type, jobs } => {
                write!(f, "no running worker knows the type \"{job_type}\"; {jobs} of this type could run now")
            }
            Self::PausedQueue { queue, paused, jobs, scheduled, has_more_scheduled } => {
                let (paused, jobs) = (span(*paused), count_jobs(*jobs));
                write!(f, "queue {queue} has been paused for {paused}, with {jobs} waiting in it")?;
                match (scheduled, has_more_scheduled) {
                    (0, _) => Ok(()),
                    (scheduled, false) => write!(f, "; {scheduled} of them due later"),
                    (scheduled, true) => write!(f, "; at least {scheduled} of them due later"),
                }
            }
            Self::DeadLettersGrow { recent, all } => {
                write!(f, "the number of dead letters grows: {recent} in the last hour, {all} in total")
            }
            Self::LogDoesNotShrink { bytes } => {
                write!(f, "the write-ahead log has {} MiB and cannot shrink", bytes / MIB)
            }
        }
    }
}

fn write_long_attempts(f: &mut fmt::Formatter<'_>, first: &LongAttempt, ran: Duration, attempts: u64) -> fmt::Result {
    let LongAttempt { id, job_type, started_at: _, usual_ms } = first;
    if attempts > 1 {
        write!(f, "{attempts} attempts take far longer than usual: ")?;
    }
    let (ran, usual) = (span(ran), span(Duration::from_millis(*usual_ms)));
    write!(f, "job {id} has been running for {ran}; attempts of {job_type} usually take less than {usual}")
}

impl CountedJobs {
    /// The jobs of these rows together.
    pub fn of<'a>(backlog: impl Iterator<Item = &'a TypeBacklog>) -> Self {
        backlog.fold(Self { jobs: 0, is_at_least: false }, |sum, of_type| Self {
            jobs: sum.jobs.saturating_add(of_type.jobs),
            is_at_least: sum.is_at_least || of_type.jobs >= u64::from(TypeBacklog::JOBS_MAX),
        })
    }
}

impl fmt::Display for CountedJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.is_at_least { "at least " } else { "" };
        write!(f, "{least}{}", count_jobs(self.jobs))
    }
}

fn count_jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

fn moving(health: &Health) -> Option<HealthProblem> {
    let state = health.moving.as_ref().filter(|state| state.phase != MovePhase::Arrived)?;
    Some(HealthProblem::Moving(state.clone()))
}

fn read_only(health: &Health) -> Option<HealthProblem> {
    health.server.as_ref()?.is_read_only.then_some(HealthProblem::ReadOnlyServer)
}

fn disk(health: &Health) -> Option<HealthProblem> {
    let local = health.local?;
    let free_bytes = local.disk_free_bytes?;
    let is_small_share = local.disk_total_bytes.is_some_and(|total| free_bytes < total / DISK_FREE_SHARE);
    let is_almost_full = free_bytes < DISK_FREE_BYTES_MIN || (is_small_share && free_bytes < DISK_FREE_BYTES_PLENTY);
    is_almost_full.then_some(HealthProblem::DiskAlmostFull { free_bytes })
}

fn clock(health: &Health) -> Option<HealthProblem> {
    let ahead = health.latest_record_at?.since(health.now);
    (ahead > CLOCK_SLACK).then_some(HealthProblem::ClockJumped { ahead })
}

fn dead_workers(health: &Health) -> Option<HealthProblem> {
    let jobs = health.dead_workers.iter().map(|(_, jobs)| jobs).sum();
    let (worker, _) = health.dead_workers.iter().find(|(_, jobs)| *jobs > 0)?;
    Some(HealthProblem::DeadWorkers { worker: worker.clone(), jobs })
}

/// Jobs that can never continue, for example because another program changed rows with plain SQL.
fn stuck_jobs(health: &Health) -> Option<HealthProblem> {
    let first = *health.stuck.first()?;
    Some(HealthProblem::StuckJobs { first, jobs: health.stuck.len() as u64 })
}

/// There is no time limit unless one is set, so an attempt that hangs is only seen here.
fn long_attempts(health: &Health) -> Option<HealthProblem> {
    let first = health.long_attempts.first()?.clone();
    let ran = health.now.since(first.started_at);
    Some(HealthProblem::LongAttempts { first, ran, attempts: health.long_attempts.len() as u64 })
}

fn no_worker(health: &Health) -> Option<HealthProblem> {
    let jobs = CountedJobs::of(open_backlog(health));
    (health.living_workers == 0 && jobs.jobs > 0).then_some(HealthProblem::NoWorker { jobs })
}

/// Names that are not valid text. Only a faulty program can write them.
fn invalid_names(health: &Health) -> Option<HealthProblem> {
    let unreadable = || health.backlog.iter().filter(|backlog| !backlog.has_valid_names);
    let first = unreadable().next()?;
    let (queue, job_type) = (first.queue.clone(), first.job_type.clone());
    Some(HealthProblem::InvalidNames { queue, job_type, jobs: CountedJobs::of(unreadable()) })
}

/// Types that no worker and no configuration knows, and types that only the configuration knows while workers run.
fn types(health: &Health, is_configured: impl Fn(&str) -> bool) -> Vec<HealthProblem> {
    let known: BTreeSet<&str> = health.known_job_types.iter().map(String::as_str).collect();
    let mut waiting: BTreeMap<&str, Vec<&TypeBacklog>> = BTreeMap::new();
    for backlog in health.backlog.iter().filter(|backlog| backlog.has_valid_names) {
        if !known.contains(backlog.job_type.as_str()) {
            waiting.entry(&backlog.job_type).or_default().push(backlog);
        }
    }
    let mut found: Vec<(Option<Timestamp>, HealthProblem)> = Vec::new();
    for (name, of_type) in waiting {
        let oldest = of_type.iter().map(|backlog| backlog.oldest_ready_at).min();
        let (job_type, jobs) = (name.to_owned(), CountedJobs::of(of_type.into_iter()));
        if !is_configured(name) {
            found.push((oldest, HealthProblem::UnknownType { job_type, jobs }));
        } else if health.living_workers > 0 {
            found.push((oldest, HealthProblem::TypeWithoutWorker { job_type, jobs }));
        }
    }
    // The sort is stable: types that have waited equally long stay in the order of their names.
    found.sort_by_key(|(oldest, _)| *oldest);
    found.into_iter().map(|(_, problem)| problem).collect()
}

fn paused_queues(health: &Health) -> Vec<HealthProblem> {
    let mut queues: Vec<(Timestamp, &QueueStats)> =
        health.queues.iter().filter_map(|queue| Some((queue.paused_at?, queue))).collect();
    queues.sort_by_key(|(paused_at, _)| *paused_at);
    let problem = |(paused_at, queue): (Timestamp, &QueueStats)| {
        let count = |status: Status| queue.jobs.get(&status).copied().unwrap_or(0);
        let jobs = count(Status::Pending) + count(Status::Retrying);
        let paused = health.now.since(paused_at);
        let QueueStats { scheduled, has_more_scheduled, .. } = *queue;
        (jobs > 0).then(|| HealthProblem::PausedQueue {
            queue: queue.queue.clone(),
            paused,
            jobs,
            scheduled,
            has_more_scheduled,
        })
    };
    queues.into_iter().filter_map(problem).collect()
}

fn dead_letters(health: &Health) -> Option<HealthProblem> {
    let (recent, all) = (health.dead_letters_last_hour, health.dead_letters);
    (recent > 0).then_some(HealthProblem::DeadLettersGrow { recent, all })
}

fn write_ahead_log(health: &Health) -> Option<HealthProblem> {
    let bytes = health.local?.wal_bytes;
    (bytes > WAL_BYTES_MAX).then_some(HealthProblem::LogDoesNotShrink { bytes })
}

/// Jobs that wait in queues that are not paused.
fn open_backlog(health: &Health) -> impl Iterator<Item = &TypeBacklog> {
    let paused: BTreeSet<&str> =
        health.queues.iter().filter(|queue| queue.paused_at.is_some()).map(|queue| queue.queue.as_str()).collect();
    health.backlog.iter().filter(move |backlog| backlog.jobs > 0 && !paused.contains(backlog.queue.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000_000);

    fn healthy() -> Health {
        Health {
            now: NOW,
            latest_record_at: None,
            local: None,
            server: None,
            queues: Vec::new(),
            backlog: Vec::new(),
            dead_workers: Vec::new(),
            known_job_types: vec!["mail".to_owned()],
            living_workers: 1,
            stuck: Vec::new(),
            keepers: Vec::new(),
            broken_keys: Vec::new(),
            long_attempts: Vec::new(),
            dead_letters: 4,
            dead_letters_last_hour: 0,
            moving: None,
        }
    }

    fn waiting(job_type: &str, minutes: u64) -> TypeBacklog {
        TypeBacklog {
            queue: "default".to_owned(),
            job_type: job_type.to_owned(),
            jobs: 1,
            oldest_ready_at: NOW.before(Duration::from_secs(60 * minutes)),
            has_valid_names: true,
        }
    }

    fn told(health: &Health) -> Vec<String> {
        let problems = HealthProblem::all_of(health, |job_type| job_type == "configured");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn types_that_nobody_knows_are_told_by_how_long_they_have_waited() {
        let backlog = vec![waiting("a", 1), waiting("b", 3), waiting("mail", 9), waiting("configured", 2)];
        assert_eq!(
            told(&Health { backlog, ..healthy() }),
            [
                "no worker and no configuration file knows the type \"b\"; 1 job of this type could run now",
                "no running worker knows the type \"configured\"; 1 job of this type could run now",
                "no worker and no configuration file knows the type \"a\"; 1 job of this type could run now",
            ]
        );
    }

    #[test]
    fn paused_queues_are_told_by_how_long_they_have_been_paused() {
        let paused = |name: &str, minutes: u64| QueueStats {
            queue: name.to_owned(),
            paused_at: Some(NOW.before(Duration::from_secs(60 * minutes))),
            jobs: BTreeMap::from([(Status::Pending, 2)]),
            scheduled: 0,
            has_more_scheduled: false,
            oldest_waiting_at: None,
        };
        let queues = vec![paused("a", 1), QueueStats { scheduled: 1, ..paused("b", 5) }];
        assert_eq!(
            told(&Health { queues, ..healthy() }),
            [
                "queue b has been paused for 5m, with 2 jobs waiting in it; 1 of them due later",
                "queue a has been paused for 1m, with 2 jobs waiting in it",
            ]
        );
    }

    #[test]
    fn of_a_queue_that_has_moved_away_only_that_is_told() {
        let moved = MoveState {
            move_id: "m".to_owned(),
            phase: MovePhase::MovedAway,
            other: "postgres://host/app".to_owned(),
            begun_at: NOW,
            takes_ended: false,
            has_settings: false,
            copied_to: None,
            before: None,
        };
        let left = Health { moving: Some(moved), backlog: vec![waiting("a", 1)], living_workers: 0, ..healthy() };
        assert_eq!(told(&left), ["this queue moved to postgres://host/app"]);
    }

    #[test]
    fn where_all_is_well_nothing_is_told() {
        assert_eq!(told(&Health { backlog: vec![waiting("mail", 9)], ..healthy() }), Vec::<String>::new());
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use longshore::limits::{LimitRow, LimitScope};
use longshore_core::{Health, QueueStats, ScheduleRecord, Stats, Status, Timestamp, TypeBacklog, WorkerRecord};
use longshore_report::relative_time::span;
use longshore_report::{CountedJobs, HealthProblem, LimitProblem};

use super::total;
use crate::diagnosis::{Diagnosis, SchemaState};
use crate::input::pairs::{encode, query};
use crate::pages::drawing::text::{counted, number};

/// A job that can run now and has waited longer is told.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How many problems of one kind are told, so that no kind hides another.
const TOLD_MAX: usize = 4;
/// How many names a problem of several types or queues says.
const NAMED_MAX: usize = 3;

/// Something that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Whether jobs are lost or stand still, and not only late.
    pub(super) is_bad: bool,
    pub(super) message: String,
    pub(super) remedy: Remedy,
}

/// What the page offers against a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It is outside the queue.
    Nothing,
    Look {
        path: String,
        words: &'static str,
    },
    RetryDeadLetters,
    Resume {
        queue: String,
    },
}

/// What the page has read.
pub(super) struct Facts<'a> {
    pub(super) stats: &'a Stats,
    pub(super) workers: &'a [WorkerRecord],
    /// None if it could not be read in time.
    pub(super) diagnosis: Option<&'a Diagnosis>,
    /// Whether the user sees all queues, and so all workers.
    pub(super) sees_all: bool,
    /// Whether a configuration knows a type.
    pub(super) is_configured: &'a dyn Fn(&str) -> bool,
    pub(super) now: Timestamp,
}

/// What is wrong, the worst kind first, and of a kind what has lasted longest first. It is what `longshore doctor` finds,
/// and queues that wait.
pub(super) fn problems(facts: &Facts<'_>) -> Vec<Problem> {
    let health = facts.health();
    let mut found = Vec::new();
    if facts.diagnosis.is_none() {
        found.push(look("The checks of longshore doctor could not be read in time. They are tried again.", "/"));
    }
    found.extend(facts.diagnosis.and_then(|diagnosis| of_schema(diagnosis.schema?)));
    let (mut types, mut kept, mut paused) = (TypesWithoutWorker::default(), Vec::new(), Vec::new());
    for problem in HealthProblem::all_of(&health, facts.is_configured) {
        let told = of_health(&problem);
        match problem {
            HealthProblem::UnknownType { job_type, jobs } => types.unknown.push(Named { name: job_type, jobs, told }),
            HealthProblem::TypeWithoutWorker { job_type, jobs } => {
                types.unworked.push(Named { name: job_type, jobs, told });
            }
            HealthProblem::KeptJobs(_) => kept.push(told),
            HealthProblem::PausedQueue { .. } => paused.push(told),
            _ => found.push(told),
        }
    }
    let backlog = Backlog::new(&health);
    let limits = LimitProblem::all_of(facts.saturated(), &health);
    found.extend(types.problems());
    found.extend(not_taken(facts, &health, &backlog));
    found.extend(bounded(schedules(facts), "problems of schedules", "/schedules"));
    found.extend(bounded(
        limits.iter().map(of_limit).collect(),
        "limits that keep jobs waiting",
        "/limits?saturated=yes",
    ));
    found.extend(bounded(kept, "tables that keep ended jobs", "/jobs"));
    found.extend(bounded(late(facts, &backlog, &limits), "queues whose jobs wait", "/queues"));
    found.extend(bounded(paused, "paused queues with jobs", "/queues"));
    found.extend(bounded(paused_schedules(facts), "paused schedules", "/schedules"));
    found
}

impl Facts<'_> {
    fn is_worked(&self) -> bool {
        self.workers.iter().any(|worker| worker.is_alive)
    }

    fn saturated(&self) -> &[LimitRow] {
        self.diagnosis.map_or(&[][..], |diagnosis| diagnosis.saturated.as_slice())
    }

    /// The facts of the diagnosis, with what the page has read just now in the place of what may be some seconds old.
    fn health(&self) -> Health {
        let mut health = self.diagnosis.map_or_else(|| unread(self.now), |diagnosis| diagnosis.health.clone());
        let ahead = health.latest_record_at.map(|at| at.since(health.now));
        // By the clock of the database: that of this process may differ from it.
        health.latest_record_at = ahead.map(|ahead| self.now.after(ahead));
        health.now = self.now;
        health.queues.clone_from(&self.stats.queues);
        let alive = || self.workers.iter().filter(|worker| worker.is_alive);
        let dead = self.workers.iter().filter(|worker| !worker.is_alive && !worker.running.is_empty());
        health.dead_workers = dead.map(|it| (it.worker_id.clone(), it.running.len() as u64)).collect();
        health.known_job_types.extend(alive().flat_map(|worker| worker.job_types.iter().cloned()));
        if self.sees_all || self.diagnosis.is_none() {
            health.living_workers = alive().count() as u64;
        }
        health.dead_letters = total(&self.stats.queues, Status::DeadLetter);
        if !self.sees_all || self.diagnosis.is_none() {
            health.dead_letters_last_hour = self.stats.minutes.iter().map(|minute| minute.failed).sum();
        }
        // Some may have been retried since.
        health.dead_letters_last_hour = health.dead_letters_last_hour.min(health.dead_letters);
        health
    }
}

/// Nothing is known.
const fn unread(now: Timestamp) -> Health {
    Health {
        now,
        latest_record_at: None,
        local: None,
        server: None,
        queues: Vec::new(),
        backlog: Vec::new(),
        dead_workers: Vec::new(),
        known_job_types: Vec::new(),
        living_workers: 0,
        stuck: Vec::new(),
        keepers: Vec::new(),
        broken_keys: Vec::new(),
        long_attempts: Vec::new(),
        dead_letters: 0,
        dead_letters_last_hour: 0,
        moving: None,
    }
}

/// The jobs that could run now, by their queue.
struct Backlog<'a> {
    queues: BTreeMap<&'a str, Vec<&'a TypeBacklog>>,
    known_job_types: BTreeSet<&'a str>,
}

impl<'a> Backlog<'a> {
    fn new(health: &'a Health) -> Self {
        let mut queues: BTreeMap<&str, Vec<&TypeBacklog>> = BTreeMap::new();
        for of_type in &health.backlog {
            queues.entry(&of_type.queue).or_default().push(of_type);
        }
        Self { queues, known_job_types: health.known_job_types.iter().map(String::as_str).collect() }
    }

    fn of(&self, queue: &str) -> &[&'a TypeBacklog] {
        self.queues.get(queue).map_or(&[], Vec::as_slice)
    }

    /// The jobs whose type a worker knows: the others have a problem of their own.
    fn known(&self, queue: &str) -> impl Iterator<Item = &'a TypeBacklog> {
        let is_known = move |of_type: &&TypeBacklog| self.known_job_types.contains(of_type.job_type.as_str());
        self.of(queue).iter().copied().filter(is_known)
    }
}

/// A problem of one type or queue.
struct Named {
    name: String,
    jobs: CountedJobs,
    /// What is told if no other has the problem.
    told: Problem,
}

/// One problem for all that have the same one. The words are given their names, in quotes, and their jobs.
fn together(mut alike: Vec<Named>, path: &str, words: impl Fn(&str, CountedJobs) -> String) -> Option<Problem> {
    if alike.len() < 2 {
        return alike.pop().map(|one| one.told);
    }
    let jobs = CountedJobs {
        jobs: alike.iter().map(|one| one.jobs.jobs).sum(),
        is_at_least: alike.iter().any(|one| one.jobs.is_at_least),
    };
    let mut names: Vec<String> = alike.iter().take(NAMED_MAX).map(|one| format!("\"{}\"", one.name)).collect();
    let others = alike.len() - names.len();
    let last = if others > 0 { format!("{} more", number(others as u64)) } else { names.pop().unwrap_or_default() };
    let is_bad = alike.iter().any(|one| one.told.is_bad);
    Some(Problem { is_bad, ..look(words(&format!("{} and {last}", names.join(", ")), jobs), path) })
}

/// Types whose jobs could run if a worker knew them, what has waited longest first.
#[derive(Default)]
struct TypesWithoutWorker {
    unknown: Vec<Named>,
    /// Those that a configuration knows.
    unworked: Vec<Named>,
}

impl TypesWithoutWorker {
    fn problems(self) -> impl Iterator<Item = Problem> {
        let unknown = together(self.unknown, "/types", |names, jobs| {
            format!("No worker and no configuration file knows the types {names}; {jobs} of these types could run now.")
        });
        let unworked = together(self.unworked, "/types", |names, jobs| {
            format!("No running worker knows the types {names}; {jobs} of these types could run now.")
        });
        unknown.into_iter().chain(unworked)
    }
}

/// The first of a kind, and how many more there are.
fn bounded(mut problems: Vec<Problem>, kind: &str, path: &str) -> Vec<Problem> {
    if problems.len() > TOLD_MAX {
        let (more, is_bad) = (problems.len() - TOLD_MAX, problems[TOLD_MAX].is_bad);
        problems.truncate(TOLD_MAX);
        problems.push(Problem { is_bad, ..look(format!("And {} more {kind}.", number(more as u64)), path) });
    }
    problems
}

fn look(message: impl Into<String>, path: &str) -> Problem {
    Problem { is_bad: false, message: message.into(), remedy: Remedy::Look { path: path.to_owned(), words: "Look" } }
}

fn bad(message: impl Into<String>, path: &str) -> Problem {
    Problem { is_bad: true, ..look(message, path) }
}

/// What begins in lower case and has no full stop.
fn sentence(words: &impl Display) -> String {
    let words = words.to_string();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => words,
    }
}

fn of_schema(schema: SchemaState) -> Option<Problem> {
    let told = match schema {
        SchemaState::NotYet => look("The schema is being compared with the migrations.", "/migrations"),
        SchemaState::Unreadable => look("The migrations could not be read.", "/migrations"),
        SchemaState::Read { differences: 0, pending: 0 } => return None,
        SchemaState::Read { differences: 0, pending } => {
            look(format!("{} pending.", counted(pending as u64, "migration")), "/migrations")
        }
        SchemaState::Read { differences, .. } => {
            let differences = counted(differences as u64, "difference");
            bad(format!("Ledger, files and schema do not agree: {differences}."), "/migrations")
        }
    };
    Some(told)
}

fn of_health(problem: &HealthProblem) -> Problem {
    let path = match problem {
        HealthProblem::Moving(_)
        | HealthProblem::ReadOnlyServer
        | HealthProblem::DiskAlmostFull { .. }
        | HealthProblem::ClockJumped { .. }
        | HealthProblem::KeptJobs(_)
        | HealthProblem::BrokenKey(_)
        | HealthProblem::InvalidNames { .. }
        | HealthProblem::LogDoesNotShrink { .. } => None,
        HealthProblem::DeadWorkers { .. } | HealthProblem::NoWorker { .. } => Some("/workers".to_owned()),
        HealthProblem::StuckJobs { first, .. } => Some(format!("/jobs/{}", first.id)),
        HealthProblem::LongAttempts { first, .. } => Some(format!("/jobs/{}", first.id)),
        HealthProblem::UnknownType { job_type, .. } | HealthProblem::TypeWithoutWorker { job_type, .. } => {
            Some(format!("/jobs{}", query([("status", Some("pending")), ("type", Some(job_type))])))
        }
        HealthProblem::PausedQueue { queue, .. } => {
            let remedy = Remedy::Resume { queue: queue.clone() };
            return Problem { is_bad: false, message: sentence(problem), remedy };
        }
        HealthProblem::DeadLettersGrow { .. } => {
            return Problem { is_bad: true, message: sentence(problem), remedy: Remedy::RetryDeadLetters };
        }
    };
    let is_bad = !matches!(
        problem,
        HealthProblem::LongAttempts { .. } | HealthProblem::KeptJobs(_) | HealthProblem::LogDoesNotShrink { .. }
    );
    match path {
        Some(path) => Problem { is_bad, ..look(sentence(problem), &path) },
        None => Problem { is_bad, message: sentence(problem), remedy: Remedy::Nothing },
    }
}

fn of_limit(problem: &LimitProblem) -> Problem {
    let limit = &problem.limit;
    let scope = if limit.scope == LimitScope::Queue { "queue" } else { "type" };
    look(sentence(problem), &format!("/limits{}", query([("scope", Some(scope)), ("name", Some(&limit.name))])))
}

fn schedules(facts: &Facts<'_>) -> Vec<Problem> {
    let found = facts.diagnosis.iter().flat_map(|diagnosis| &diagnosis.schedules);
    let found = found.flat_map(|(record, found)| found.iter().map(move |finding| (record, finding)));
    found.map(|(record, finding)| bad(sentence(&finding.message), &of_schedule(&record.name))).collect()
}

fn paused_schedules(facts: &Facts<'_>) -> Vec<Problem> {
    let records = facts.diagnosis.iter().flat_map(|diagnosis| &diagnosis.schedules).map(|(record, _)| record);
    let mut paused: Vec<_> = records.filter_map(|record| Some((record.paused_at?, record))).collect();
    paused.sort_by_key(|(since, _)| *since);
    let problem = |(since, record): (Timestamp, &ScheduleRecord)| {
        let reason = record.pause_reason.as_deref().unwrap_or("its definition says so");
        let since = span(facts.now.since(since));
        look(format!("Schedule {} has been paused for {since}: {reason}.", record.name), &of_schedule(&record.name))
    };
    paused.into_iter().map(problem).collect()
}

fn of_schedule(name: &str) -> String {
    format!("/schedules/{}", encode(name))
}

/// Workers run, and none of them takes from these queues.
fn not_taken(facts: &Facts<'_>, health: &Health, backlog: &Backlog<'_>) -> Option<Problem> {
    if !facts.is_worked() {
        return None;
    }
    let mut found: Vec<(Timestamp, Named)> = Vec::new();
    for queue in health.queues.iter().filter(|queue| queue.paused_at.is_none() && !is_taken(queue, facts.workers)) {
        let of_queue = backlog.of(&queue.queue);
        let Some(oldest) = of_queue.iter().map(|of_type| of_type.oldest_ready_at).min() else { continue };
        let jobs = CountedJobs::of(of_queue.iter().copied());
        let wait = if jobs.jobs == 1 { "waits" } else { "wait" };
        let message = format!("No worker takes from queue {}, where {jobs} {wait}.", queue.queue);
        found.push((oldest, Named { name: queue.queue.clone(), jobs, told: bad(message, "/workers") }));
    }
    found.sort_by_key(|(oldest, _)| *oldest);
    together(found.into_iter().map(|(_, named)| named).collect(), "/workers", |names, jobs| {
        format!("No worker takes from the queues {names}, where {jobs} wait.")
    })
}

fn is_taken(queue: &QueueStats, workers: &[WorkerRecord]) -> bool {
    let takes = |worker: &WorkerRecord| worker.queues.is_empty() || worker.queues.contains(&queue.queue);
    workers.iter().any(|worker| worker.is_alive && takes(worker))
}

/// Queues that a worker takes from, and whose oldest job has waited for long.
fn late(facts: &Facts<'_>, backlog: &Backlog<'_>, told: &[LimitProblem]) -> Vec<Problem> {
    let is_told =
        |queue: &QueueStats| told.iter().any(|it| it.limit.scope == LimitScope::Queue && it.limit.name == queue.queue);
    let mut found: Vec<(Timestamp, Problem)> = Vec::new();
    for queue in facts.stats.queues.iter().filter(|queue| queue.paused_at.is_none() && !is_told(queue)) {
        let Some((oldest, oldest_of)) = oldest(queue, facts, backlog) else { continue };
        let waited = facts.now.since(oldest);
        if waited > WAIT_MAX && is_taken(queue, facts.workers) {
            let why = limit_of(&queue.queue, oldest_of, facts.saturated());
            let message = format!("The oldest job of queue {} has waited {}{why}.", queue.queue, span(waited));
            let path = query([("status", Some("pending")), ("queue", Some(&queue.queue))]);
            found.push((oldest, look(message, &format!("/jobs{path}"))));
        }
    }
    found.sort_by_key(|(oldest, _)| *oldest);
    found.into_iter().map(|(_, problem)| problem).collect()
}

/// When the oldest job of a queue became claimable, and its type. Jobs of types that no worker knows do not count.
fn oldest<'a>(
    queue: &QueueStats,
    facts: &Facts<'_>,
    backlog: &Backlog<'a>,
) -> Option<(Timestamp, Option<&'a TypeBacklog>)> {
    let oldest = queue.oldest_waiting_at?;
    if facts.diagnosis.is_none() {
        return Some((oldest, None));
    }
    let of_type = backlog.known(&queue.queue).min_by_key(|of_type| of_type.oldest_ready_at)?;
    // What the diagnosis found may have run since.
    Some((of_type.oldest_ready_at.max(oldest), Some(of_type)))
}

/// The limit that lets the jobs wait, in words that follow "has waited".
fn limit_of(queue: &str, oldest: Option<&TypeBacklog>, saturated: &[LimitRow]) -> String {
    let of = |scope: LimitScope, name: &str| saturated.iter().find(|row| row.scope == scope && row.name == name);
    let job_type = oldest.map(|oldest| oldest.job_type.as_str());
    let limit = of(LimitScope::Queue, queue).or_else(|| job_type.and_then(|name| of(LimitScope::Type, name)));
    let Some(limit) = limit else { return String::new() };
    let state = if limit.is_full() { "full" } else { "closed" };
    match limit.scope {
        LimitScope::Queue => format!(": the limit of the queue is {state}"),
        _ => format!(": the limit of type {} is {state}", limit.name),
    }
}

#[cfg(test)]
mod tests;

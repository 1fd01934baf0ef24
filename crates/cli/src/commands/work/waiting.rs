use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Filter, Job, JobPageRequest, QueueStats, Selection, Status, Timestamp};

use super::job_lines::WorkCounts;
use crate::database::Database;
use crate::output::log_format::WORKER;
use crate::output::relative_time::span;
use crate::output::table::count_jobs;

/// How often the database is read to say what a worker waits for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many jobs that wait for a signal for a limited time are looked at.
const TIMED_MAX: usize = 200;

/// What an idle worker waits for, in words; empty while it works.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<Mutex<String>>);

impl Waiting {
    /// The words.
    pub(super) fn in_words(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}

/// Where the words go besides the live line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Nowhere.
    LiveLine,
    /// Into the log, once each time the worker becomes idle.
    Log,
}

/// Looks for ever what the worker waits for. An error is left to the worker, which reports its own.
pub(super) async fn watch(
    database: Database,
    mine: Filter,
    counts: Arc<WorkCounts>,
    waiting: Waiting,
    telling: Telling,
) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let found = if counts.running() > 0 { None } else { look(&database, &mine).await };
        let kind = found.as_ref().map(WaitedFor::kind).unwrap_or_default();
        if telling == Telling::Log && !kind.is_empty() && kind != told {
            let words = found.as_ref().map(WaitedFor::in_words).unwrap_or_default();
            tracing::info!(target: WORKER, "waiting: {words}");
        }
        told = kind.to_owned();
        waiting.set(found.map(|found| format!("; {}", found.in_words())).unwrap_or_default());
    }
}

/// Jobs of this worker that it cannot run now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct WaitedFor {
    later: u64,
    elsewhere: u64,
    /// They wait for a signal, and go on without it after a time.
    timed: u64,
    next_in: Option<Duration>,
    /// Some of `later` could run by their time: a limit holds them back, or the database takes no writes.
    are_due: bool,
}

impl WaitedFor {
    /// A word for each situation, so that it is told once.
    fn kind(&self) -> &'static str {
        match (self.later, self.elsewhere, self.timed) {
            (0, 0, 0) => "",
            (_, 0, 0) => "later",
            (0, _, 0) => "elsewhere",
            (0, 0, _) => "timed",
            (_, _, _) => "several",
        }
    }

    fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if self.later > 0 {
            let next = self.next_in.map(|next| format!(", the next one in {}", span(next))).unwrap_or_default();
            let state = match (self.are_due, self.later) {
                (true, 1) => "waits",
                (true, _) => "wait",
                (false, 1) => "is not due yet",
                (false, _) => "are not due yet",
            };
            parts.push(format!("{} {state}{next}", count_jobs(self.later)));
        }
        if self.elsewhere > 0 {
            let run = if self.elsewhere == 1 { "runs" } else { "run" };
            parts.push(format!("{} {run} in another worker", count_jobs(self.elsewhere)));
        }
        if self.timed > 0 {
            let wait = if self.timed == 1 { "waits" } else { "wait" };
            parts.push(format!("{} {wait} for a signal or its timeout", count_jobs(self.timed)));
        }
        parts.join("; ")
    }
}

async fn look(database: &Database, mine: &Filter) -> Option<WaitedFor> {
    let stats = database.stats(0).await.ok()?;
    let is_mine = |queue: &str| mine.queues.as_ref().is_none_or(|queues| queues.iter().any(|named| named == queue));
    let open = stats.queues.iter().filter(|queue| queue.paused_at.is_none() && is_mine(&queue.queue));
    let queues: Vec<String> = open.clone().map(|queue| queue.queue.clone()).collect();
    // Of all types, so a few due jobs beside many others may be taken for jobs that are not due.
    let not_due = |queue: &QueueStats| {
        let retrying = queue.jobs.get(&Status::Retrying).copied().unwrap_or(0);
        if queue.has_more_scheduled { u64::MAX } else { queue.scheduled.saturating_add(retrying) }
    };
    let not_due = open.map(not_due).fold(0, u64::saturating_add);
    let of = |statuses: &[Status]| mine.clone().queues(queues.iter().cloned()).statuses(statuses.iter().copied());
    let later = database.count(of(&[Status::Pending, Status::Retrying]).into()).await.ok()?;
    let elsewhere = database.count(of(&[Status::Running]).into()).await.ok()?;
    // The time is that of all queues, so it is left out where this worker takes from some of them.
    let next_in = stats.next_due_at.filter(|_| mine.queues.is_none()).and_then(until);
    let timed = timed(database, mine, &queues).await?;
    Some(WaitedFor { later, elsewhere, timed, next_in, are_due: later > not_due })
}

/// How many of the jobs wait for a signal for a limited time, of those that are looked at.
async fn timed(database: &Database, mine: &Filter, queues: &[String]) -> Option<u64> {
    let mut ids = database.timed_jobs().await.ok()?;
    ids.truncate(TIMED_MAX);
    if ids.is_empty() {
        return Some(0);
    }
    let request =
        JobPageRequest { selection: Selection::Jobs(ids), after: None, limit: TIMED_MAX as u32, looked_max: None };
    let is_mine = |job: &&Job| {
        job.status == Status::Blocked
            && queues.contains(&job.queue)
            && mine.job_types.as_ref().is_none_or(|types| types.contains(&job.job_type))
    };
    Some(database.jobs(request).await.ok()?.jobs.iter().filter(is_mine).count() as u64)
}

fn until(due: Timestamp) -> Option<Duration> {
    use longshore_core::Clock;
    let now = longshore_core::SystemClock::new().now();
    (due > now).then(|| due.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_says_what_it_waits_for() {
        let next_in = Some(Duration::from_secs(3599));
        for (found, expected) in [
            (WaitedFor { later: 1, next_in, ..WaitedFor::default() }, "1 job is not due yet, the next one in 59m"),
            (
                WaitedFor { later: 2, elsewhere: 1, ..WaitedFor::default() },
                "2 jobs are not due yet; 1 job runs in another worker",
            ),
            (
                WaitedFor { later: 2, are_due: true, next_in, ..WaitedFor::default() },
                "2 jobs wait, the next one in 59m",
            ),
            (WaitedFor { elsewhere: 3, next_in, ..WaitedFor::default() }, "3 jobs run in another worker"),
            (WaitedFor { timed: 1, ..WaitedFor::default() }, "1 job waits for a signal or its timeout"),
            (WaitedFor::default(), ""),
        ] {
            assert_eq!(found.in_words(), expected);
            assert_eq!(found.kind().is_empty(), expected.is_empty());
        }
    }
}

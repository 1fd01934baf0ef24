use std::time::Duration;

use longshore_core::{QueueStats, Stats, Status, Timestamp, WorkerRecord};
use longshore_report::relative_time::span;

use super::total;
use crate::pages::drawing::text::counted;

/// A job that can run now and has waited longer is told.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How many problems are told.
const TOLD_MAX: usize = 12;

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
    Look { path: String, words: &'static str },
    RetryDeadLetters,
    Resume { queue: String },
}

/// What is wrong by counts that the store keeps, the worst first. `overdue` are sentences about schedules.
pub(super) fn problems(stats: &Stats, workers: &[WorkerRecord], overdue: &[String], now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(no_worker(stats, workers));
    found.extend(dead_workers(workers));
    found.extend(dead_letters(stats));
    found.extend(stats.queues.iter().filter_map(|queue| not_taken(queue, workers)));
    found.extend(overdue.iter().map(|message| Problem { is_bad: true, ..look(message.clone(), "/schedules") }));
    found.extend(stats.queues.iter().filter_map(|queue| late(queue, workers, now)));
    found.extend(stats.queues.iter().filter_map(|queue| paused(queue, now)));
    if found.len() > TOLD_MAX {
        let more = found.len() - TOLD_MAX;
        found.truncate(TOLD_MAX);
        found.push(look(format!("and {} more", counted(more as u64, "problem")), "/queues"));
    }
    found
}

fn look(message: String, path: &str) -> Problem {
    Problem { is_bad: false, message, remedy: Remedy::Look { path: path.to_owned(), words: "Look" } }
}

fn waiting(queue: &QueueStats) -> u64 {
    queue.jobs.get(&Status::Pending).copied().unwrap_or(0)
}

fn wait(jobs: u64) -> String {
    format!("{} {}", counted(jobs, "job"), if jobs == 1 { "waits" } else { "wait" })
}

fn no_worker(stats: &Stats, workers: &[WorkerRecord]) -> Option<Problem> {
    let waiting: u64 = stats.queues.iter().map(waiting).sum();
    let is_worked = workers.iter().any(|worker| worker.is_alive);
    (waiting > 0 && !is_worked).then(|| {
        let message = format!("No worker is running, and {}.", wait(waiting));
        Problem { is_bad: true, ..look(message, "/workers") }
    })
}

fn dead_workers(workers: &[WorkerRecord]) -> Option<Problem> {
    let dead: Vec<&WorkerRecord> = workers.iter().filter(|it| !it.is_alive && !it.running.is_empty()).collect();
    let jobs: u64 = dead.iter().map(|worker| worker.running.len() as u64).sum();
    (jobs > 0).then(|| {
        let (who, holds) = (counted(dead.len() as u64, "dead worker"), if dead.len() == 1 { "holds" } else { "hold" });
        let message = format!("{who} still {holds} {}. A living worker takes them back.", counted(jobs, "job"));
        Problem { is_bad: true, ..look(message, "/workers") }
    })
}

fn dead_letters(stats: &Stats) -> Option<Problem> {
    let grown: u64 = stats.minutes.iter().map(|minute| minute.failed).sum();
    let all = total(&stats.queues, Status::DeadLetter);
    (grown > 0 && all > 0).then(|| Problem {
        is_bad: true,
        message: format!(
            "{} became {} in the last hour. There are {} now.",
            counted(grown, "job"),
            if grown == 1 { "a dead letter" } else { "dead letters" },
            counted(all, "dead letter")
        ),
        remedy: Remedy::RetryDeadLetters,
    })
}

/// Workers run, and none of them takes from this queue.
fn not_taken(queue: &QueueStats, workers: &[WorkerRecord]) -> Option<Problem> {
    let jobs = waiting(queue);
    let is_worked = workers.iter().any(|worker| worker.is_alive);
    (jobs > 0 && is_worked && queue.paused_at.is_none() && !is_taken(queue, workers)).then(|| {
        let message = format!("No worker takes from queue {}, where {}.", queue.queue, wait(jobs));
        Problem { is_bad: true, ..look(message, "/workers") }
    })
}

fn is_taken(queue: &QueueStats, workers: &[WorkerRecord]) -> bool {
    let takes = |worker: &WorkerRecord| worker.queues.is_empty() || worker.queues.contains(&queue.queue);
    workers.iter().any(|worker| worker.is_alive && takes(worker))
}

fn late(queue: &QueueStats, workers: &[WorkerRecord], now: Timestamp) -> Option<Problem> {
    let waited = now.since(queue.oldest_waiting_at?);
    let is_open = queue.paused_at.is_none() && is_taken(queue, workers);
    (is_open && waited > WAIT_MAX).then(|| Problem {
        is_bad: false,
        message: format!("The oldest job of queue {} has waited {}.", queue.queue, span(waited)),
        remedy: Remedy::Look {
            path: format!(
                "/jobs{}",
                crate::input::pairs::query([("status", Some("pending")), ("queue", Some(&queue.queue))])
            ),
            words: "Look",
        },
    })
}

fn paused(queue: &QueueStats, now: Timestamp) -> Option<Problem> {
    let (since, jobs) = (queue.paused_at?, waiting(queue));
    (jobs > 0).then(|| Problem {
        is_bad: false,
        message: format!(
            "Queue {} has been paused for {}, and {} in it.",
            queue.queue,
            span(now.since(since)),
            wait(jobs)
        ),
        remedy: Remedy::Resume { queue: queue.queue.clone() },
    })
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobId, MinuteStats, RunningJob, WorkerId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(10_000_000);

    fn queue(name: &str, jobs: &[(Status, u64)]) -> QueueStats {
        let jobs = jobs.iter().copied().collect();
        QueueStats { queue: name.to_owned(), paused_at: None, jobs, oldest_waiting_at: None }
    }

    fn worker(queues: &[&str], is_alive: bool) -> WorkerRecord {
        WorkerRecord {
            worker_id: WorkerId::from_stored("w"),
            host: "h".to_owned(),
            pid: 1,
            started_at: NOW,
            heartbeat_at: NOW,
            queues: queues.iter().map(|name| (*name).to_owned()).collect(),
            job_types: Vec::new(),
            concurrency: 1,
            is_alive,
            running: Vec::new(),
        }
    }

    fn told(stats: &Stats, workers: &[WorkerRecord]) -> Vec<String> {
        problems(stats, workers, &[], NOW).into_iter().map(|problem| problem.message).collect()
    }

    fn stats(queues: Vec<QueueStats>) -> Stats {
        Stats { queues, ..Stats::default() }
    }

    #[test]
    fn where_all_is_well_nothing_is_told() {
        let idle = stats(vec![queue("a", &[(Status::Completed, 9), (Status::DeadLetter, 3)])]);
        assert_eq!(told(&idle, &[]), Vec::<String>::new());
        let busy = stats(vec![queue("a", &[(Status::Pending, 9)])]);
        assert_eq!(told(&busy, &[worker(&[], true)]), Vec::<String>::new());
    }

    #[test]
    fn jobs_that_nobody_takes_are_told_first() {
        let waits = stats(vec![queue("a", &[(Status::Pending, 1)]), queue("b", &[(Status::Pending, 1)])]);
        assert_eq!(told(&waits, &[worker(&[], false)]), ["No worker is running, and 2 jobs wait."]);
        let other = [worker(&["b"], true)];
        assert_eq!(told(&waits, &other), ["No worker takes from queue a, where 1 job waits."]);
    }

    #[test]
    fn new_dead_letters_are_told_and_old_ones_are_not() {
        let minute = MinuteStats {
            minute: NOW,
            queue: "a".to_owned(),
            completed: 0,
            failed: 1,
            retried: 0,
            cancelled: 0,
            waited_ms: 0,
            ran_ms: 0,
        };
        let grown = Stats { minutes: vec![minute], ..stats(vec![queue("a", &[(Status::DeadLetter, 1200)])]) };
        let found = problems(&grown, &[], &[], NOW);
        assert_eq!(found[0].message, "1 job became a dead letter in the last hour. There are 1,200 dead letters now.");
        assert_eq!(found[0].remedy, Remedy::RetryDeadLetters);
    }

    #[test]
    fn a_paused_queue_is_told_only_if_something_waits_in_it() {
        let paused = |jobs| QueueStats { paused_at: Some(Timestamp::from_ms(9_940_000)), ..queue("a", jobs) };
        let workers = [worker(&[], true)];
        assert_eq!(told(&stats(vec![paused(&[])]), &workers), Vec::<String>::new());
        let told = told(&stats(vec![paused(&[(Status::Pending, 2)])]), &workers);
        assert_eq!(told, ["Queue a has been paused for 1m, and 2 jobs wait in it."]);
    }

    #[test]
    fn a_long_wait_and_a_dead_worker_with_jobs_are_told() {
        let late = QueueStats { oldest_waiting_at: Some(Timestamp::from_ms(9_000_000)), ..queue("a", &[]) };
        let running = vec![RunningJob { id: JobId(1), job_type: "t".to_owned(), started_at: NOW }];
        let dead = WorkerRecord { running, ..worker(&[], false) };
        assert_eq!(
            told(&stats(vec![late]), &[worker(&[], true), dead]),
            [
                "1 dead worker still holds 1 job. A living worker takes them back.",
                "The oldest job of queue a has waited 16m."
            ]
        );
    }
}

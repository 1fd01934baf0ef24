use std::collections::HashMap;

use crate::{QueueStats, Status, Timestamp, TypeBacklog};

/// The jobs with a time that a store looked at, to count those of each queue that are due later.
///
/// A store adds the first [`QueueStats::TIMED_LOOKED_AT`] of all queues, earliest first. The index of times does not
/// know the queues, and there may be a million jobs.
#[derive(Debug)]
pub struct TimedJobs {
    now: Timestamp,
    pending: HashMap<String, Pending>,
    looked_at: u32,
    /// Whether it looked at all that are due already. They come first.
    has_passed_now: bool,
}

/// Those of one queue that are pending and not retrying.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    due: u64,
    later: u64,
}

impl TimedJobs {
    /// Up to how many types and queues a store counts [`QueueStats::LOOKED_AT`] ready jobs of each.
    const PAIRS_MAX: usize = 30;

    /// No job, at this time of the store.
    pub fn new(now: Timestamp) -> Self {
        Self { now, pending: HashMap::new(), looked_at: 0, has_passed_now: false }
    }

    /// The next job by its time. `status` is pending or retrying.
    pub fn add(&mut self, queue: String, status: Status, run_at: Timestamp) {
        let is_later = run_at > self.now;
        self.looked_at = self.looked_at.saturating_add(1);
        self.has_passed_now |= is_later;
        if status != Status::Pending {
            return;
        }
        let pending = self.pending.entry(queue).or_default();
        match is_later {
            true => pending.later += 1,
            false => pending.due += 1,
        }
    }

    /// Fills [`QueueStats::scheduled`] of all queues. `backlog` are the ready jobs: a store counted up to `jobs_max` of
    /// each type and queue.
    pub fn count_in<'a>(
        &self,
        queues: impl IntoIterator<Item = &'a mut QueueStats>,
        backlog: &[TypeBacklog],
        jobs_max: u32,
    ) {
        let ready = ready_by_queue(backlog, jobs_max);
        for queue in queues {
            let ready = ready.as_ref().map(|ready| ready.get(queue.queue.as_str()).copied().unwrap_or(0));
            (queue.scheduled, queue.has_more_scheduled) = self.of_queue(queue, ready);
        }
    }

    /// How many of a queue are due later, and whether there may be more. `ready` is none if they were not all counted.
    fn of_queue(&self, queue: &QueueStats, ready: Option<u64>) -> (u64, bool) {
        let Pending { due, later } = self.pending.get(&queue.queue).copied().unwrap_or_default();
        if self.looked_at < QueueStats::TIMED_LOOKED_AT {
            return (later, false);
        }
        let pending = queue.jobs.get(&Status::Pending).copied().unwrap_or(0);
        match ready {
            // What cannot run now is due later.
            Some(ready) if self.has_passed_now => (pending.saturating_sub(ready.saturating_add(due)).max(later), false),
            _ => (later, later.saturating_add(due) < pending),
        }
    }
}

/// The ready jobs of each queue, if they are so few that all of them were counted. Of a limited type, a store counts up
/// to `jobs_max` in all queues together.
fn ready_by_queue(backlog: &[TypeBacklog], jobs_max: u32) -> Option<HashMap<&str, u64>> {
    let sum = backlog.iter().fold(0_u64, |sum, of| sum.saturating_add(of.jobs));
    if backlog.len() > TimedJobs::PAIRS_MAX || sum >= u64::from(jobs_max) {
        return None;
    }
    let mut ready: HashMap<&str, u64> = HashMap::new();
    for of in backlog {
        *ready.entry(of.queue.as_str()).or_default() += of.jobs;
    }
    Some(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn queue(name: &str, pending: u64) -> QueueStats {
        QueueStats {
            queue: name.to_owned(),
            paused_at: None,
            jobs: [(Status::Pending, pending)].into(),
            scheduled: 0,
            has_more_scheduled: false,
            oldest_waiting_at: None,
        }
    }

    fn backlog(queue: &str, jobs: u64) -> TypeBacklog {
        let (queue, job_type) = (queue.to_owned(), "work".to_owned());
        TypeBacklog { queue, job_type, jobs, oldest_ready_at: NOW, has_valid_names: true }
    }

    /// Jobs of `a`: so many that are due already, and then so many that are due later.
    fn looked(due: u32, later: u32) -> TimedJobs {
        let mut timed = TimedJobs::new(NOW);
        for run_at in (0..due).map(|_| NOW).chain((0..later).map(|_| Timestamp::from_ms(NOW.as_ms() + 1))) {
            timed.add("a".to_owned(), Status::Pending, run_at);
        }
        timed
    }

    fn counted(timed: &TimedJobs, pending: u64, backlog: &[TypeBacklog]) -> [(u64, bool); 2] {
        let mut queues = [queue("a", pending), queue("b", 39)];
        timed.count_in(&mut queues, backlog, QueueStats::LOOKED_AT);
        queues.map(|queue| (queue.scheduled, queue.has_more_scheduled))
    }

    #[test]
    fn jobs_that_are_due_later_are_counted_by_queue() {
        let mut timed = looked(3, 4);
        timed.add("b".to_owned(), Status::Pending, Timestamp::from_ms(NOW.as_ms() + 2));
        timed.add("b".to_owned(), Status::Retrying, Timestamp::from_ms(NOW.as_ms() + 3));
        assert_eq!(counted(&timed, 9, &[]), [(4, false), (1, false)]);
    }

    #[test]
    fn beyond_those_looked_at_they_are_what_cannot_run_now() {
        let timed = looked(2, QueueStats::TIMED_LOOKED_AT - 2);
        let ready = [backlog("a", 5), backlog("b", 1)];
        assert_eq!(counted(&timed, 1_000_000, &ready), [(999_993, false), (38, false)]);
    }

    #[test]
    fn where_that_is_not_known_either_there_may_be_more() {
        let timed = looked(2, QueueStats::TIMED_LOOKED_AT - 2);
        let (later, many) = (u64::from(QueueStats::TIMED_LOOKED_AT) - 2, u64::from(QueueStats::LOOKED_AT));
        assert_eq!(counted(&timed, 1_000_000, &[backlog("c", many)]), [(later, true), (0, true)]);
        // All pending jobs of the queue were looked at.
        assert_eq!(counted(&timed, later + 2, &[backlog("c", many)]), [(later, false), (0, true)]);
        let none_is_later = looked(QueueStats::TIMED_LOOKED_AT, 0);
        assert_eq!(counted(&none_is_later, 1_000_000, &[]), [(0, true), (0, true)]);
        let pairs: Vec<TypeBacklog> = (0..31).map(|number| backlog(&number.to_string(), 1)).collect();
        assert_eq!(counted(&timed, 1_000_000, &pairs), [(later, true), (0, true)]);
    }
}

use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Maintained, Maintenance, MinuteStats, QueueStats, Retention, Stats, Status, Timestamp};

use crate::memory::jobs::row::Row;
use crate::memory::state::State;

/// How often house is kept, and the pause between two steps.
const SWEEP: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// The jobs that a retention applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pruning {
    Ended,
    DeadLetters,
}

/// What ended in one minute in one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinuteCounts {
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) cancelled: u64,
    pub(super) waited_ms: u64,
    pub(super) ran_ms: u64,
}

impl State {
    pub(super) fn stats(&self, minutes: u32, now: Timestamp) -> Stats {
        let next_due_at = self.rows.values().filter(|row| row.waits_for_instant()).filter_map(|row| row.due).min();
        Stats { queues: self.queue_stats(now), minutes: self.minute_stats(minutes, now), next_due_at }
    }

    pub(super) fn queue_stats(&self, now: Timestamp) -> Vec<QueueStats> {
        self.queues.iter().map(|(queue, paused_at)| self.one_queue(queue, *paused_at, now)).collect()
    }

    fn one_queue(&self, queue: &str, paused_at: Option<Timestamp>, now: Timestamp) -> QueueStats {
        let rows = || self.rows.values().filter(|row| row.job.queue == queue);
        let mut jobs: BTreeMap<Status, u64> = BTreeMap::new();
        for row in rows() {
            *jobs.entry(row.job.status).or_default() += 1;
        }
        let oldest_waiting_at = rows().filter(|row| row.is_ready()).map(|row| row.job.run_at).min();
        let is_scheduled = |row: &&Row| row.job.status == Status::Pending && row.due.is_some_and(|due| due > now);
        let scheduled = rows().filter(is_scheduled).count() as u64;
        QueueStats { queue: queue.to_owned(), paused_at, jobs, scheduled, has_more_scheduled: false, oldest_waiting_at }
    }

    fn minute_stats(&self, minutes: u32, now: Timestamp) -> Vec<MinuteStats> {
        let first = now.minute() - i64::from(minutes) + 1;
        let shown = self.minutes.iter().filter(|((minute, _), _)| *minute >= first && *minute <= now.minute());
        shown
            .map(|((minute, queue), counts)| MinuteStats {
                minute: Timestamp::from_ms(minute * 60_000),
                queue: queue.clone(),
                completed: counts.completed,
                failed: counts.failed,
                retried: counts.retried,
                cancelled: counts.cancelled,
                waited_ms: counts.waited_ms,
                ran_ms: counts.ran_ms,
            })
            .collect()
    }

    /// The model stores no counts separately, so there is nothing to reconcile.
    pub(super) fn maintain(&mut self, process: u64, maintenance: Maintenance, now: Timestamp) -> Maintained {
        let mut maintained = Maintained::default();
        let Maintenance { retention, dead_letter_retention, rows_max } = maintenance;
        for (what, retention) in [(Pruning::DeadLetters, dead_letter_retention), (Pruning::Ended, retention)] {
            let Some(span) = retention.span() else { continue };
            let is_default = matches!(retention, Retention::Default(_));
            if !self.keeps_house(process, (what, is_default, span), now) {
                continue;
            }
            let pruned = self.prune(what, span, rows_max as usize, now);
            maintained.pruned += pruned.pruned;
            maintained.has_more |= pruned.has_more;
            if what == Pruning::Ended {
                self.prune_batches(span, now);
            }
        }
        maintained.settled = self.settle(now);
        self.prune_ticks(now);
        self.tidy_lanes(now);
        maintained.next = if maintained.has_more { PAUSE } else { SWEEP };
        maintained
    }

    fn prune(&mut self, what: Pruning, retention: Duration, rows_max: usize, now: Timestamp) -> Maintained {
        let is_old = |job: &longshore_core::Job| {
            let ended_at = match (what, job.status) {
                (Pruning::Ended, Status::Completed | Status::Cancelled) => job.completed_at,
                (Pruning::DeadLetters, Status::DeadLetter) => job.moved_to_dead_letter_at,
                _ => None,
            };
            ended_at.is_some_and(|at| now.since(at) > retention)
        };
        let old: Vec<_> = self.rows.values().filter(|row| is_old(&row.job)).map(|row| row.job.id).collect();
        for id in old.iter().take(rows_max) {
            self.remove(*id, now);
        }
        let pruned = old.len().min(rows_max) as u64;
        Maintained { pruned, has_more: old.len() > rows_max, ..Maintained::default() }
    }

    /// Whether this process has the duty. Another process loses it if it has not renewed it for long enough.
    fn keeps_house(&mut self, process: u64, retention: (Pruning, bool, Duration), now: Timestamp) -> bool {
        let held = self.housekeepers.get(&retention).map(|(holder, said_at)| {
            (*holder == process, Duration::from_millis(now.as_ms().abs_diff(said_at.as_ms())))
        });
        match held {
            Some((true, age)) if age < Maintenance::DUTY_RENEWAL => true,
            Some((false, age)) if age < Maintenance::DUTY_EXPIRY => false,
            _ => {
                self.housekeepers.insert(retention, (process, now));
                true
            }
        }
    }
}

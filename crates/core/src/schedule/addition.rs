use std::collections::BTreeSet;

use crate::{PlannedTick, Tick, Timestamp};

/// How ticks that are added by hand fit among those that are there.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TickAddition {
    /// For each tick in order, whether it is added. The others are there already.
    pub added: Vec<bool>,
    /// The rows that go, by their instant.
    pub dropped: Vec<Timestamp>,
    /// The runs of which a part stays, to be written again after that.
    pub rewritten: Vec<Tick>,
}

impl TickAddition {
    /// Compares them with all rows of the schedule from the first one of them to the last, and the runs that reach into
    /// that span.
    pub fn of(ticks: &[PlannedTick], there: &[Tick]) -> Self {
        let mut addition = Self::default();
        let mut new = BTreeSet::new();
        for tick in ticks {
            let has_row = |row: &Tick| row.due_at == tick.due_at && !row.outcome.made_no_job();
            addition.added.push(!there.iter().any(has_row) && new.insert(tick.due_at));
        }
        for row in there {
            let last = row.until_at.unwrap_or(row.due_at).max(row.due_at);
            let taken: Vec<Timestamp> = new.range(row.due_at..=last).copied().collect();
            if taken.is_empty() || !row.outcome.made_no_job() {
                continue;
            }
            addition.dropped.push(row.due_at);
            addition.rewritten.extend(row.clone().without(&taken));
        }
        addition
    }
}

impl Tick {
    /// A run without these ticks of it, in order; none if nothing is left. Where the first one goes, the last one
    /// stands for the run, because only the planner knows those between.
    fn without(mut self, taken: &[Timestamp]) -> Option<Self> {
        let until_at = self.until_at?;
        self.ticks = self.ticks.checked_sub(taken.len() as u64).filter(|left| *left > 0)?;
        if taken.contains(&self.due_at) {
            self.due_at = Some(until_at).filter(|at| !taken.contains(at))?;
        }
        self.until_at = (self.ticks > 1).then_some(until_at);
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TickKind, TickOutcome};

    fn row(due: i64, until: Option<i64>, ticks: u64, outcome: TickOutcome) -> Tick {
        Tick {
            schedule: "nightly".to_owned(),
            due_at: Timestamp::from_ms(due),
            until_at: until.map(Timestamp::from_ms),
            ticks,
            kind: TickKind::Scheduled,
            outcome,
            job_id: None,
            decided_at: Timestamp::from_ms(0),
            decided_by: "host".to_owned(),
            why: "skipped".to_owned(),
        }
    }

    fn planned(dues: &[i64]) -> Vec<PlannedTick> {
        let planned = |due: &i64| PlannedTick {
            due_at: Timestamp::from_ms(*due),
            until_at: None,
            ticks: 1,
            kind: TickKind::Backfill,
            outcome: TickOutcome::Enqueued,
            why: "asked for".to_owned(),
            job: None,
        };
        dues.iter().map(planned).collect()
    }

    fn of_run(dues: &[i64]) -> Vec<(i64, Option<i64>, u64)> {
        let run = row(10, Some(50), 5, TickOutcome::Missed);
        let rewritten = TickAddition::of(&planned(dues), &[run]).rewritten;
        rewritten.iter().map(|row| (row.due_at.as_ms(), row.until_at.map(Timestamp::as_ms), row.ticks)).collect()
    }

    #[test]
    fn ticks_that_are_taken_out_of_a_run_are_not_counted_in_it_any_more() {
        assert_eq!(of_run(&[30]), [(10, Some(50), 4)]);
        assert_eq!(of_run(&[40, 50]), [(10, Some(50), 3)]);
        assert_eq!(of_run(&[10, 20]), [(50, Some(50), 3)]);
        assert_eq!(of_run(&[10, 20, 30, 40]), [(50, None, 1)]);
        assert_eq!(of_run(&[20, 30, 40, 50]), [(10, None, 1)]);
        assert_eq!(of_run(&[10, 20, 30, 40, 50]), []);
        assert_eq!(of_run(&[5, 60]), [(10, Some(50), 5)][..0]);
    }

    #[test]
    fn a_tick_that_made_a_job_is_passed_over_and_a_skipped_one_is_replaced() {
        let there = [row(10, None, 1, TickOutcome::Late), row(20, None, 1, TickOutcome::SkippedOverlap)];
        let addition = TickAddition::of(&planned(&[10, 20, 20, 30]), &there);
        assert_eq!(addition.added, [false, true, false, true]);
        assert_eq!(addition.dropped, [Timestamp::from_ms(20)]);
        assert_eq!(addition.rewritten, []);
    }
}

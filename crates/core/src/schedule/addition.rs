use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::tick_run::{KnownTicks, just_after};
use crate::{PlanTicks, PlannedTick, ScheduleRow, Tick, TickRun, Timestamp};

/// How ticks that are added by hand fit among those that are there.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TickAddition {
    /// For each tick in order, whether it is added. The others are there already.
    pub added: Vec<bool>,
    /// The rows that go, by their instant.
    pub dropped: Vec<Timestamp>,
    /// The runs of which a part stays, to be written again after that: one row for each part.
    pub rewritten: Vec<Tick>,
}

impl TickAddition {
    /// Compares them with all rows of [`TickAddition::span`], oldest first. The ticks of a run are those that the schedule
    /// has by its present definition. If they cannot be those of the run, the run stays.
    pub fn of(ticks: &[PlannedTick], there: &[Tick], schedule: &ScheduleRow, planner: &dyn PlanTicks) -> Self {
        let definition = schedule.parsed().ok();
        let known = KnownTicks { definition: definition.as_ref(), planner };
        let mut addition = Self::default();
        let mut new = BTreeSet::new();
        for tick in ticks {
            let has_row = |row: &Tick| row.due_at == tick.due_at && !row.outcome.made_no_job();
            addition.added.push(!there.iter().any(has_row) && new.insert(tick.due_at));
        }
        let mut with_row: BTreeSet<Timestamp> = there.iter().map(|row| row.due_at).chain(new.iter().copied()).collect();
        for row in there.iter().filter(|row| row.outcome.made_no_job()) {
            if new.range(row.due_at..=row.last_due_at()).next().is_none() {
                continue;
            }
            let left = row.without(&new, &with_row, &known);
            if left.len() == 1 && left[0] == *row {
                continue;
            }
            addition.dropped.push(row.due_at);
            // Two runs may overlap, for example after a clock went back. Their parts must not begin at one instant.
            with_row.extend(left.iter().map(|part| part.due_at));
            addition.rewritten.extend(left);
        }
        addition
    }

    /// The span whose rows must be known to add ticks in this one: it has all of each run that reaches into it. `there`
    /// are the rows of the asked span, and those runs.
    pub fn span(asked: &RangeInclusive<Timestamp>, there: &[Tick]) -> RangeInclusive<Timestamp> {
        let first = there.iter().map(|row| row.due_at).fold(*asked.start(), Ord::min);
        let last = there.iter().map(Tick::last_due_at).fold(*asked.end(), Ord::max);
        first..=last
    }
}

impl Tick {
    /// Of a run, when the last one was due.
    fn last_due_at(&self) -> Timestamp {
        self.until_at.unwrap_or(self.due_at).max(self.due_at)
    }

    /// What stays of a row when these new ticks have rows of their own, as others have already: the parts of a run
    /// between them.
    fn without(&self, new: &BTreeSet<Timestamp>, with_row: &BTreeSet<Timestamp>, known: &KnownTicks<'_>) -> Vec<Self> {
        if self.ticks <= 1 {
            return if new.contains(&self.due_at) { Vec::new() } else { vec![self.clone()] };
        }
        let last = self.last_due_at();
        // The first instant has a row because the run itself does.
        let is_taken = |at: &Timestamp| (*at != self.due_at || new.contains(at)) && known.has(*at);
        let taken: Vec<Timestamp> = with_row.range(self.due_at..=last).copied().filter(is_taken).collect();
        let others = taken.iter().filter(|at| !new.contains(*at)).count();
        let is_known = known.within(self.due_at, last).is_some_and(|whole| self.is_of(whole, others as u64));
        if !is_known {
            return vec![self.kept(new, with_row)];
        }
        if others == taken.len() {
            return vec![self.clone()];
        }
        known.without(self.due_at, last, &taken).into_iter().map(|run| self.part(run)).collect()
    }

    /// Whether these are its ticks. The number may leave out those that have rows of their own.
    fn is_of(&self, whole: TickRun, others: u64) -> bool {
        let has_span = whole.first == self.due_at && whole.last == self.last_due_at();
        has_span && (whole.ticks.saturating_sub(others)..=whole.ticks).contains(&self.ticks)
    }

    fn part(&self, run: TickRun) -> Self {
        let until_at = (run.ticks > 1).then_some(run.last);
        Self { due_at: run.first, until_at, ticks: run.ticks, ..self.clone() }
    }

    /// A run whose ticks are not known stays as it is, for example one from before a change of the timing. If a new tick
    /// has its first instant, it begins at the next one that is free.
    fn kept(&self, new: &BTreeSet<Timestamp>, with_row: &BTreeSet<Timestamp>) -> Self {
        if !new.contains(&self.due_at) {
            return self.clone();
        }
        // Of two ticks the last one is left, whose instant is known.
        let last = self.until_at.filter(|until_at| self.ticks == 2 && !with_row.contains(until_at));
        let mut due_at = last.unwrap_or_else(|| just_after(self.due_at));
        while with_row.contains(&due_at) && due_at < Timestamp::MAX {
            due_at = just_after(due_at);
        }
        let until_at = self.until_at.filter(|until_at| *until_at > due_at && self.ticks > 2);
        Self { due_at, until_at, ticks: self.ticks - 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DueSchedule, JobData, ScheduleDefinition, ScheduleSource, ScheduledJob, TickKind, TickOutcome, TickPlan, Timing,
    };

    /// Knows [`Timing::Every`].
    #[derive(Debug)]
    struct EveryTick;

    impl PlanTicks for EveryTick {
        fn plan(&self, _: &DueSchedule, _: Timestamp) -> TickPlan {
            unreachable!("nothing is settled here")
        }

        fn next_after(&self, _: &ScheduleDefinition, _: Timestamp) -> Option<Timestamp> {
            None
        }

        fn run_between(&self, definition: &ScheduleDefinition, after: Timestamp, until: Timestamp) -> Option<TickRun> {
            let Timing::Every { every_ms, .. } = definition.timing else { return None };
            let every = i64::try_from(every_ms).unwrap();
            let (first, last) = (after.as_ms().div_euclid(every) + 1, until.as_ms().div_euclid(every));
            let ticks = u64::try_from(last - first + 1).ok().filter(|ticks| *ticks > 0)?;
            let at = |number| Timestamp::from_ms(number * every);
            Some(TickRun { first: at(first), last: at(last), ticks })
        }
    }

    fn schedule(every_ms: u64) -> ScheduleRow {
        let timing = Timing::Every { every_ms, time_zone: "UTC".to_owned() };
        let job = ScheduledJob::new("work", JobData::default());
        let definition = ScheduleDefinition::new("nightly", timing, job);
        ScheduleRow::begin(&definition, ScheduleSource::Manual, &EveryTick, Timestamp::from_ms(0))
    }

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

    type Written = (i64, Option<i64>, u64);

    /// The rows that are written again, after the ones of `there` that go.
    fn left_of(there: &[Tick], dues: &[i64], schedule: &ScheduleRow) -> (Vec<i64>, Vec<Written>) {
        let addition = TickAddition::of(&planned(dues), there, schedule, &EveryTick);
        let written = |row: &Tick| (row.due_at.as_ms(), row.until_at.map(Timestamp::as_ms), row.ticks);
        (addition.dropped.iter().map(|at| at.as_ms()).collect(), addition.rewritten.iter().map(written).collect())
    }

    fn of_run(dues: &[i64]) -> Vec<Written> {
        let (dropped, written) = left_of(&[row(10, Some(50), 5, TickOutcome::Missed)], dues, &schedule(10));
        assert_eq!(dropped, [10]);
        written
    }

    #[test]
    fn what_stays_of_a_run_covers_exactly_the_ticks_that_were_not_added() {
        assert_eq!(of_run(&[10]), [(20, Some(50), 4)]);
        assert_eq!(of_run(&[50]), [(10, Some(40), 4)]);
        assert_eq!(of_run(&[40, 50]), [(10, Some(30), 3)]);
        assert_eq!(of_run(&[10, 20]), [(30, Some(50), 3)]);
        assert_eq!(of_run(&[30]), [(10, Some(20), 2), (40, Some(50), 2)]);
        assert_eq!(of_run(&[20, 40]), [(10, None, 1), (30, None, 1), (50, None, 1)]);
        assert_eq!(of_run(&[10, 50]), [(20, Some(40), 3)]);
        assert_eq!(of_run(&[10, 20, 30, 40]), [(50, None, 1)]);
        assert_eq!(of_run(&[20, 30, 40, 50]), [(10, None, 1)]);
        assert_eq!(of_run(&[10, 20, 30, 40, 50]), []);
        assert_eq!(of_run(&[0, 10, 50, 60]), [(20, Some(40), 3)]);
    }

    #[test]
    fn a_run_stays_where_no_tick_of_it_is_added() {
        let run = [row(10, Some(50), 5, TickOutcome::Missed)];
        assert_eq!(left_of(&run, &[5, 60], &schedule(10)), (vec![], vec![]));
        assert_eq!(left_of(&run, &[35], &schedule(10)), (vec![], vec![]));
    }

    #[test]
    fn a_tick_in_a_run_that_has_a_row_of_its_own_is_not_counted_in_what_stays() {
        for ticks in [4, 5] {
            let there = [row(10, Some(50), ticks, TickOutcome::Missed), row(30, None, 1, TickOutcome::Late)];
            let left = left_of(&there, &[20], &schedule(10));
            assert_eq!(left, (vec![10], vec![(10, None, 1), (40, Some(50), 2)]), "{ticks}");
        }
    }

    #[test]
    fn two_runs_that_overlap_leave_no_two_rows_of_one_instant() {
        let there = [row(10, Some(60), 6, TickOutcome::Missed), row(20, Some(50), 4, TickOutcome::Coalesced)];
        let (dropped, written) = left_of(&there, &[30], &schedule(10));
        assert_eq!(dropped, [10, 20]);
        let dues: BTreeSet<i64> = written.iter().map(|(due, ..)| *due).collect();
        assert_eq!((dues.len(), dues.contains(&30)), (written.len(), false), "{written:?}");
    }

    #[test]
    fn a_run_whose_ticks_are_not_known_any_more_stays() {
        let run = [row(10, Some(50), 5, TickOutcome::Missed)];
        let mut unknown = schedule(10);
        unknown.definition = "{}".to_owned();
        for schedule in [schedule(7), schedule(20), unknown] {
            assert_eq!(left_of(&run, &[21, 28], &schedule), (vec![], vec![]));
            assert_eq!(left_of(&run, &[10, 50], &schedule), (vec![10], vec![(11, Some(50), 4)]));
        }
    }

    #[test]
    fn a_tick_that_made_a_job_is_passed_over_and_a_skipped_one_is_replaced() {
        let there = [row(10, None, 1, TickOutcome::Late), row(20, None, 1, TickOutcome::SkippedOverlap)];
        let addition = TickAddition::of(&planned(&[10, 20, 20, 30]), &there, &schedule(10), &EveryTick);
        assert_eq!(addition.added, [false, true, false, true]);
        assert_eq!(addition.dropped, [Timestamp::from_ms(20)]);
        assert_eq!(addition.rewritten, []);
    }

    #[test]
    fn the_span_to_look_at_has_all_of_each_run_that_reaches_into_it() {
        let at = Timestamp::from_ms;
        let there = [row(10, Some(50), 5, TickOutcome::Missed), row(60, None, 1, TickOutcome::Late)];
        assert_eq!(TickAddition::span(&(at(40)..=at(60)), &there), at(10)..=at(60));
        assert_eq!(TickAddition::span(&(at(20)..=at(30)), &there[..1]), at(10)..=at(50));
        assert_eq!(TickAddition::span(&(at(70)..=at(80)), &[]), at(70)..=at(80));
    }

    #[test]
    fn a_run_that_is_settled_goes_around_the_ticks_that_have_a_row() {
        let run = PlannedTick { until_at: Some(Timestamp::from_ms(50)), ticks: 5, ..planned(&[10]).remove(0) };
        let definition = schedule(10).parsed().unwrap();
        let around = |there: &[i64]| {
            let plan = TickPlan {
                ticks: vec![run.clone()],
                settled_until: Timestamp::from_ms(60),
                waiting: Vec::new(),
                next_due_at: None,
                cancel_open_job: false,
                warning: None,
            };
            let there = there.iter().map(|at| Timestamp::from_ms(*at)).collect();
            let ticks = plan.around(&there, &definition, &EveryTick).ticks;
            let written = |tick: &PlannedTick| (tick.due_at.as_ms(), tick.until_at.map(Timestamp::as_ms), tick.ticks);
            ticks.iter().map(written).collect::<Vec<Written>>()
        };
        assert_eq!(around(&[]), [(10, Some(50), 5)]);
        assert_eq!(around(&[5, 35, 60]), [(10, Some(50), 5)]);
        assert_eq!(around(&[10]), [(20, Some(50), 4)]);
        assert_eq!(around(&[30, 50]), [(10, Some(20), 2), (40, None, 1)]);
        assert_eq!(around(&[10, 20, 30, 40, 50]), []);
    }
}

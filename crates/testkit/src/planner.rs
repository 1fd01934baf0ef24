use longshore_core::{
    DueSchedule, JobData, Limits, Missed, NewJob, Overlap, PlanTicks, PlannedTick, ScheduleDefinition, TickKind,
    TickOutcome, TickPlan, TickRun, Timestamp, Timing, ValidJob, WaitingTick,
};

/// A simple planner for tests of stores: only [`Timing::Every`], no jitter, and of what was missed only the latest.
#[derive(Clone, Debug, Default)]
pub struct EveryPlanner {
    /// The unique key of every job.
    pub unique_key: Option<String>,
}

impl EveryPlanner {
    /// The job of a tick.
    pub fn job(&self, definition: &ScheduleDefinition, due_at: Timestamp) -> ValidJob {
        let job = &definition.job;
        let mut new = NewJob::new(job.job_type.clone(), job.job_data.clone());
        if let Some(queue) = &job.queue {
            new = new.queue(queue.clone());
        }
        let metadata = format!(r#"{{"schedule":"{}","due_at":"{due_at}"}}"#, definition.name);
        new.metadata = Some(JobData::parse(metadata).expect("the names of tests need no escape"));
        new.unique_key.clone_from(&self.unique_key);
        new.check(&Limits::default()).expect("the job of a test is valid")
    }

    /// A tick by hand, with its job.
    pub fn by_hand(&self, definition: &ScheduleDefinition, due_at: Timestamp, kind: TickKind) -> PlannedTick {
        let job = Some(self.job(definition, due_at));
        PlannedTick { kind, job, ..tick(due_at, TickOutcome::Enqueued, "somebody has asked for it") }
    }

    fn run(&self, definition: &ScheduleDefinition, due_at: Timestamp) -> PlannedTick {
        PlannedTick { job: Some(self.job(definition, due_at)), ..tick(due_at, TickOutcome::Enqueued, "it was due") }
    }
}

impl PlanTicks for EveryPlanner {
    fn plan(&self, schedule: &DueSchedule, now: Timestamp) -> TickPlan {
        let DueSchedule { definition, settled_until, paused, waiting, open_job } = schedule;
        let every = every_ms(definition);
        let mut plan = TickPlan {
            ticks: Vec::new(),
            settled_until: now.max(*settled_until),
            waiting: waiting.clone(),
            next_due_at: self.next_after(definition, now.max(*settled_until)),
            cancel_open_job: false,
            warning: None,
        };
        let mut is_open = open_job.is_some();
        if !is_open && !plan.waiting.is_empty() {
            let WaitingTick { due_at, since, is_after_gap } = plan.waiting.remove(0);
            let why = format!("it waited since {since}, after a gap: {is_after_gap}");
            plan.ticks.push(PlannedTick { why, ..self.run(definition, due_at) });
            is_open = true;
        }
        let last_before_pause = paused.as_ref().map_or(now, |(since, _)| Timestamp::from_ms(since.as_ms() - 1));
        let run = Run::between(*settled_until, now.min(last_before_pause), every);
        if let Some(run) = run {
            plan.ticks.extend(
                run.without_last(every).map(|earlier| earlier.tick(TickOutcome::Coalesced, "a later tick ran")),
            );
            self.plan_latest(definition, run.last, is_open, &mut plan);
        }
        if let Some((_, reason)) = paused {
            let skipped = Run::between(last_before_pause.max(*settled_until), now, every);
            plan.ticks.extend(skipped.map(|run| run.tick(TickOutcome::SkippedPaused, reason)));
        }
        if run.is_some_and(|run| run.count > 100) {
            plan.warning = Some("many ticks were not settled".to_owned());
        }
        plan
    }

    fn next_after(&self, definition: &ScheduleDefinition, after: Timestamp) -> Option<Timestamp> {
        let every = every_ms(definition);
        Some(Timestamp::from_ms((after.as_ms().div_euclid(every) + 1) * every)).filter(|at| *at <= Timestamp::MAX)
    }

    fn run_between(&self, definition: &ScheduleDefinition, after: Timestamp, until: Timestamp) -> Option<TickRun> {
        let Run { first, last, count } = Run::between(after, until, every_ms(definition))?;
        Some(TickRun { first, last, ticks: count })
    }
}

impl EveryPlanner {
    fn plan_latest(&self, definition: &ScheduleDefinition, due_at: Timestamp, is_open: bool, plan: &mut TickPlan) {
        if definition.missed == Missed::Skip {
            plan.ticks.push(tick(due_at, TickOutcome::Missed, "it is skipped"));
            return;
        }
        match definition.overlap {
            Overlap::Skip if is_open => plan.ticks.push(tick(due_at, TickOutcome::SkippedOverlap, "one runs")),
            Overlap::After if is_open && plan.waiting.len() >= 2 => {
                plan.ticks.push(tick(due_at, TickOutcome::SkippedOverlap, "enough wait"));
            }
            Overlap::After if is_open => {
                let since = plan.settled_until;
                plan.waiting.push(WaitingTick { due_at, since, is_after_gap: since > due_at });
            }
            Overlap::Replace if is_open => {
                plan.cancel_open_job = true;
                plan.ticks.push(self.run(definition, due_at));
            }
            _ => plan.ticks.push(self.run(definition, due_at)),
        }
    }
}

/// Ticks one after another.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: Timestamp,
    last: Timestamp,
    count: u64,
}

impl Run {
    /// Those after an instant, up to another one.
    fn between(after: Timestamp, until: Timestamp, every: i64) -> Option<Self> {
        let first = after.as_ms().div_euclid(every) + 1;
        let last = until.as_ms().div_euclid(every);
        let count = u64::try_from(last - first + 1).ok().filter(|count| *count > 0)?;
        let at = |number: i64| Timestamp::from_ms(number * every);
        Some(Self { first: at(first), last: at(last), count })
    }

    fn without_last(self, every: i64) -> Option<Self> {
        let last = Timestamp::from_ms(self.last.as_ms() - every);
        (self.count > 1).then(|| Self { last, count: self.count - 1, ..self })
    }

    fn tick(self, outcome: TickOutcome, why: &str) -> PlannedTick {
        let until_at = (self.count > 1).then_some(self.last);
        PlannedTick { until_at, ticks: self.count, ..tick(self.first, outcome, why) }
    }
}

fn tick(due_at: Timestamp, outcome: TickOutcome, why: &str) -> PlannedTick {
    PlannedTick { due_at, until_at: None, ticks: 1, kind: TickKind::Scheduled, outcome, why: why.to_owned(), job: None }
}

fn every_ms(definition: &ScheduleDefinition) -> i64 {
    match &definition.timing {
        Timing::Every { every_ms, .. } => i64::try_from(*every_ms).unwrap_or(i64::MAX).max(1),
        Timing::Cron { .. } => panic!("this planner knows no cron expressions"),
    }
}

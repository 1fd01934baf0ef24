use std::collections::BTreeSet;
use std::time::Duration;

use crate::{PlanTicks, PlannedTick, ScheduleDefinition, TickPlan, Timestamp};

/// Ticks of a schedule one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickRun {
    /// The first one.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many there are.
    pub ticks: u64,
}

/// The ticks that a schedule has by its present definition.
pub(super) struct KnownTicks<'a> {
    /// None if this program does not understand it.
    pub(super) definition: Option<&'a ScheduleDefinition>,
    pub(super) planner: &'a dyn PlanTicks,
}

impl KnownTicks<'_> {
    /// All from one instant to another; both count.
    pub(super) fn within(&self, first: Timestamp, last: Timestamp) -> Option<TickRun> {
        self.between(just_before(first), last)
    }

    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.within(at, at).is_some()
    }

    /// What is left from one instant to another without these ticks between them: a run in each hole that has any.
    pub(super) fn without(&self, first: Timestamp, last: Timestamp, taken: &[Timestamp]) -> Vec<TickRun> {
        let mut left = Vec::new();
        let mut after = just_before(first);
        for at in taken {
            left.extend(self.between(after, just_before(*at)));
            after = *at;
        }
        left.extend(self.between(after, last));
        left
    }

    fn between(&self, after: Timestamp, until: Timestamp) -> Option<TickRun> {
        if until <= after {
            return None;
        }
        self.planner.run_between(self.definition?, after, until)
    }
}

/// Also before the first instant of all, which may be a tick.
fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_ms(at.as_ms().saturating_sub(1))
}

/// The next instant that a row can have.
pub(super) fn just_after(at: Timestamp) -> Timestamp {
    at.after(Duration::from_millis(1))
}

impl TickPlan {
    /// The first and the last instant of each run in it.
    pub fn runs(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.ticks.iter().filter_map(|tick| Some((tick.due_at, tick.until_at?)))
    }

    /// The plan with its runs in parts, so that no run counts a tick that has a row already: somebody asked for it before
    /// it was settled. Without this, a row at the first instant of a run would hide the whole run.
    ///
    /// `there` are the instants of all rows of the schedule within [`TickPlan::runs`].
    #[must_use]
    pub fn around(
        mut self,
        there: &BTreeSet<Timestamp>,
        definition: &ScheduleDefinition,
        planner: &dyn PlanTicks,
    ) -> Self {
        let known = KnownTicks { definition: Some(definition), planner };
        let ticks = std::mem::take(&mut self.ticks);
        self.ticks = ticks.into_iter().flat_map(|tick| tick.around(there, &known)).collect();
        self
    }
}

impl PlannedTick {
    fn around(self, there: &BTreeSet<Timestamp>, known: &KnownTicks<'_>) -> Vec<Self> {
        let Some(last) = self.until_at.filter(|last| *last > self.due_at) else { return vec![self] };
        let taken: Vec<Timestamp> = there.range(self.due_at..=last).copied().filter(|at| known.has(*at)).collect();
        if taken.is_empty() {
            return vec![self];
        }
        let part = |run: TickRun| Self {
            due_at: run.first,
            until_at: (run.ticks > 1).then_some(run.last),
            ticks: run.ticks,
            ..self.clone()
        };
        known.without(self.due_at, last, &taken).into_iter().map(part).collect()
    }
}

mod decision;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{
    DueSchedule, InvalidJob, JobData, Limits, NewJob, PlanTicks, PlannedTick, ScheduleDefinition, TickKind,
    TickOutcome, TickPlan, TickRun, Timestamp, Timing,
};
use sha2::{Digest, Sha256};

use crate::{InvalidTiming, Ticks};
use decision::Decision;

/// How many parsed timings are kept. More would be a database with that many different schedules.
const KEPT_MAX: usize = 20_000;
/// When another process may try a schedule whose timing this one does not understand.
const NOT_UNDERSTOOD: Duration = Duration::from_secs(10);

/// Decides what becomes of ticks. See [`PlanTicks`].
///
/// It keeps the timings that it has parsed, because a scheduler asks about the same ones again and again.
#[derive(Debug, Default)]
pub struct TickPlanner {
    parsed: Mutex<HashMap<String, Result<Arc<Ticks>, InvalidTiming>>>,
}

impl TickPlanner {
    /// A planner that has parsed nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ticks of a timing.
    pub fn ticks(&self, timing: &Timing) -> Result<Arc<Ticks>, InvalidTiming> {
        let key = match timing {
            Timing::Cron { cron, time_zone } => format!("{cron}\0{time_zone}"),
            Timing::Every { every_ms, time_zone } => format!("{every_ms}\0\0{time_zone}"),
        };
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ticks) = parsed.get(&key) {
            return ticks.clone();
        }
        if parsed.len() >= KEPT_MAX {
            parsed.clear();
        }
        let ticks = Ticks::new(timing).map(Arc::new);
        parsed.insert(key, ticks.clone());
        ticks
    }

    /// A tick that a person asks for.
    pub fn by_hand(
        definition: &ScheduleDefinition,
        due_at: Timestamp,
        kind: TickKind,
        why: String,
    ) -> Result<PlannedTick, InvalidJob> {
        let job = job_of(definition, due_at).check(&Limits::default())?;
        let outcome = TickOutcome::Enqueued;
        Ok(PlannedTick { due_at, until_at: None, ticks: 1, kind, outcome, why, job: Some(job) })
    }
}

impl PlanTicks for TickPlanner {
    fn plan(&self, schedule: &DueSchedule, now: Timestamp) -> TickPlan {
        match self.ticks(&schedule.definition.timing) {
            Ok(ticks) => Decision::new(schedule, &ticks, now).decide(),
            Err(error) => TickPlan {
                ticks: Vec::new(),
                settled_until: schedule.settled_until,
                waiting: schedule.waiting.clone(),
                next_due_at: Some(now.after(NOT_UNDERSTOOD)),
                cancel_open_job: false,
                warning: Some(format!("this process does not understand the schedule: {error}")),
            },
        }
    }

    fn next_after(&self, definition: &ScheduleDefinition, after: Timestamp) -> Option<Timestamp> {
        // A schedule that this process does not understand is due at once, so that its plan says so.
        let Ok(ticks) = self.ticks(&definition.timing) else { return Some(after) };
        settled_at(definition, &ticks, ticks.next_after(after)?)
    }

    fn run_between(&self, definition: &ScheduleDefinition, after: Timestamp, until: Timestamp) -> Option<TickRun> {
        let ticks = self.ticks(&definition.timing).ok()?;
        // First the number: a search for a tick that is not there could go on for centuries.
        let count = ticks.count(after, until);
        if count == 0 {
            return None;
        }
        Some(TickRun { first: ticks.next_after(after)?, last: ticks.last_until(until)?, ticks: count })
    }
}

/// When a tick is settled: later than it is due, by an offset that is the same on every host.
fn settled_at(definition: &ScheduleDefinition, ticks: &Ticks, due_at: Timestamp) -> Option<Timestamp> {
    Some(due_at.after(jitter(definition, ticks, due_at)))
}

/// Less than the distance to the next tick, so that ticks stay in their order.
fn jitter(definition: &ScheduleDefinition, ticks: &Ticks, due_at: Timestamp) -> Duration {
    if definition.jitter_ms == 0 {
        return Duration::ZERO;
    }
    let next = ticks.next_after(due_at).map_or(u64::MAX, |next| next.as_ms().abs_diff(due_at.as_ms()));
    let hash =
        Sha256::new().chain_update(&definition.name).chain_update([0]).chain_update(due_at.as_ms().to_be_bytes());
    let hash = hash.finalize();
    let number = u64::from_be_bytes(hash[..8].try_into().expect("a digest has 32 bytes"));
    Duration::from_millis(number % definition.jitter_ms.min(next).max(1))
}

/// The job of a tick. What the definition leaves open has the defaults of every job.
pub(crate) fn job_of(definition: &ScheduleDefinition, due_at: Timestamp) -> NewJob {
    let metadata = BTreeMap::from([("due_at", due_at.to_string()), ("schedule", definition.name.clone())]);
    definition.job.to_job().metadata(JobData::encode(&metadata).expect("a map of text is JSON"))
}

#[cfg(test)]
mod tests;

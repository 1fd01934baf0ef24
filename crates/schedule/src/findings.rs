use std::fmt;
use std::time::Duration;

use longshore_core::{ScheduleRecord, Tick, TickOutcome, Timestamp};
use serde::Serialize;

use crate::{Ticks, words};

/// How long a missed tick is told.
const MISSED_TOLD: Duration = Duration::from_secs(86_400);
/// How long after its instant a tick must have been settled, wherever a worker runs.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How far ahead of the clock a position may be.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Something wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The schedule.
    pub schedule: String,
    /// What kind of problem it is.
    pub kind: FindingKind,
    /// The problem, in one sentence.
    pub message: String,
}

/// A kind of problem with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Ticks were missed in the last day.
    Missed,
    /// No job completed in time.
    Overdue,
    /// A tick is due, and nobody settles it.
    Unsettled,
    /// The definition is not understood.
    NotUnderstood,
}

impl FindingKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overdue => "overdue",
            Self::Unsettled => "unsettled",
            Self::NotUnderstood => "not_understood",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a schedule. `ticks` are its newest ones that may have been missed.
pub fn findings(record: &ScheduleRecord, ticks: &[Tick]) -> Vec<Finding> {
    let finding = |kind, message| Finding { schedule: record.name.clone(), kind, message };
    let name = &record.name;
    let definition = match &record.definition {
        Ok(definition) => definition,
        Err(reason) => {
            let message = format!("schedule {name} has a definition that this program does not understand: {reason}");
            return vec![finding(FindingKind::NotUnderstood, message)];
        }
    };
    let timing = match Ticks::new(&definition.timing) {
        Ok(timing) => timing,
        Err(error) => {
            return vec![finding(
                FindingKind::NotUnderstood,
                format!("schedule {name} is not understood here: {error}"),
            )];
        }
    };
    let mut found = Vec::new();
    found.extend(unsettled(record).map(|message| finding(FindingKind::Unsettled, message)));
    let expected = definition.expect_within_ms.map(Duration::from_millis);
    let overdue = expected.and_then(|within| overdue(record, &timing, within));
    found.extend(overdue.map(|message| finding(FindingKind::Overdue, message)));
    found.extend(missed(record, ticks).map(|message| finding(FindingKind::Missed, message)));
    found
}

fn unsettled(record: &ScheduleRecord) -> Option<String> {
    let (name, now) = (&record.name, record.now);
    if record.settled_until.since(now) > CLOCK_SLACK {
        let until = words::instant(record.settled_until);
        return Some(format!(
            "schedule {name} is settled until {until}, which is ahead of the clock: no tick before that runs; remove it \
             and add it again to start from now"
        ));
    }
    let due_at = record.next_due_at.filter(|_| record.paused_at.is_none())?;
    let late = now.since(due_at);
    (late > SETTLED_WITHIN).then(|| {
        format!("schedule {name} has been due for {} and nobody has settled it: no worker runs", words::span(late))
    })
}

/// Of the ticks that are old enough, the newest one tells: a job of it or of a later one must have completed.
fn overdue(record: &ScheduleRecord, timing: &Ticks, within: Duration) -> Option<String> {
    if record.paused_at.is_some() {
        return None;
    }
    let since = record.changed_at.max(record.created_at);
    let tick = timing.last_until(Timestamp::from_ms(
        record.now.as_ms().saturating_sub_unsigned(u64::try_from(within.as_millis()).unwrap_or(u64::MAX)),
    ))?;
    let is_done = record.last_completed.is_some_and(|(_, due_at)| due_at >= tick);
    (tick > since && !is_done).then(|| {
        let (name, within, at) = (&record.name, words::span(within), words::instant(tick));
        let last = match record.last_completed {
            Some((completed_at, _)) => format!("the last one completed at {}", words::instant(completed_at)),
            None => "none has completed yet".to_owned(),
        };
        format!("schedule {name} is overdue: no job completed within {within} after {at}; {last}")
    })
}

fn missed(record: &ScheduleRecord, ticks: &[Tick]) -> Option<String> {
    let recent = |tick: &&Tick| record.now.since(tick.decided_at) <= MISSED_TOLD;
    let missed = ticks.iter().filter(|tick| tick.outcome == TickOutcome::Missed).filter(recent);
    let (count, newest) = missed.fold((0, None), |(count, newest), tick| (count + tick.ticks, newest.or(Some(tick))));
    let tick = newest?;
    let at = words::instant(tick.until_at.unwrap_or(tick.due_at));
    Some(format!(
        "schedule {} missed {} in the last day, the last at {at}: {}",
        record.name,
        words::ticks(count),
        tick.why
    ))
}

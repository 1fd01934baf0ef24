use std::fmt;
use std::time::Duration;

use longshore_core::{ScheduleRecord, Tick, TickOutcome, Timestamp};
use serde::Serialize;

use crate::{Ticks, words};

/// How many rows of missed ticks a check reads of each schedule at most.
pub const MISSED_ROWS_MAX: u32 = 100;

/// How long after that was decided a missed tick is told.
const MISSED_TOLD: Duration = Duration::from_secs(86_400);
/// How long after its instant a tick must have been settled, wherever a worker runs.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How many different reasons of missed ticks are told.
const REASONS_MAX: usize = 3;
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
    /// Ticks were missed, and that was decided in the last day.
    Missed,
    /// No job completed in time.
    Overdue,
    /// A tick is due, and nobody settles it; or the position is ahead of the clock: see [`is_ahead_of_clock`].
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

/// Whether all ticks are settled until an instant in the future, because the clock was set back. Then a worker makes no
/// job until that instant.
pub fn is_ahead_of_clock(record: &ScheduleRecord) -> bool {
    record.settled_until.since(record.now) > CLOCK_SLACK
}

/// What is wrong with a schedule. `ticks` are its newest ones that were missed, at most [`MISSED_ROWS_MAX`].
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
    if is_ahead_of_clock(record) {
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

/// The ticks may be old: what counts is when they were decided, which after a downtime is at its end.
fn missed(record: &ScheduleRecord, ticks: &[Tick]) -> Option<String> {
    let is_told =
        |tick: &&Tick| tick.outcome == TickOutcome::Missed && record.now.since(tick.decided_at) <= MISSED_TOLD;
    let missed: Vec<&Tick> = ticks.iter().filter(is_told).collect();
    let first = missed.iter().map(|tick| tick.due_at).min()?;
    let last = missed.iter().map(|tick| tick.until_at.unwrap_or(tick.due_at)).max()?;
    // There may be more than were read.
    let least = if missed.len() >= MISSED_ROWS_MAX as usize { "at least " } else { "" };
    let count = words::ticks(missed.iter().map(|tick| tick.ticks).sum());
    let when = match first == last {
        true => format!("at {}", words::instant(first)),
        false => format!("from {} to {}", words::instant(first), words::instant(last)),
    };
    let (name, why) = (&record.name, reasons(&missed));
    Some(format!("schedule {name} missed {least}{count} {when}, decided in the last day: {why}"))
}

/// Why, with the number of ticks of each reason if there are several, those of the newest ticks first.
fn reasons(missed: &[&Tick]) -> String {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for tick in missed {
        match counts.iter_mut().find(|(why, _)| *why == tick.why) {
            Some((_, count)) => *count += tick.ticks,
            None => counts.push((tick.why.as_str(), tick.ticks)),
        }
    }
    if let [(why, _)] = counts.as_slice() {
        return (*why).to_owned();
    }
    let told = counts.iter().take(REASONS_MAX).map(|(why, count)| format!("{}: {why}", words::ticks(*count)));
    let mut parts: Vec<String> = told.collect();
    let others: u64 = counts.iter().skip(REASONS_MAX).map(|(_, count)| count).sum();
    if others > 0 {
        parts.push(format!("{} for other reasons", words::ticks(others)));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, ScheduleDefinition, ScheduleSource, ScheduledJob, TickKind, Timing};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(word: &str) -> Timestamp {
        word.parse().unwrap()
    }

    fn record() -> ScheduleRecord {
        let timing = Timing::Cron { cron: "0 3 * * *".to_owned(), time_zone: "UTC".to_owned() };
        let job = ScheduledJob::new("report", JobData::default());
        let now = at("2026-10-25T08:00:00Z");
        ScheduleRecord {
            definition: Ok(ScheduleDefinition::new("berlin", timing, job)),
            name: "berlin".to_owned(),
            revision: 1,
            source: ScheduleSource::Config,
            created_at: now.before(400 * DAY),
            changed_at: now.before(400 * DAY),
            settled_until: now,
            next_due_at: None,
            paused_at: None,
            pause_reason: None,
            last: None,
            open_job: None,
            last_completed: None,
            now,
        }
    }

    fn missed_tick(due: &str, until: Option<&str>, ticks: u64, why: &str) -> Tick {
        Tick {
            schedule: "berlin".to_owned(),
            due_at: at(due),
            until_at: until.map(at),
            ticks,
            kind: TickKind::Scheduled,
            outcome: TickOutcome::Missed,
            job_id: None,
            decided_at: record().now,
            decided_by: "host".to_owned(),
            why: why.to_owned(),
        }
    }

    fn messages(record: &ScheduleRecord, ticks: &[Tick]) -> Vec<String> {
        findings(record, ticks).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn missed_ticks_are_told_with_their_span_and_each_reason_with_its_number() {
        let one = missed_tick("2026-10-24T03:00:00Z", None, 1, "its job is not valid");
        assert_eq!(
            messages(&record(), std::slice::from_ref(&one)),
            ["schedule berlin missed 1 tick at 2026-10-24T03:00:00Z, decided in the last day: its job is not valid"]
        );
        let run = missed_tick("2026-03-31T03:00:00Z", Some("2026-10-23T03:00:00Z"), 207, "older than catch_up = 1d");
        assert_eq!(
            messages(&record(), &[one, run]),
            [
                "schedule berlin missed 208 ticks from 2026-03-31T03:00:00Z to 2026-10-24T03:00:00Z, decided in the last \
              day: 1 tick: its job is not valid; 207 ticks: older than catch_up = 1d"
            ]
        );
    }

    #[test]
    fn missed_ticks_that_were_decided_earlier_are_not_told() {
        let mut old = missed_tick("2026-10-23T03:00:00Z", None, 1, "too old");
        old.decided_at = record().now.before(2 * DAY);
        assert_eq!(messages(&record(), &[old]), [""; 0]);
    }

    #[test]
    fn where_more_rows_may_be_than_were_read_the_number_is_the_least() {
        let row = |number: u32| missed_tick("2026-10-24T03:00:00Z", None, 1, &format!("reason {number}"));
        let [message] = messages(&record(), &(0..MISSED_ROWS_MAX).map(row).collect::<Vec<_>>()).try_into().unwrap();
        assert!(message.contains("missed at least 100 ticks at"), "{message}");
        assert!(message.ends_with("1 tick: reason 2; 97 ticks for other reasons"), "{message}");
    }

    #[test]
    fn a_position_ahead_of_the_clock_is_not_a_missing_worker() {
        let due = ScheduleRecord { next_due_at: Some(record().now.before(DAY)), ..record() };
        assert!(!is_ahead_of_clock(&due));
        assert!(messages(&due, &[])[0].contains("no worker runs"));
        let ahead = ScheduleRecord { settled_until: record().now.after(DAY), ..record() };
        assert!(is_ahead_of_clock(&ahead));
        assert!(messages(&ahead, &[])[0].contains("ahead of the clock"));
    }
}

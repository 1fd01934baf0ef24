use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::row::kept;
use crate::{JobId, PlannedTick, Timestamp};

/// What became of a due tick, or of a run of ticks that were skipped together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tick {
    /// The schedule.
    pub schedule: String,
    /// When it was due, without jitter. Of a run, the first.
    pub due_at: Timestamp,
    /// Of a run, when the last one was due.
    pub until_at: Option<Timestamp>,
    /// How many ticks the row stands for.
    pub ticks: u64,
    /// What asked for it.
    pub kind: TickKind,
    /// What became of it.
    pub outcome: TickOutcome,
    /// Its job.
    pub job_id: Option<JobId>,
    /// When that was decided.
    pub decided_at: Timestamp,
    /// Who decided it.
    pub decided_by: String,
    /// Why, in words.
    pub why: String,
}

/// What asked for a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickKind {
    /// The schedule.
    Scheduled,
    /// A person: a run now.
    Manual,
    /// A person: a span in the past.
    Backfill,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickOutcome {
    /// It made a job in time.
    Enqueued,
    /// It made a job, late.
    Late,
    /// The last job had not ended.
    SkippedOverlap,
    /// The schedule was paused.
    SkippedPaused,
    /// A later tick that was due as well made the job.
    Coalesced,
    /// It was too old, or old ones are skipped.
    Missed,
    /// Its wall-clock time did not exist that day, and no run took its place.
    NoSuchTime,
}

/// A page of ticks, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct TickPage {
    /// The ticks.
    pub ticks: Vec<Tick>,
    /// Where the next page begins, if there is one: [`TicksRequest::before`](crate::TicksRequest::before).
    pub next: Option<Timestamp>,
}

/// How many ticks of a schedule are kept.
///
/// The newest [`TickRetention::ALWAYS`] stay. Of the others, those go that are older than [`TickRetention::AGE`] or
/// beyond the newest [`TickRetention::AT_MOST`].
#[derive(Clone, Copy, Debug)]
pub struct TickRetention;

impl TickRetention {
    /// So many are kept however old they are.
    pub const ALWAYS: u32 = 100;
    /// So many are kept at most.
    pub const AT_MOST: u32 = 10_000;
    /// So many of each schedule go along when the queue moves to another database.
    pub const MOVED: u32 = 1000;
    /// So old a tick becomes at most.
    pub const AGE: Duration = Duration::from_secs(90 * 86_400);

    /// The first instant whose ticks are kept, by the oldest one of those that always are, and the oldest one of those
    /// that are at most.
    pub fn kept_from(always: Timestamp, at_most: Option<Timestamp>, now: Timestamp) -> Timestamp {
        always.min(now.before(Self::AGE)).max(at_most.unwrap_or(Timestamp::MIN))
    }
}

impl TickPage {
    /// The first ticks of an answer that may have one more than the page.
    pub fn of(mut ticks: Vec<Tick>, limit: u32) -> Self {
        let has_more = ticks.len() > limit as usize;
        ticks.truncate(limit as usize);
        let next = ticks.last().map(|tick| tick.due_at).filter(|_| has_more);
        Self { ticks, next }
    }
}

impl Tick {
    /// A decided tick.
    pub fn decided(schedule: &str, tick: &PlannedTick, job_id: Option<JobId>, by: &str, at: Timestamp) -> Self {
        Self {
            schedule: schedule.to_owned(),
            due_at: tick.due_at,
            until_at: tick.until_at,
            ticks: tick.ticks,
            kind: tick.kind,
            outcome: tick.outcome,
            job_id,
            decided_at: at,
            decided_by: kept(by),
            why: kept(&tick.why),
        }
    }
}

impl TickOutcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Enqueued,
        Self::Late,
        Self::SkippedOverlap,
        Self::SkippedPaused,
        Self::Coalesced,
        Self::Missed,
        Self::NoSuchTime,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueued => "enqueued",
            Self::Late => "late",
            Self::SkippedOverlap => "skipped_overlap",
            Self::SkippedPaused => "skipped_paused",
            Self::Coalesced => "coalesced",
            Self::Missed => "missed",
            Self::NoSuchTime => "no_such_time",
        }
    }

    /// Whether a person may still ask for its run.
    pub const fn made_no_job(self) -> bool {
        !matches!(self, Self::Enqueued | Self::Late)
    }
}

impl fmt::Display for TickOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TickKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduled, Self::Manual, Self::Backfill];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
        }
    }
}

impl fmt::Display for TickKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none for what is asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not known: expected one of {known}")]
pub struct UnknownScheduleWord {
    /// The word that was given.
    pub word: String,
    /// The words that there are.
    pub known: String,
}

impl UnknownScheduleWord {
    pub(crate) fn of<const N: usize>(word: &str, known: [&'static str; N]) -> Self {
        Self { word: word.to_owned(), known: known.join(", ") }
    }
}

impl FromStr for TickOutcome {
    type Err = UnknownScheduleWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|outcome| outcome.as_str() == word);
        found.ok_or_else(|| UnknownScheduleWord::of(word, Self::ALL.map(Self::as_str)))
    }
}

impl FromStr for TickKind {
    type Err = UnknownScheduleWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| UnknownScheduleWord::of(word, Self::ALL.map(Self::as_str)))
    }
}

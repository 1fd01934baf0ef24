use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, Timestamp};

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

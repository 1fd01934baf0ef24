use crate::{JobId, ScheduleDefinition, ScheduleSource, Tick, Timestamp};

/// A schedule as the database knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleRecord {
    /// What it is. An error is a definition that this program does not understand.
    pub definition: Result<ScheduleDefinition, String>,
    /// Its name.
    pub name: String,
    /// Grows with each change of the definition.
    pub revision: u64,
    /// Who defined it.
    pub source: ScheduleSource,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its definition was last changed.
    pub changed_at: Timestamp,
    /// All ticks up to this instant are settled.
    pub settled_until: Timestamp,
    /// When it is next settled.
    pub next_due_at: Option<Timestamp>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// The newest decided tick.
    pub last: Option<Tick>,
    /// The job of the last tick, if it has not ended.
    pub open_job: Option<JobId>,
    /// When a job of this schedule last completed, and for which tick.
    pub last_completed: Option<(Timestamp, Timestamp)>,
    /// The store's time at this answer.
    pub now: Timestamp,
}

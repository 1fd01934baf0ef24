use crate::{JobId, ScheduleDefinition, ScheduleRow, ScheduleSource, Tick, Timestamp};

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
    /// Why an operator has paused it; none if its definition says so.
    pub pause_reason: Option<String>,
    /// The newest decided tick.
    pub last: Option<Tick>,
    /// The job of the last tick, if it has not ended.
    pub open_job: Option<JobId>,
    /// When a job of this schedule last completed, and for which tick, among its newest
    /// [`ScheduleRecord::COMPLETED_AMONG`] ticks with a job. A job that is gone counts as completed when its tick was
    /// decided: nobody but a person removes a job that did not end well.
    pub last_completed: Option<(Timestamp, Timestamp)>,
    /// The store's time at this answer.
    pub now: Timestamp,
}

impl ScheduleRecord {
    /// How many ticks are looked through for one whose job has completed.
    pub const COMPLETED_AMONG: u32 = 100;

    /// What everybody is told of a schedule.
    pub fn of(row: ScheduleRow, ticks: TicksOfRecord, now: Timestamp) -> Self {
        let definition = row.parsed();
        let TicksOfRecord { last, open_job, last_completed } = ticks;
        Self {
            definition,
            name: row.name,
            revision: row.revision,
            source: row.source,
            created_at: row.created_at,
            changed_at: row.changed_at,
            settled_until: row.settled_until,
            next_due_at: row.next_due_at,
            paused_at: row.paused_at,
            pause_reason: row.pause_reason,
            last,
            open_job,
            last_completed,
            now,
        }
    }
}

/// What a record takes from the ticks and jobs of a schedule.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TicksOfRecord {
    /// The newest decided tick.
    pub last: Option<Tick>,
    /// The job of the last tick, if it has not ended.
    pub open_job: Option<JobId>,
    /// When a job last completed, and for which tick.
    pub last_completed: Option<(Timestamp, Timestamp)>,
}

use std::fmt;

use crate::{JobId, ScheduleDefinition, TickKind, TickOutcome, TickRun, Timestamp, ValidJob};

/// Decides what becomes of ticks. Pure: the same schedule at the same time gives the same plan in every process.
///
/// A store calls it inside its transaction, so it must be quick and must not call the store.
pub trait PlanTicks: Send + Sync + fmt::Debug + 'static {
    /// Decides for all ticks after [`DueSchedule::settled_until`] up to now, in bounded work: runs of ticks that make no
    /// job are one [`PlannedTick`]. The plan may have no tick and only move `next_due_at`.
    fn plan(&self, schedule: &DueSchedule, now: Timestamp) -> TickPlan;

    /// When the first tick after this instant is settled, jitter included; none if there is none. Jitter is less than
    /// the distance to the next tick, so ticks are settled in their order.
    fn next_after(&self, definition: &ScheduleDefinition, after: Timestamp) -> Option<Timestamp>;

    /// The ticks after one instant and until another, which counts too, without jitter. None if there is none, or if this
    /// process does not understand the timing. In bounded work, however many they are.
    fn run_between(&self, definition: &ScheduleDefinition, after: Timestamp, until: Timestamp) -> Option<TickRun>;
}

/// A schedule that is due, as it is in the transaction that settles it.
#[derive(Clone, Debug, PartialEq)]
pub struct DueSchedule {
    /// What it is.
    pub definition: ScheduleDefinition,
    /// All ticks up to this instant are settled.
    pub settled_until: Timestamp,
    /// Since when an operator or the definition has paused it, and why.
    pub paused: Option<(Timestamp, String)>,
    /// Ticks that will make a job, one after another, each when the job before it has ended. Oldest first, at most
    /// [`ScheduleDefinition::CATCH_UP_MAX`].
    pub waiting: Vec<WaitingTick>,
    /// The job of the last tick, if it has not ended.
    pub open_job: Option<JobId>,
}

/// A tick that makes its job when the job before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingTick {
    /// When it is due, without jitter.
    pub due_at: Timestamp,
    /// Since when it waits: when a plan first had it.
    pub since: Timestamp,
    /// Whether that was so late that the tick may have run before, in a newer state of the database.
    pub is_after_gap: bool,
}

/// A decision about a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct TickPlan {
    /// What became of each tick, oldest first.
    pub ticks: Vec<PlannedTick>,
    /// All ticks up to this instant are settled now.
    pub settled_until: Timestamp,
    /// The ticks that wait for the end of the open job. As long as there is one, the store asks again when that job has
    /// ended, not only at `next_due_at`.
    pub waiting: Vec<WaitingTick>,
    /// When to ask again; none if there will be no tick.
    pub next_due_at: Option<Timestamp>,
    /// The open job is to be cancelled, or asked to stop if it runs.
    pub cancel_open_job: bool,
    /// What an operator should know, such as ticks that were missed for long.
    pub warning: Option<String>,
}

/// What becomes of a tick, or of a run of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTick {
    /// When it is due, without jitter. Of a run, the first.
    pub due_at: Timestamp,
    /// Of a run, the last.
    pub until_at: Option<Timestamp>,
    /// How many ticks it stands for.
    pub ticks: u64,
    /// What asked for it.
    pub kind: TickKind,
    /// What becomes of it.
    pub outcome: TickOutcome,
    /// Why, in words.
    pub why: String,
    /// The job that it makes: with `schedule` and `due_at` in its metadata.
    pub job: Option<ValidJob>,
}

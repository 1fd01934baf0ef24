pub(crate) mod addition;
pub(crate) mod definition;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod tick;
pub(crate) mod tick_run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    JobId, PlanTicks, PlannedTick, ScheduleDefinition, ScheduleFit, ScheduleRecord, ScheduleSource, StoreFuture,
    TickOutcome, TickPage, Timestamp,
};

/// The schedules of a database, and what became of each of their ticks.
///
/// Nobody leads: every process with a scheduler settles what is due, and each tick is decided once, in the transaction
/// that creates its job. The definitions in the database rule; a process applies its own configuration only when it
/// starts. So two processes with different configurations do not undo each other's changes.
pub trait Schedules: Send + Sync + fmt::Debug + 'static {
    /// Creates the schedules that do not exist, and replaces the definitions that differ, all in one transaction. A new
    /// one starts now: it has no tick in the past. One whose timing differs starts now as well; otherwise what it has
    /// settled stays. A pause of an operator stays. Each replaced definition has a new revision. Ticks that were due
    /// before a change of the timing, and that nobody has settled, are written as missed.
    fn apply_schedules(&self, apply: ApplySchedules) -> StoreFuture<'_, AppliedSchedules>;

    /// Pauses, resumes or removes a schedule. Returns false if there is none of this name; nothing has changed then.
    /// Removing keeps the ticks and the jobs. A resume without catching up first settles what is due, as long as the
    /// pause holds, so that these ticks are skipped; this and catching up need a definition that this program
    /// understands.
    fn change_schedule(&self, change: ChangeSchedule) -> StoreFuture<'_, bool>;

    /// A page of schedules by name. Only reads.
    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>>;

    /// A page of what became of ticks, newest first. Only reads. Housekeeping removes old ones: see
    /// [`TickRetention`](crate::TickRetention).
    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage>;

    /// Settles schedules that are due: reads each with the state of its last job, has the planner decide, and writes
    /// ticks, jobs, cancellations and the new position in one transaction. Schedules that another process settles
    /// meanwhile are passed over, and so are those that cannot be settled, which are named. Repeated after an error it
    /// decides nothing twice, because a tick is unique by schedule and instant. Only reads if nothing is due.
    ///
    /// A job that the database refuses makes its tick a missed one; it stalls neither its schedule nor others.
    fn settle_schedules(&self, settle: SettleSchedules) -> StoreFuture<'_, SettledSchedules>;

    /// Adds ticks by hand: a run now, or those of a span in the past. The position of the schedule stays. A tick that
    /// exists already is passed over, whatever became of it, unless it was missed or skipped; such a one is replaced. A
    /// tick that was skipped in a run of several is taken out of the run, whose other ticks stay in one row or more.
    ///
    /// Returns the jobs in the order of the ticks, none for those that were passed over; none at all if there is no
    /// schedule of this name. All of the ticks are added or none. At most 1000 of them.
    fn add_ticks(&self, add: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>>;
}

/// Schedules to make known.
#[derive(Clone, Debug)]
pub struct ApplySchedules {
    /// The definitions.
    pub definitions: Vec<ScheduleDefinition>,
    /// Where they come from.
    pub source: ScheduleSource,
    /// Whether schedules of the same source that are not among them are removed.
    pub prune: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Finds the first tick of a new or changed schedule.
    pub planner: Arc<dyn PlanTicks>,
    /// Who applies them, for people.
    pub decided_by: String,
}

/// What was changed, or would be: the names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AppliedSchedules {
    /// Schedules that are new.
    pub added: Vec<String>,
    /// Schedules whose definition was replaced.
    pub changed: Vec<String>,
    /// Schedules that were removed.
    pub removed: Vec<String>,
    /// Schedules that were as they should be.
    pub unchanged: Vec<String>,
}

impl AppliedSchedules {
    /// Adds what became of one schedule.
    pub fn add(&mut self, name: &str, fit: ScheduleFit) {
        let names = match fit {
            ScheduleFit::New => &mut self.added,
            ScheduleFit::Same => &mut self.unchanged,
            ScheduleFit::Edited | ScheduleFit::Restarted => &mut self.changed,
        };
        names.push(name.to_owned());
    }

    /// Whether anything is not as it was.
    pub fn has_changes(&self) -> bool {
        !(self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty())
    }
}

/// A schedule to change.
#[derive(Clone, Debug)]
pub struct ChangeSchedule {
    /// Its name.
    pub name: String,
    /// The change.
    pub change: ScheduleChange,
    /// Settles what is due before the change.
    pub planner: Arc<dyn PlanTicks>,
    /// Who changes it, for people.
    pub decided_by: String,
}

/// A change of one schedule by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleChange {
    /// Ticks become [`TickOutcome::SkippedPaused`] from now on.
    Pause {
        /// Why, for people.
        reason: String,
    },
    /// Ticks become jobs again.
    Resume {
        /// Whether ticks of the pause are decided by [`ScheduleDefinition::missed`], as after a downtime: the position
        /// goes back to the start of the pause, and the ticks that were skipped since then are forgotten. Otherwise what
        /// is due is first decided as paused, and the schedule continues from there.
        catch_up: bool,
    },
    /// The schedule is deleted.
    Remove,
}

/// Which schedules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulesRequest {
    /// Only these; none for all.
    pub names: Option<Vec<String>>,
    /// Only names behind this one.
    pub after: Option<String>,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
}

/// Which ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicksRequest {
    /// Of which schedule, also one that was removed.
    pub schedule: String,
    /// Only those with one of these outcomes; none for all.
    pub outcomes: Option<Vec<TickOutcome>>,
    /// Only those before this instant.
    pub before: Option<Timestamp>,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
}

/// A step of a scheduler.
#[derive(Clone, Debug)]
pub struct SettleSchedules {
    /// Decides.
    pub planner: Arc<dyn PlanTicks>,
    /// Who decides, for people: host and process.
    pub decided_by: String,
    /// How many schedules at most.
    pub limit: u32,
}

/// What a step of a scheduler did.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SettledSchedules {
    /// What was decided.
    pub ticks: Vec<SettledTick>,
    /// Whether more is due now.
    pub has_more: bool,
    /// How long until the next tick of any schedule, from now; none if there is none. At most a second while a tick
    /// waits for the end of a job.
    pub next_due: Option<Duration>,
    /// What an operator should know: the schedule and the planner's warning.
    pub warnings: Vec<(String, String)>,
    /// Schedules that are due and could not be settled: the name and why, such as a definition of a newer version. They
    /// do not count as due, so a scheduler that waits as told tries them again with the next tick.
    pub unsettled: Vec<(String, String)>,
}

impl SettledSchedules {
    /// How often a tick that waits for the end of a job is looked at.
    pub const WAITING_LOOK: Duration = Duration::from_secs(1);
}

/// A decided tick.
#[derive(Clone, Debug, PartialEq)]
pub struct SettledTick {
    /// The schedule.
    pub schedule: String,
    /// The decision.
    pub tick: PlannedTick,
    /// Its job.
    pub job_id: Option<JobId>,
}

/// Ticks to add by hand.
#[derive(Clone, Debug)]
pub struct AddTicks {
    /// The schedule.
    pub schedule: String,
    /// The ticks.
    pub ticks: Vec<PlannedTick>,
    /// Finds the other ticks of a run from which one is taken out.
    pub planner: Arc<dyn PlanTicks>,
    /// Who adds them, for people.
    pub decided_by: String,
}

//! Jobs at times: by a cron expression in a time zone, or always after the same span.
//!
//! Give a [`Schedule`] to a worker with [`Worker::schedule`](crate::Worker::schedule), or change the schedules of a
//! database at run time with [`Queue::schedules`](crate::Queue::schedules). Every due tick leaves a [`Tick`], which says
//! what became of it. The guide is `docs/schedules.md`.

pub(crate) mod job_origin;
mod queue_schedules;

pub use longshore_core::{
    AppliedSchedules, Missed, Overlap, ScheduleDefinition, ScheduleRecord, ScheduleSource, ScheduledJob, Tick,
    TickKind, TickOutcome, TickPage, TicksRequest, Timing, UnknownScheduleWord,
};
pub use longshore_schedule::{Finding, FindingKind, InvalidSchedule, InvalidTiming, find_time_zone, findings};
pub(crate) use queue_schedules::applying;
pub use queue_schedules::{Backfilled, BackfilledTick, QueueSchedules};

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use longshore_core::{Due, InvalidJobData, JobId, NewJob, StoreError, Timestamp};
use longshore_schedule::TickPlanner;
use thiserror::Error;

use crate::Payload;
use crate::worker::host;

/// When a job is to run, again and again.
///
/// ```
/// use longshore::{Job, Schedule, schedule::{Missed, Overlap}};
/// use std::time::Duration;
///
/// #[derive(Job, serde::Serialize, serde::Deserialize)]
/// struct Report {
///     kind: String,
/// }
///
/// let nightly = Schedule::cron("nightly", "30 2 * * mon-fri")
///     .time_zone("Europe/Berlin")
///     .missed(Missed::Latest)
///     .overlap(Overlap::Skip)
///     .expect_within(Duration::from_secs(3600))
///     .enqueue(&Report { kind: "daily".into() });
/// assert!(nightly.definition().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    definition: ScheduleDefinition,
    job: JobOfSchedule,
}

#[derive(Clone, Debug)]
enum JobOfSchedule {
    None,
    Given(Box<NewJob>),
    /// The words of an [`InvalidJobData`], which cannot be cloned.
    Unencodable(String),
}

/// Why a schedule, or a call about schedules, failed. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The schedule is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
    /// The schedule has no job.
    #[error("schedule {name:?} has no job: add one with enqueue or enqueue_job")]
    WithoutJob {
        /// The schedule.
        name: String,
    },
    /// The payload of its job cannot be encoded.
    #[error("schedule {name:?}: the payload is {reason}")]
    Payload {
        /// The schedule.
        name: String,
        /// Why.
        reason: String,
    },
    /// Its job has a property that belongs to each tick.
    #[error("schedule {name:?}: its job cannot have {property}, because each tick sets it")]
    OfEachTick {
        /// The schedule.
        name: String,
        /// The property.
        property: &'static str,
    },
    /// Two schedules have one name.
    #[error("there are two schedules named {name:?}: rename one of them")]
    Doubled {
        /// The name.
        name: String,
    },
    /// There is no schedule of this name.
    #[error("there is no schedule {name:?}")]
    NotFound {
        /// The name.
        name: String,
    },
    /// This program does not understand the definition in the database.
    #[error("schedule {name:?} has a definition that this program does not understand: {reason}")]
    NotUnderstood {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A span has more ticks than one call adds.
    #[error(
        "schedule {name:?} has {ticks} ticks in that span, but at most {max} are added at once: give a shorter span"
    )]
    TooManyTicks {
        /// The name.
        name: String,
        /// How many there are.
        ticks: u64,
        /// How many there may be.
        max: u64,
    },
    /// The span of a backfill is empty.
    #[error("a backfill begins before it ends, but its beginning {from} is not before its end {to}")]
    EmptySpan {
        /// The beginning, which counts.
        from: Timestamp,
        /// The end, which does not count.
        to: Timestamp,
    },
    /// The span of a backfill reaches into the future.
    #[error("a backfill ends in the past, but its end {to} is in the future: it is {now} now")]
    FutureSpan {
        /// The end.
        to: Timestamp,
        /// The time of the database.
        now: Timestamp,
    },
    /// The store returned an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job that a person asked for was not made.
    #[error("schedule {name:?} has a tick at this very time already: try again")]
    Twice {
        /// The name.
        name: String,
        /// The job of that tick.
        job: Option<JobId>,
    },
}

impl ScheduleError {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::NotFound { .. } => "no_such_schedule",
            Self::Twice { .. } => "tick_exists",
            Self::NotUnderstood { .. } => "schedule_not_understood",
            Self::EmptySpan { .. } | Self::FutureSpan { .. } | Self::TooManyTicks { .. } => "invalid_span",
            _ => "invalid_schedule",
        }
    }

    /// What the user can do about it, if the message does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::NotUnderstood { .. } => Some("use the version that wrote it, or add the schedule again"),
            _ => None,
        }
    }
}

impl Schedule {
    /// A schedule by a cron expression: five fields, six with seconds first, or a nickname such as `@daily`. Its time zone
    /// is UTC unless it is set.
    pub fn cron(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self::of(name, Timing::Cron { cron: expression.into(), time_zone: "UTC".to_owned() })
    }

    /// A schedule that is due always after the same span, counted from 1970-01-01T00:00:00Z.
    pub fn every(name: impl Into<String>, span: Duration) -> Self {
        Self::of(name, Timing::Every { every_ms: ms(span), time_zone: "UTC".to_owned() })
    }

    /// A schedule by a definition.
    pub fn from_definition(definition: ScheduleDefinition) -> Self {
        let job = JobOfSchedule::Given(Box::new(definition.job.to_job()));
        Self { definition, job }
    }

    fn of(name: impl Into<String>, timing: Timing) -> Self {
        let definition = ScheduleDefinition::new(name, timing, ScheduledJob::default());
        Self { definition, job: JobOfSchedule::None }
    }

    /// Sets the time zone by its IANA name, such as `Europe/Berlin`.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        let (Timing::Cron { time_zone, .. } | Timing::Every { time_zone, .. }) = &mut self.definition.timing;
        *time_zone = name.into();
        self
    }

    /// Sets the payload of its jobs. Queue, priority, times and unique key come from the payload's type, as for
    /// [`Queue::enqueue`](crate::Queue::enqueue).
    #[must_use]
    pub fn enqueue<T: Payload>(mut self, payload: &T) -> Self {
        self.job = match payload.to_job() {
            Ok(job) => JobOfSchedule::Given(Box::new(job)),
            Err(error) => JobOfSchedule::Unencodable(InvalidJobData::to_string(&error)),
        };
        self
    }

    /// Sets its job. It must not have a delay, a time, a parent or metadata: each tick sets them.
    #[must_use]
    pub fn enqueue_job(mut self, job: NewJob) -> Self {
        self.job = JobOfSchedule::Given(Box::new(job));
        self
    }

    /// Sets what becomes of ticks that were not settled in time, as after downtime. Default: the latest one makes its job.
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Self {
        self.definition.missed = missed;
        self
    }

    /// Sets how many ticks make a job after downtime with [`Missed::All`], at most 100.
    #[must_use]
    pub fn catch_up_max(mut self, ticks: u32) -> Self {
        self.definition.catch_up_max = ticks;
        self
    }

    /// Sets how old a tick may be that still makes a job. Default: a day.
    #[must_use]
    pub fn catch_up(mut self, span: Duration) -> Self {
        self.definition.catch_up_ms = ms(span);
        self
    }

    /// Sets after which time a tick is told as late. Default: a minute.
    #[must_use]
    pub fn late_after(mut self, span: Duration) -> Self {
        self.definition.late_after_ms = ms(span);
        self
    }

    /// Sets what a tick does while the last job has not ended. Default: it is skipped.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.definition.overlap = overlap;
        self
    }

    /// Delays each job by an offset below `span`, which is the same on every host.
    #[must_use]
    pub fn jitter(mut self, span: Duration) -> Self {
        self.definition.jitter_ms = ms(span);
        self
    }

    /// Sets within which time after a tick a job must have completed. Otherwise the schedule is overdue.
    #[must_use]
    pub fn expect_within(mut self, span: Duration) -> Self {
        self.definition.expect_within_ms = Some(ms(span));
        self
    }

    /// Defines it as paused: its ticks are skipped until the definition says otherwise, or an operator resumes it.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.definition.paused = true;
        self
    }

    /// The definition, checked. An error says what is wrong.
    pub fn definition(&self) -> Result<ScheduleDefinition, ScheduleError> {
        let name = || self.definition.name.clone();
        let job = match &self.job {
            JobOfSchedule::None => return Err(ScheduleError::WithoutJob { name: name() }),
            JobOfSchedule::Unencodable(reason) => {
                return Err(ScheduleError::Payload { name: name(), reason: reason.clone() });
            }
            JobOfSchedule::Given(job) => NewJob::clone(job),
        };
        let of_each_tick =
            [("metadata", job.metadata.is_some()), ("a parent", job.parent.is_some()), ("a time", job.due != Due::Now)];
        if let Some((property, _)) = of_each_tick.into_iter().find(|(_, is_set)| *is_set) {
            return Err(ScheduleError::OfEachTick { name: name(), property });
        }
        let definition = ScheduleDefinition { job: ScheduledJob::like(job), ..self.definition.clone() };
        longshore_schedule::check(&definition)?;
        Ok(definition)
    }
}

/// The definitions of several schedules, each checked and with a name of its own.
pub(crate) fn definitions(schedules: &[Schedule]) -> Result<Vec<ScheduleDefinition>, ScheduleError> {
    let mut definitions: Vec<ScheduleDefinition> = Vec::new();
    for schedule in schedules {
        let definition = schedule.definition()?;
        if definitions.iter().any(|other| other.name == definition.name) {
            return Err(ScheduleError::Doubled { name: definition.name });
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

/// One planner for the process, which keeps the timings that it has parsed.
pub(crate) fn planner() -> Arc<TickPlanner> {
    static PLANNER: LazyLock<Arc<TickPlanner>> = LazyLock::new(Arc::default);
    Arc::clone(&PLANNER)
}

/// Who decides in this process, for people.
#[doc(hidden)]
pub fn decided_by() -> String {
    format!("{}:{}", host(), std::process::id())
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

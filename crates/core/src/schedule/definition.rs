use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{JobData, Priority};

/// What a schedule is: when it is due, which job it makes, and what happens if that is not possible in time.
///
/// A store keeps it as JSON and does not look into it; [`PlanTicks`](crate::PlanTicks) does. Fields that an older
/// program does not know are an error there, so that it does not decide what it does not understand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleDefinition {
    /// Its name, unique in the database.
    pub name: String,
    /// When it is due.
    pub timing: Timing,
    /// The job of each tick.
    pub job: ScheduledJob,
    /// What happens to ticks that were not settled in time.
    pub missed: Missed,
    /// How many of them become jobs at most.
    pub catch_up_max: u32,
    /// How old a tick may be that still becomes a job, in milliseconds.
    pub catch_up_ms: u64,
    /// After how many milliseconds a tick is told as late.
    pub late_after_ms: u64,
    /// What happens while the last job has not ended.
    pub overlap: Overlap,
    /// The upper bound of the offset of each job, in milliseconds.
    pub jitter_ms: u64,
    /// Within how many milliseconds after a tick a run must have ended well.
    pub expect_within_ms: Option<u64>,
    /// Whether the definition itself says that it is paused.
    pub paused: bool,
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Timing {
    /// By a cron expression.
    Cron {
        /// The expression, as it was given.
        cron: String,
        /// The name of the time zone.
        time_zone: String,
    },
    /// Always after the same span, counted from 1970-01-01T00:00:00Z.
    Every {
        /// The span in milliseconds.
        every_ms: u64,
        /// The name of the time zone in which instants are shown.
        time_zone: String,
    },
}

/// The job that a schedule makes. What is not set comes from the settings of its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledJob {
    /// The type.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// The queue.
    pub queue: Option<String>,
    /// The priority.
    pub priority: Option<Priority>,
    /// The number of retries after the first attempt.
    pub max_retries: Option<u32>,
    /// The timeout of an attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// What becomes of ticks that were not settled in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// None of them becomes a job.
    Skip,
    /// The latest one does.
    #[default]
    Latest,
    /// All do, up to [`ScheduleDefinition::catch_up_max`], the latest ones.
    All,
}

/// What a tick does while the last job of the schedule has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It makes its job.
    Allow,
    /// It is skipped.
    #[default]
    Skip,
    /// Its job is made when the last one has ended; further ticks meanwhile are skipped.
    After,
    /// The last job is cancelled, and its own is made.
    Replace,
}

/// Where a schedule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleSource {
    /// The configuration file.
    Config,
    /// The code of a worker.
    Code,
    /// A command or a call at run time.
    Manual,
}

impl Timing {
    /// The time zone.
    pub fn time_zone(&self) -> &str {
        match self {
            Self::Cron { time_zone, .. } | Self::Every { time_zone, .. } => time_zone,
        }
    }
}

impl ScheduleDefinition {
    /// The default of [`Self::late_after_ms`]: one minute.
    pub const LATE_AFTER: Duration = Duration::from_secs(60);
    /// The default of [`Self::catch_up_ms`]: one day.
    pub const CATCH_UP: Duration = Duration::from_secs(86_400);
    /// The default and the upper bound of [`Self::catch_up_max`].
    pub const CATCH_UP_MAX: u32 = 100;
}

impl ScheduleSource {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Code => "code",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for ScheduleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

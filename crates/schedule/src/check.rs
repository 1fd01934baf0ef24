use std::time::Duration;

use longshore_core::{InvalidJob, Limits, NewJob, ScheduleDefinition};
use thiserror::Error;

use crate::planner::job_of;
use crate::{InvalidTiming, Ticks};

/// The longest name of a schedule, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// The longest span of a setting: ten years.
const SPAN_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
/// A longer offset would move a tick to another day.
const JITTER_MAX: Duration = Duration::from_secs(86_400);

/// Why a definition is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// Its name.
    #[error(
        "the name of a schedule must be 1 to {NAME_BYTES_MAX} bytes without control characters, but {name:?} is not"
    )]
    Name {
        /// As it was given.
        name: String,
    },
    /// When it is due.
    #[error("schedule {name:?}: {cause}")]
    Timing {
        /// The schedule.
        name: String,
        /// The mistake.
        #[source]
        cause: InvalidTiming,
    },
    /// Its job.
    #[error("schedule {name:?}: {cause}")]
    Job {
        /// The schedule.
        name: String,
        /// The mistake.
        #[source]
        cause: InvalidJob,
    },
    /// A number or a span is out of range.
    #[error("schedule {name:?}: {setting} must be {expected}")]
    OutOfRange {
        /// The schedule.
        name: String,
        /// The setting.
        setting: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
}

impl InvalidSchedule {
    /// The setting that is wrong, as it is named in a configuration file.
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Name { .. } | Self::Job { .. } => None,
            Self::Timing { cause: InvalidTiming::Cron(_), .. } => Some("cron"),
            Self::Timing { cause: InvalidTiming::TimeZone(_), .. } => Some("time_zone"),
            Self::Timing { cause: InvalidTiming::Every { .. }, .. } => Some("every"),
            Self::OutOfRange { setting, .. } => Some(setting),
        }
    }
}

/// Checks a definition, and gives its ticks.
pub fn check(definition: &ScheduleDefinition) -> Result<Ticks, InvalidSchedule> {
    let name = || definition.name.clone();
    if name().is_empty() || name().len() > NAME_BYTES_MAX || name().chars().any(char::is_control) {
        return Err(InvalidSchedule::Name { name: name() });
    }
    let ticks = Ticks::new(&definition.timing).map_err(|cause| InvalidSchedule::Timing { name: name(), cause })?;
    check_settings(definition)?;
    let job: NewJob = job_of(definition, longshore_core::Timestamp::MAX);
    job.check(&Limits::default()).map_err(|cause| InvalidSchedule::Job { name: name(), cause })?;
    Ok(ticks)
}

fn check_settings(definition: &ScheduleDefinition) -> Result<(), InvalidSchedule> {
    let span = |ms: u64| Duration::from_millis(ms);
    let expect_within = definition.expect_within_ms.unwrap_or(1);
    let settings = [
        ("catch_up_max", (1..=ScheduleDefinition::CATCH_UP_MAX).contains(&definition.catch_up_max), "from 1 to 100"),
        ("catch_up", span(definition.catch_up_ms) <= SPAN_MAX, "10 years or less"),
        ("late_after", span(definition.late_after_ms) <= SPAN_MAX, "10 years or less"),
        ("jitter", span(definition.jitter_ms) <= JITTER_MAX, "1 day or less"),
        ("expect_within", expect_within > 0 && span(expect_within) <= SPAN_MAX, "from 1ms to 10 years"),
    ];
    match settings.into_iter().find(|(_, is_valid, _)| !is_valid) {
        Some((setting, _, expected)) => {
            Err(InvalidSchedule::OutOfRange { name: definition.name.clone(), setting, expected })
        }
        None => Ok(()),
    }
}

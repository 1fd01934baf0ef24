use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{JobData, NewJob, OnDuplicate, Priority, UniqueWhile, UnknownScheduleWord};

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

/// The job that a schedule makes. What is not set has the default of every job.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
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
    /// How long after its tick an attempt may start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// How long after its tick an attempt may run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_in_ms: Option<u64>,
    /// The crash count at which it becomes a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_crashes: Option<u32>,
    /// How many times it may be deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_deferrals: Option<u32>,
    /// The key under which its type may be limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_key: Option<String>,
    /// No second job is created while a job with this key has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// What happens if another job has the unique key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_duplicate: Option<OnDuplicate>,
    /// Which other jobs with the unique key count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_while: Option<UniqueWhile>,
}

impl ScheduledJob {
    /// A job with a type and a payload.
    pub fn new(job_type: impl Into<String>, job_data: JobData) -> Self {
        Self { job_type: job_type.into(), job_data, ..Self::default() }
    }

    /// What the jobs of a schedule take from this one: all but its time, its parent and its metadata, which belong to
    /// each tick.
    pub fn like(job: NewJob) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let plain = NewJob::new("", JobData::default());
        Self {
            queue: Some(job.queue),
            priority: Some(job.priority),
            max_retries: job.max_retries,
            timeout_ms: job.timeout.map(ms),
            expires_in_ms: job.expires_in.map(ms),
            deadline_in_ms: job.deadline_in.map(ms),
            max_crashes: (job.max_crashes != plain.max_crashes).then_some(job.max_crashes),
            max_deferrals: (job.max_deferrals != plain.max_deferrals).then_some(job.max_deferrals),
            limit_key: job.limit_key,
            unique_key: job.unique_key,
            on_duplicate: (job.on_duplicate != plain.on_duplicate).then_some(job.on_duplicate),
            unique_while: (job.unique_while != plain.unique_while).then_some(job.unique_while),
            job_type: job.job_type,
            job_data: job.job_data,
        }
    }

    /// A job for one tick, without its metadata.
    pub fn to_job(&self) -> NewJob {
        let mut job = NewJob::new(self.job_type.clone(), self.job_data.clone());
        if let Some(queue) = &self.queue {
            job.queue.clone_from(queue);
        }
        job.priority = self.priority.unwrap_or(job.priority);
        job.max_retries = self.max_retries;
        job.timeout = self.timeout_ms.map(Duration::from_millis);
        job.expires_in = self.expires_in_ms.map(Duration::from_millis);
        job.deadline_in = self.deadline_in_ms.map(Duration::from_millis);
        job.max_crashes = self.max_crashes.unwrap_or(job.max_crashes);
        job.max_deferrals = self.max_deferrals.unwrap_or(job.max_deferrals);
        job.limit_key.clone_from(&self.limit_key);
        job.unique_key.clone_from(&self.unique_key);
        job.on_duplicate = self.on_duplicate.unwrap_or(job.on_duplicate);
        job.unique_while = self.unique_while.unwrap_or(job.unique_while);
        job
    }
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
    /// A definition with the default of every setting.
    pub fn new(name: impl Into<String>, timing: Timing, job: ScheduledJob) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: name.into(),
            timing,
            job,
            missed: Missed::default(),
            catch_up_max: Self::CATCH_UP_MAX,
            catch_up_ms: ms(Self::CATCH_UP),
            late_after_ms: ms(Self::LATE_AFTER),
            overlap: Overlap::default(),
            jitter_ms: 0,
            expect_within_ms: None,
            paused: false,
        }
    }

    /// The default of [`Self::late_after_ms`]: one minute.
    pub const LATE_AFTER: Duration = Duration::from_secs(60);
    /// The default of [`Self::catch_up_ms`]: one day.
    pub const CATCH_UP: Duration = Duration::from_secs(86_400);
    /// The default and the upper bound of [`Self::catch_up_max`].
    pub const CATCH_UP_MAX: u32 = 100;
}

impl ScheduleSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Config, Self::Code, Self::Manual];

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

impl FromStr for ScheduleSource {
    type Err = UnknownScheduleWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|source| source.as_str() == word);
        found.ok_or_else(|| UnknownScheduleWord::of(word, Self::ALL.map(Self::as_str)))
    }
}

impl Missed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Latest, Self::All];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Latest => "latest",
            Self::All => "all",
        }
    }
}

impl FromStr for Missed {
    type Err = UnknownScheduleWord;

    fn from_str(word: &str) -> Result<Self, UnknownScheduleWord> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == word);
        found.ok_or_else(|| UnknownScheduleWord::of(word, Self::ALL.map(Self::as_str)))
    }
}

impl Overlap {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Skip, Self::After, Self::Replace];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::After => "after",
            Self::Replace => "replace",
        }
    }
}

impl FromStr for Overlap {
    type Err = UnknownScheduleWord;

    fn from_str(word: &str) -> Result<Self, UnknownScheduleWord> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == word);
        found.ok_or_else(|| UnknownScheduleWord::of(word, Self::ALL.map(Self::as_str)))
    }
}

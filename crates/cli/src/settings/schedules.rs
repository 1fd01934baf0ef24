use std::time::Duration;

use longshore::Schedule;
use longshore::schedule::{Missed, Overlap, ScheduleError};
use longshore_core::{JobData, NewJob, Priority, deserialize_duration};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A schedule in the configuration file, `[schedules.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleConfig {
    cron: Option<String>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    every: Option<Duration>,
    time_zone: Option<String>,
    /// The type of its jobs.
    pub(crate) job: String,
    data: Option<toml::Value>,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    timeout: Option<Duration>,
    missed: Option<Missed>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    late_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    catch_up: Option<Duration>,
    catch_up_max: Option<u32>,
    overlap: Option<Overlap>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    jitter: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    expect_within: Option<Duration>,
    #[serde(default)]
    paused: bool,
}

/// What is wrong with a schedule in the configuration file.
#[derive(Debug)]
pub(crate) struct ScheduleMistake {
    /// The key, if one alone is wrong.
    pub(crate) setting: Option<&'static str>,
    /// In one sentence.
    pub(crate) problem: String,
}

impl ScheduleMistake {
    fn new(problem: String) -> Self {
        Self { setting: None, problem }
    }
}

impl From<ScheduleError> for ScheduleMistake {
    fn from(error: ScheduleError) -> Self {
        let setting = match &error {
            ScheduleError::Invalid(invalid) => invalid.setting(),
            _ => None,
        };
        Self { setting, problem: error.to_string() }
    }
}

impl ScheduleConfig {
    /// The schedule, checked. `job` is one of its type.
    pub(crate) fn schedule(&self, name: &str, mut job: NewJob) -> Result<Schedule, ScheduleMistake> {
        let mut schedule = match (&self.cron, self.every) {
            (Some(cron), None) => Schedule::cron(name, cron),
            (None, Some(every)) => Schedule::every(name, every),
            (Some(_), Some(_)) => {
                return Err(ScheduleMistake::new(format!(
                    "schedule {name:?} has both cron and every: remove one of them"
                )));
            }
            (None, None) => {
                return Err(ScheduleMistake::new(format!(
                    "schedule {name:?} has neither cron nor every: add one, such as cron = \"30 2 * * *\""
                )));
            }
        };
        job.job_data = self.payload(name)?;
        job.queue = self.queue.clone().unwrap_or(job.queue);
        job.priority = self.priority.unwrap_or(job.priority);
        job.max_retries = self.max_retries.or(job.max_retries);
        job.timeout = self.timeout.or(job.timeout);
        let settings = ScheduleSettings {
            time_zone: self.time_zone.clone(),
            missed: self.missed,
            late_after: self.late_after,
            catch_up: self.catch_up,
            catch_up_max: self.catch_up_max,
            overlap: self.overlap,
            jitter: self.jitter,
            expect_within: self.expect_within,
            is_paused: self.paused,
        };
        schedule = settings.set(schedule.enqueue_job(job));
        schedule.definition().map_err(|error| self.place(error.into()))?;
        Ok(schedule)
    }

    fn payload(&self, name: &str) -> Result<JobData, ScheduleMistake> {
        let Some(data) = &self.data else { return Ok(JobData::default()) };
        let mistake =
            |why: String| ScheduleMistake { setting: Some("data"), problem: format!("schedule {name:?}: data {why}") };
        let json = json(data).ok_or_else(|| mistake("has a number that JSON cannot hold".to_owned()))?;
        JobData::encode(&json).map_err(|error| mistake(format!("is {error}")))
    }

    /// The key of a mistake in the job, which only its words name.
    fn place(&self, mistake: ScheduleMistake) -> ScheduleMistake {
        let keys = [
            ("timeout", self.timeout.is_some()),
            ("max_retries", self.max_retries.is_some()),
            ("queue", self.queue.is_some()),
        ];
        let key = keys.into_iter().find(|(key, is_set)| *is_set && mistake.problem.contains(key)).map(|(key, _)| key);
        ScheduleMistake { setting: mistake.setting.or(key), ..mistake }
    }
}

/// The settings that a schedule has beside its time and its job. What is not set has its default.
#[derive(Debug, Default)]
pub(crate) struct ScheduleSettings {
    pub(crate) time_zone: Option<String>,
    pub(crate) missed: Option<Missed>,
    pub(crate) late_after: Option<Duration>,
    pub(crate) catch_up: Option<Duration>,
    pub(crate) catch_up_max: Option<u32>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) expect_within: Option<Duration>,
    pub(crate) is_paused: bool,
}

impl ScheduleSettings {
    pub(crate) fn set(self, schedule: Schedule) -> Schedule {
        let schedule = set(schedule, self.time_zone, Schedule::time_zone);
        let schedule = set(schedule, self.missed, Schedule::missed);
        let schedule = set(schedule, self.late_after, Schedule::late_after);
        let schedule = set(schedule, self.catch_up, Schedule::catch_up);
        let schedule = set(schedule, self.catch_up_max, Schedule::catch_up_max);
        let schedule = set(schedule, self.overlap, Schedule::overlap);
        let schedule = set(schedule, self.jitter, Schedule::jitter);
        let schedule = set(schedule, self.expect_within, Schedule::expect_within);
        if self.is_paused { schedule.paused() } else { schedule }
    }
}

fn set<T>(schedule: Schedule, value: Option<T>, setter: fn(Schedule, T) -> Schedule) -> Schedule {
    match value {
        Some(value) => setter(schedule, value),
        None => schedule,
    }
}

/// The same value in JSON; a date and time is text. None for a number that is not finite.
fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(*number)?),
        toml::Value::Boolean(value) => Value::from(*value),
        toml::Value::Datetime(at) => Value::from(at.to_string()),
        toml::Value::Array(values) => Value::Array(values.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => {
            let fields = table.iter().map(|(name, value)| Some((name.clone(), json(value)?)));
            Value::Object(fields.collect::<Option<Map<_, _>>>()?)
        }
    })
}

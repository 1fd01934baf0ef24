use std::time::Duration;

use longshore_core::{
    JobData, JobId, Missed, Overlap, Priority, ScheduleDefinition, ScheduleRecord, ScheduleSource, Tick, TickOutcome,
    Timestamp, Timing, format_duration,
};
use longshore_schedule::Ticks;
use serde::Serialize;

/// How many ticks a list shows of each schedule.
const NEXT: u32 = 3;

/// All schedules.
#[derive(Debug, Serialize)]
pub struct ScheduleList {
    /// The schedules, by name.
    pub schedules: Vec<ScheduleSummary>,
}

impl ScheduleList {
    /// The document of what was read.
    pub fn new(records: &[ScheduleRecord]) -> Self {
        Self { schedules: records.iter().map(ScheduleSummary::new).collect() }
    }
}

/// One schedule.
#[derive(Debug, Serialize)]
pub struct ScheduleSummary {
    /// The name.
    pub name: String,
    /// Where the definition comes from.
    pub source: ScheduleSource,
    /// The cron expression.
    pub cron: Option<String>,
    /// The interval.
    pub every: Option<String>,
    /// The time zone.
    pub time_zone: Option<String>,
    /// The type of its jobs.
    pub job_type: Option<String>,
    /// The payload of its jobs.
    pub job_data: Option<JobData>,
    /// What becomes of ticks after downtime.
    pub missed: Option<Missed>,
    /// What becomes of a tick while the last job has not ended.
    pub overlap: Option<Overlap>,
    /// The longest offset of a tick.
    pub jitter: Option<String>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// The next ticks.
    pub next: Vec<Timestamp>,
    /// What became of the last tick.
    pub last: Option<LastTick>,
    /// The last job, while it has not ended.
    pub open_job_id: Option<JobId>,
    /// Why this program does not understand the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of the last tick.
#[derive(Debug, Serialize)]
pub struct LastTick {
    /// When it was due.
    pub due_at: Timestamp,
    /// What became of it.
    pub outcome: TickOutcome,
    /// Its job.
    pub job_id: Option<JobId>,
    /// Why, in words.
    pub why: String,
}

/// One schedule with all of its settings.
#[derive(Debug, Serialize)]
pub struct ScheduleDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub listed: ScheduleSummary,
    /// The queue of its jobs.
    pub queue: Option<String>,
    /// The priority of its jobs.
    pub priority: Option<Priority>,
    /// The retries of its jobs.
    pub max_retries: Option<u32>,
    /// The time limit of its jobs.
    pub timeout: Option<String>,
    /// What is older is missed.
    pub catch_up: Option<String>,
    /// How many ticks are caught up at most.
    pub catch_up_max: Option<u32>,
    /// A job that starts later is late.
    pub late_after: Option<String>,
    /// How long after a tick a job should have completed.
    pub expect_within: Option<String>,
    /// Whether the definition itself says that it is paused.
    pub paused: Option<bool>,
    /// The number of its definition.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its definition was changed.
    pub changed_at: Timestamp,
    /// All ticks up to this instant are settled.
    pub settled_until: Timestamp,
    /// When it is next settled.
    pub next_due_at: Option<Timestamp>,
    /// When its last completed job has completed.
    pub last_completed_at: Option<Timestamp>,
}

impl ScheduleSummary {
    /// The summary of a schedule.
    pub fn new(record: &ScheduleRecord) -> Self {
        let definition = record.definition.as_ref().ok();
        let (cron, every) = match definition.map(|definition| &definition.timing) {
            Some(Timing::Cron { cron, .. }) => (Some(cron.clone()), None),
            Some(Timing::Every { every_ms, .. }) => (None, Some(span(*every_ms))),
            None => (None, None),
        };
        let timing = ticks_of(record);
        Self {
            name: record.name.clone(),
            source: record.source,
            cron,
            every,
            time_zone: definition.map(|definition| definition.timing.time_zone().to_owned()),
            job_type: definition.map(|definition| definition.job.job_type.clone()),
            job_data: definition.map(|definition| definition.job.job_data.clone()),
            missed: definition.map(|definition| definition.missed),
            overlap: definition.map(|definition| definition.overlap),
            jitter: definition
                .filter(|definition| definition.jitter_ms > 0)
                .map(|definition| span(definition.jitter_ms)),
            paused_at: record.paused_at,
            pause_reason: record.pause_reason.clone(),
            next: timing.as_ref().map(|ticks| next_ticks(ticks, record, NEXT, None)).unwrap_or_default(),
            last: record.last.as_ref().map(LastTick::new),
            open_job_id: record.open_job,
            problem: timing.err(),
        }
    }
}

impl LastTick {
    fn new(tick: &Tick) -> Self {
        let due_at = tick.until_at.unwrap_or(tick.due_at);
        Self { due_at, outcome: tick.outcome, job_id: tick.job_id, why: tick.why.clone() }
    }
}

impl ScheduleDetail {
    /// The document of a schedule.
    pub fn new(record: &ScheduleRecord) -> Self {
        let definition = record.definition.as_ref().ok();
        let job = definition.map(|definition| &definition.job);
        let of = |ms: fn(&ScheduleDefinition) -> u64| definition.map(|definition| span(ms(definition)));
        Self {
            listed: ScheduleSummary::new(record),
            queue: job.and_then(|job| job.queue.clone()),
            priority: job.and_then(|job| job.priority),
            max_retries: job.and_then(|job| job.max_retries),
            timeout: job.and_then(|job| job.timeout_ms).map(span),
            catch_up: of(|definition| definition.catch_up_ms),
            catch_up_max: definition.map(|definition| definition.catch_up_max),
            late_after: of(|definition| definition.late_after_ms),
            expect_within: definition.and_then(|definition| definition.expect_within_ms).map(span),
            paused: definition.map(|definition| definition.paused),
            revision: record.revision,
            created_at: record.created_at,
            changed_at: record.changed_at,
            settled_until: record.settled_until,
            next_due_at: record.next_due_at,
            last_completed_at: record.last_completed.map(|(completed_at, _)| completed_at),
        }
    }
}

/// The next ticks of one or all schedules.
#[derive(Debug, Serialize)]
pub struct NextTickList {
    /// The schedules.
    pub schedules: Vec<NextTicks>,
}

/// The next ticks of a schedule.
#[derive(Debug, Serialize)]
pub struct NextTicks {
    /// The name.
    pub name: String,
    /// The time zone.
    pub time_zone: Option<String>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// The next ticks.
    pub next: Vec<Timestamp>,
    /// The same instants in the time zone.
    pub next_local: Vec<String>,
    /// Why this program does not understand the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl NextTicks {
    /// The document of a schedule: the next `count` ticks, before `until` if given.
    pub fn new(record: &ScheduleRecord, count: u32, until: Option<Timestamp>) -> Self {
        let timing = ticks_of(record);
        let next = timing.as_ref().map(|ticks| next_ticks(ticks, record, count, until)).unwrap_or_default();
        let local = |ticks: &Ticks| next.iter().map(|at| ticks.local_rfc3339(*at)).collect();
        Self {
            name: record.name.clone(),
            time_zone: record.definition.as_ref().ok().map(|definition| definition.timing.time_zone().to_owned()),
            paused_at: record.paused_at,
            next_local: timing.as_ref().map(local).unwrap_or_default(),
            next,
            problem: timing.err(),
        }
    }
}

/// The ticks of a schedule, or why they are not known here.
pub fn ticks_of(record: &ScheduleRecord) -> Result<Ticks, String> {
    let definition = record.definition.as_ref().map_err(String::clone)?;
    Ticks::new(&definition.timing).map_err(|error| error.to_string())
}

/// The ticks that are not settled yet.
pub fn next_ticks(ticks: &Ticks, record: &ScheduleRecord, count: u32, until: Option<Timestamp>) -> Vec<Timestamp> {
    let mut after = record.settled_until.max(record.now);
    let mut next = Vec::new();
    for _ in 0..count {
        let Some(tick) = ticks.next_after(after).filter(|tick| until.is_none_or(|until| *tick < until)) else { break };
        next.push(tick);
        after = tick;
    }
    next
}

fn span(ms: u64) -> String {
    format_duration(Duration::from_millis(ms)).to_string()
}

use std::time::Duration;

use humantime::format_duration;
use longshore_core::{
    JobData, JobId, Missed, Overlap, Priority, ScheduleDefinition, ScheduleRecord, ScheduleSource, Tick, TickOutcome,
    Timestamp, Timing,
};
use longshore_schedule::Ticks;
use serde::Serialize;

use super::{existing, one};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::relative_time::{relative, relative_or_dash};
use crate::output::table::Table;

/// How many ticks a list shows of each schedule.
const NEXT: u32 = 3;

#[derive(Serialize)]
struct Schedules {
    schedules: Vec<Listed>,
}

/// One schedule in JSON.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    source: ScheduleSource,
    cron: Option<String>,
    every: Option<String>,
    time_zone: Option<String>,
    job_type: Option<String>,
    job_data: Option<JobData>,
    missed: Option<Missed>,
    overlap: Option<Overlap>,
    jitter: Option<String>,
    paused_at: Option<Timestamp>,
    pause_reason: Option<String>,
    next: Vec<Timestamp>,
    last: Option<LastTick>,
    open_job_id: Option<JobId>,
    /// Why this program does not understand the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct LastTick {
    due_at: Timestamp,
    outcome: TickOutcome,
    job_id: Option<JobId>,
    why: String,
}

/// One schedule with all of its settings in JSON.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    timeout: Option<String>,
    catch_up: Option<String>,
    catch_up_max: Option<u32>,
    late_after: Option<String>,
    expect_within: Option<String>,
    paused: Option<bool>,
    revision: u64,
    created_at: Timestamp,
    changed_at: Timestamp,
    settled_until: Timestamp,
    next_due_at: Option<Timestamp>,
    last_completed_at: Option<Timestamp>,
}

impl Listed {
    fn new(record: &ScheduleRecord) -> Self {
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
            next: timing.as_ref().map(|ticks| next_of(ticks, record, NEXT, None)).unwrap_or_default(),
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

impl Shown {
    fn new(record: &ScheduleRecord) -> Self {
        let definition = record.definition.as_ref().ok();
        let job = definition.map(|definition| &definition.job);
        let of = |ms: fn(&ScheduleDefinition) -> u64| definition.map(|definition| span(ms(definition)));
        Self {
            listed: Listed::new(record),
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

/// The ticks of a schedule, or why they are not known here.
fn ticks_of(record: &ScheduleRecord) -> Result<Ticks, String> {
    let definition = record.definition.as_ref().map_err(String::clone)?;
    Ticks::new(&definition.timing).map_err(|error| error.to_string())
}

/// The ticks that are not settled yet.
fn next_of(ticks: &Ticks, record: &ScheduleRecord, count: u32, until: Option<Timestamp>) -> Vec<Timestamp> {
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

/// Lists all schedules.
pub(super) async fn list(context: &Context) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let records = database.queue().schedules().list().await?;
    let schedules = Schedules { schedules: records.iter().map(Listed::new).collect() };
    context.output.result(&schedules, |output| output.table(&table(&schedules.schedules, context.now())))?;
    if records.is_empty() && context.output.format() == crate::output::Format::Words {
        context.output.note("there is no schedule; declare [schedules.NAME] in longshore.toml, or add one");
    }
    Ok(Exit::Done)
}

fn table(schedules: &[Listed], now: Timestamp) -> Table {
    let mut table =
        Table::new(&["NAME", "STATE", "WHEN", "TIME ZONE", "TYPE", "NEXT", "LAST", "OUTCOME", "JOB", "ABOUT"]);
    for schedule in schedules {
        let every = schedule.every.as_ref().map(|every| format!("every {every}"));
        let last = schedule.last.as_ref();
        let about = schedule.problem.as_ref().or(schedule.pause_reason.as_ref());
        table.row(&[
            schedule.name.clone(),
            state(schedule).to_owned(),
            schedule.cron.clone().or(every).unwrap_or_default(),
            schedule.time_zone.clone().unwrap_or_default(),
            schedule.job_type.clone().unwrap_or_default(),
            relative_or_dash(schedule.next.first().copied(), now),
            relative_or_dash(last.map(|last| last.due_at), now),
            last.map_or_else(|| "-".to_owned(), |last| last.outcome.to_string()),
            last.and_then(|last| last.job_id).map_or_else(|| "-".to_owned(), |id| id.to_string()),
            about.cloned().unwrap_or_default(),
        ]);
    }
    table.text(&[0, 2, 4, 9]).optional(&[9, 3, 8, 4]).state(1)
}

fn state(schedule: &Listed) -> &'static str {
    match (&schedule.problem, schedule.paused_at) {
        (Some(_), _) => "unknown",
        (None, Some(_)) => "paused",
        (None, None) => "open",
    }
}

/// Shows one schedule.
pub(super) async fn show(context: &Context, name: &str) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let record = one(&database, name).await?;
    let shown = Shown::new(&record);
    context.output.result(&shown, |output| {
        for (name, value) in lines(&shown, &record, context.now()) {
            output.line(format!("{name:<14}{value}"))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn lines(shown: &Shown, record: &ScheduleRecord, now: Timestamp) -> Vec<(&'static str, String)> {
    let listed = &shown.listed;
    let mut lines = vec![("name", listed.name.clone()), ("source", listed.source.to_string())];
    let mut add = |name: &'static str, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    add("problem", listed.problem.clone());
    add("cron", listed.cron.clone());
    add("every", listed.every.clone());
    add("time zone", listed.time_zone.clone());
    add("type", listed.job_type.clone());
    add("data", listed.job_data.as_ref().map(|data| data.as_str().to_owned()));
    add("queue", shown.queue.clone());
    add("priority", shown.priority.map(|priority| priority.to_string()));
    add("max retries", shown.max_retries.map(|retries| retries.to_string()));
    add("timeout", shown.timeout.clone());
    add("missed", listed.missed.map(|missed| missed.as_str().to_owned()));
    add(
        "catch up",
        shown.catch_up.clone().map(|span| format!("{span}, at most {} ticks", shown.catch_up_max.unwrap_or(0))),
    );
    add("late after", shown.late_after.clone());
    add("overlap", listed.overlap.map(|overlap| overlap.as_str().to_owned()));
    add("jitter", listed.jitter.clone());
    add("expect within", shown.expect_within.clone());
    add(
        "paused",
        listed.paused_at.map(|at| {
            let reason = listed.pause_reason.as_deref().unwrap_or("its definition says so");
            format!("{}: {reason}", relative(at, now))
        }),
    );
    add("revision", Some(format!("{}, {}", shown.revision, relative(shown.changed_at, now))));
    if let Ok(ticks) = ticks_of(record) {
        add("next", listed.next.first().map(|next| in_both(&ticks, *next, now)));
        add(
            "last",
            listed.last.as_ref().map(|last| {
                let job = last.job_id.map(|id| format!(", job {id}")).unwrap_or_default();
                format!("{}: {}{job}: {}", in_both(&ticks, last.due_at, now), last.outcome, last.why)
            }),
        );
    }
    add("open job", listed.open_job_id.map(|id| id.to_string()));
    add("completed", shown.last_completed_at.map(|at| relative(at, now)));
    lines
}

fn in_both(ticks: &Ticks, at: Timestamp, now: Timestamp) -> String {
    format!("{} ({}, {})", ticks.local(at), utc(at), relative(at, now))
}

fn utc(at: Timestamp) -> String {
    at.to_string().replace(".000Z", "Z")
}

/// The next ticks of one or all schedules in JSON.
#[derive(Serialize)]
struct NextTicks {
    schedules: Vec<NextOfSchedule>,
}

#[derive(Serialize)]
struct NextOfSchedule {
    name: String,
    time_zone: Option<String>,
    paused_at: Option<Timestamp>,
    next: Vec<Timestamp>,
    /// The same instants in the time zone.
    next_local: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Shows the next ticks.
pub(super) async fn next(
    context: &Context,
    name: Option<&str>,
    count: u32,
    until: Option<Timestamp>,
) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let records = match name {
        Some(name) => vec![one(&database, name).await?],
        None => database.queue().schedules().list().await?,
    };
    let now = context.now();
    let mut table = Table::new(&["NAME", "NEXT", "UTC", "IN", "STATE"]);
    let mut schedules = Vec::new();
    for record in &records {
        let timing = ticks_of(record);
        let next = timing.as_ref().map(|ticks| next_of(ticks, record, count, until)).unwrap_or_default();
        let local = |of: fn(&Ticks, Timestamp) -> String| -> Vec<String> {
            let Ok(ticks) = &timing else { return Vec::new() };
            next.iter().map(|at| of(ticks, *at)).collect()
        };
        let state = if record.paused_at.is_some() { "paused" } else { "open" };
        for (at, words) in next.iter().zip(local(Ticks::local)) {
            table.row(&[record.name.clone(), words, utc(*at), relative(*at, now), state.to_owned()]);
        }
        schedules.push(NextOfSchedule {
            name: record.name.clone(),
            time_zone: record.definition.as_ref().ok().map(|definition| definition.timing.time_zone().to_owned()),
            paused_at: record.paused_at,
            next_local: local(Ticks::local_rfc3339),
            next,
            problem: timing.err(),
        });
    }
    let table = table.text(&[0]).optional(&[4]).state(4);
    context.output.result(&NextTicks { schedules }, |output| output.table(&table))?;
    Ok(Exit::Done)
}

use longshore_core::{ScheduleRecord, Timestamp};
use longshore_report::{NextTickList, NextTicks, ScheduleDetail, ScheduleList, ScheduleSummary, ticks_of};
use longshore_schedule::Ticks;

use super::{existing, one};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Format;
use crate::output::names::some_of;
use crate::output::relative_time::{relative, relative_or_dash};
use crate::output::table::Table;

/// Lists all schedules.
pub(super) async fn list(context: &Context) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let records = database.queue().schedules().list().await?;
    let schedules = ScheduleList::new(&records);
    context.output.result(&schedules, |output| output.table(&table(&schedules.schedules, context.now())))?;
    note_what_is_missing(context, &records)?;
    Ok(database.exit_when_shown(context))
}

/// Says which declared schedules are not in the database yet, or how to declare one.
fn note_what_is_missing(context: &Context, records: &[ScheduleRecord]) -> anyhow::Result<()> {
    if context.output.format() == Format::Json {
        return Ok(());
    }
    let config = context.config()?;
    let is_known = |name: &String| records.iter().any(|record| record.name == *name);
    match some_of(config.schedules.keys().filter(|name| !is_known(name))) {
        // Of several databases, another one may have them.
        Some(names) if !context.is_one_of_several()? => context.output.note(format!(
            "declared but not applied: {names}; `longshore schedules apply` applies what is declared, and so does a \
             worker when it starts"
        )),
        _ if records.is_empty() => {
            context.output.note("there is no schedule; declare [schedules.NAME] in longshore.toml, or add one");
        }
        _ => {}
    }
    Ok(())
}

fn table(schedules: &[ScheduleSummary], now: Timestamp) -> Table {
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

fn state(schedule: &ScheduleSummary) -> &'static str {
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
    let shown = ScheduleDetail::new(&record);
    context.output.result(&shown, |output| {
        for (name, value) in lines(&shown, &record, context.now()) {
            output.line(format!("{name:<14}{value}"))?;
        }
        Ok(())
    })?;
    Ok(database.exit_when_shown(context))
}

fn lines(shown: &ScheduleDetail, record: &ScheduleRecord, now: Timestamp) -> Vec<(&'static str, String)> {
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
        let next = NextTicks::new(record, count, until);
        let state = if record.paused_at.is_some() { "paused" } else { "open" };
        if let Ok(ticks) = ticks_of(record) {
            for at in &next.next {
                table.row(&[record.name.clone(), ticks.local(*at), utc(*at), relative(*at, now), state.to_owned()]);
            }
        }
        schedules.push(next);
    }
    let table = table.text(&[0]).optional(&[4]).state(4);
    context.output.result(&NextTickList { schedules }, |output| output.table(&table))?;
    if name.is_none() {
        note_what_is_missing(context, &records)?;
    }
    Ok(database.exit_when_shown(context))
}

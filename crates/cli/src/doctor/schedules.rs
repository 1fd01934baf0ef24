use longshore::schedule::FindingKind;
use longshore_core::{ScheduleRecord, ScheduleSource, SchedulesRequest, Timestamp};
use longshore_schedule::is_ahead_of_clock;

use super::Finding;
use crate::database::Database;
use crate::output::quoted::argument;
use crate::output::relative_time::span;

/// How many schedules are looked at; `schedules check` looks at all of them.
const LOOKED_AT: u32 = 1000;
/// How many problems of one kind are told.
const TOLD_MAX: usize = 5;

/// Schedules that are overdue, have missed ticks, or are paused.
pub(super) async fn examine(database: &Database) -> anyhow::Result<Vec<Finding>> {
    let request = SchedulesRequest { names: None, after: None, limit: LOOKED_AT };
    let records = database.schedules(request).await?;
    let schedules = database.queue().schedules();
    let mut told = Vec::new();
    for record in &records {
        // The same rows as `schedules check`: the newest tick alone hides what was missed before it.
        let found = schedules.findings_of(record).await?.into_iter().map(|it| (it.kind, it.message));
        told.extend(found.map(|(kind, message)| (code_of(kind), message, hint_of(kind, record))));
        told.extend(paused(record).map(|message| {
            ("paused_schedule", message, format!("longshore schedules resume {}", argument(&record.name)))
        }));
    }
    Ok(bounded(told))
}

/// Many schedules that fail together have one cause.
fn bounded(told: Vec<(&'static str, String, String)>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut left_out = 0;
    for (code, message, hint) in told {
        if findings.iter().filter(|finding| finding.code == code).count() < TOLD_MAX {
            findings.push(Finding::new(code, message, hint));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let message = match left_out {
            1 => "1 more problem of schedules is not listed".to_owned(),
            _ => format!("{left_out} more problems of schedules are not listed"),
        };
        findings.push(Finding::new("more_schedules", message, "longshore schedules check"));
    }
    findings
}

const fn code_of(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Missed => "missed_ticks",
        FindingKind::Overdue => "overdue_schedule",
        FindingKind::Unsettled => "unsettled_schedule",
        FindingKind::NotUnderstood => "schedule_not_understood",
    }
}

fn hint_of(kind: FindingKind, record: &ScheduleRecord) -> String {
    let name = argument(&record.name);
    match kind {
        FindingKind::Missed => {
            format!("see longshore schedules ticks {name}; longshore schedules backfill makes the jobs")
        }
        FindingKind::Overdue => format!("see longshore schedules ticks {name}, and the log of its last job"),
        FindingKind::Unsettled if is_ahead_of_clock(record) => {
            format!("set the clock; if it is right, longshore schedules remove {name}, {}", added_again(record.source))
        }
        FindingKind::Unsettled => "start a worker (\"longshore work\" or \"longshore up\")".to_owned(),
        FindingKind::NotUnderstood => {
            "use one version of longshore for all workers, or add the schedule again".to_owned()
        }
    }
}

/// How a schedule that was removed comes back, and starts now.
const fn added_again(source: ScheduleSource) -> &'static str {
    match source {
        ScheduleSource::Config => "then longshore schedules apply",
        ScheduleSource::Code => "then restart the program that declares it",
        ScheduleSource::Manual => "then add it again with longshore schedules add",
    }
}

fn paused(record: &ScheduleRecord) -> Option<String> {
    let since: Timestamp = record.paused_at?;
    let reason = record.pause_reason.as_deref().unwrap_or("its definition says so");
    Some(format!("schedule {} has been paused for {}: {reason}", record.name, span(record.now.since(since))))
}

use std::time::Duration;

use longshore_core::{Health, LimitRow, LimitScope, LimitSelection, LimitsRequest, Timestamp};

use super::Finding;
use crate::database::Database;
use crate::output::quoted::argument;
use crate::output::relative_time::span;

/// How many limits are looked at.
const LOOKED_AT: u32 = 1000;
/// How many problems of one kind are told.
const TOLD_MAX: usize = 5;
/// A limit is there to make jobs wait; this long means that more arrive than it lets through.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// No rate and no honest request to slow down closes a limit for longer.
const CLOSED_MAX: Duration = Duration::from_secs(86_400);

/// Limits whose jobs wait for a long time, or that are closed for one.
pub(super) async fn examine(database: &Database, health: &Health) -> anyhow::Result<Vec<Finding>> {
    let request = LimitsRequest { selection: LimitSelection::Saturated, after: None, limit: LOOKED_AT };
    Ok(judge(&database.limit_page(request).await?.limits, health))
}

/// Finds problems in the limits where nothing can start now.
pub(super) fn judge(saturated: &[LimitRow], health: &Health) -> Vec<Finding> {
    let closed = saturated.iter().filter_map(|row| closed(row, health.now));
    let behind = saturated.iter().filter(|row| closed_for(row, health.now).is_none());
    let behind = behind.filter_map(|row| falls_behind(row, health));
    closed.take(TOLD_MAX).chain(behind.take(TOLD_MAX)).collect()
}

fn closed_for(row: &LimitRow, now: Timestamp) -> Option<Duration> {
    row.opens_at.map(|at| at.since(now)).filter(|closed| *closed > CLOSED_MAX)
}

fn closed(row: &LimitRow, now: Timestamp) -> Option<Finding> {
    let closed = closed_for(row, now)?;
    let message = format!(
        "{} is closed for {}, by its rate or because a handler was asked to slow down",
        what(row),
        span(closed)
    );
    let hint = format!("see {}; setting or unsetting its limit opens it", show(row));
    Some(Finding::new("limit_closed", message, hint))
}

fn falls_behind(row: &LimitRow, health: &Health) -> Option<Finding> {
    let oldest = match row.scope {
        // How long the jobs of one key wait is not known.
        LimitScope::Key => None,
        LimitScope::Queue => {
            let mut queues = health.queues.iter();
            queues.find(|queue| queue.queue == row.name && queue.paused_at.is_none())?.oldest_waiting_at
        }
        LimitScope::Type => {
            let of_type = health.backlog.iter().filter(|backlog| backlog.job_type == row.name);
            of_type.map(|backlog| backlog.oldest_ready_at).min()
        }
    }?;
    let waited = health.now.since(oldest);
    if waited <= WAIT_MAX || row.waiting == 0 {
        return None;
    }
    let message = format!("{} is at its limit, and its oldest job has waited for {}", what(row), span(waited));
    let hint = format!("see {}; raise the limit if more of them may run at once or start", show(row));
    Some(Finding::new("limit_saturated", message, hint))
}

fn what(row: &LimitRow) -> String {
    match (row.scope, &row.key) {
        (LimitScope::Queue, _) => format!("queue {}", row.name),
        (LimitScope::Key, Some(key)) => format!("key {key} of type {}", row.name),
        _ => format!("type {}", row.name),
    }
}

fn show(row: &LimitRow) -> String {
    let scope = if row.scope == LimitScope::Queue { "queue" } else { "type" };
    format!("longshore limits show --{scope} {}", argument(&row.name))
}

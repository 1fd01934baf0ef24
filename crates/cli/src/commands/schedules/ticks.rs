use std::ops::Range;

use longshore::schedule::{BackfilledTick, ScheduleError};
use longshore_core::{Deed, Tick, TickPage, TicksRequest, Timestamp};
use serde::Serialize;

use super::{existing, explained, no_such};
use crate::arguments::TicksArguments;
use crate::context::Context;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::relative_time::relative;
use crate::output::table::{Table, count_jobs};

/// Shows what became of ticks.
pub(super) async fn ticks(context: &Context, arguments: TicksArguments) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let request = TicksRequest {
        schedule: arguments.name.clone(),
        outcomes: (!arguments.outcome.is_empty()).then_some(arguments.outcome),
        before: arguments.before,
        limit: arguments.limit,
    };
    let page: TickPage = schedules.ticks(request).await?;
    // A schedule that was removed has ticks, and a new one has none yet.
    if page.ticks.is_empty() && schedules.get(&arguments.name).await?.is_none() {
        return Err(no_such(&database, &arguments.name).await);
    }
    context.output.result(&page, |output| output.table(&table(&page.ticks, context.now())))?;
    if let Some(next) = page.next {
        context.output.note(format!("there are more: add --before {next}"));
    }
    Ok(database.exit_when_shown(context))
}

fn table(ticks: &[Tick], now: Timestamp) -> Table {
    let mut table = Table::new(&["DUE", "WHEN", "TICKS", "KIND", "OUTCOME", "JOB", "DECIDED BY", "WHY"]);
    for tick in ticks {
        table.row(&[
            tick.due_at.to_string().replace(".000Z", "Z"),
            relative(tick.due_at, now),
            tick.ticks.to_string(),
            tick.kind.to_string(),
            tick.outcome.to_string(),
            tick.job_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            tick.decided_by.clone(),
            tick.why.clone(),
        ]);
    }
    table.right(&[2, 5]).text(&[7, 6]).optional(&[6, 3, 2, 1])
}

/// A backfill in JSON.
#[derive(Serialize)]
struct Filled<'a> {
    schedule: &'a str,
    dry_run: bool,
    ticks: Vec<BackfilledTick>,
}

/// Makes the jobs of ticks in the past.
pub(super) async fn backfill(
    context: &Context,
    name: &str,
    span: Range<Timestamp>,
    dry_run: bool,
) -> anyhow::Result<Exit> {
    if span.start >= span.end {
        return Err(ScheduleError::EmptySpan { from: span.start, to: span.end }.into());
    }
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let filled = match dry_run {
        true => schedules.backfill_dry_run(name, span.start, span.end).await,
        false => {
            let deed = Deed::backfill(name, span.start, span.end);
            database.audited(deed, schedules.backfill(name, span.start, span.end)).await
        }
    };
    let filled = match filled {
        Ok(filled) => filled,
        Err(error) => return Err(explained(&database, error).await),
    };
    let made = filled.ticks.iter().filter(|tick| !tick.had_job).count();
    let would = if dry_run { "would make" } else { "made" };
    let done = format!("{would} {} for {} of {name}", count_jobs(made as u64), count_ticks(filled.ticks.len()));
    let filled = Filled { schedule: name, dry_run, ticks: filled.ticks };
    let told = context.output.result(&filled, |output| {
        for tick in &filled.ticks {
            let job = match tick.job_id {
                Some(id) => format!("job {id}"),
                None if tick.had_job => "has a job already".to_owned(),
                None => "would make a job".to_owned(),
            };
            output.line(format!("{}\t{job}", tick.due_at))?;
        }
        output.line(&done)
    });
    CommandError::after(&done, told)?;
    Ok(Exit::Done)
}

fn count_ticks(count: usize) -> String {
    if count == 1 { "1 tick".to_owned() } else { format!("{count} ticks") }
}

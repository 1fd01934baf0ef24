use longshore_core::{BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, Status, Timestamp};
use longshore_report::BatchDetail;

use super::tree::tree;
use crate::context::Context;
use crate::database::Database;
use crate::exit::Exit;
use crate::output::relative_time::relative;
use crate::output::table::printable;

/// How many jobs are read at once.
const PAGE: u32 = 1000;

/// Shows one batch with its jobs.
pub(super) async fn show(
    context: &Context,
    id: BatchId,
    statuses: Option<Vec<Status>>,
    limit: u32,
) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let batch = super::existing(&database, id).await?;
    let shown = BatchDetail::new(batch, jobs(&database, id, statuses, limit).await?);
    let now = context.now();
    context.output.result(&shown, |output| {
        facts(&shown.batch, now).into_iter().try_for_each(|line| output.line(line))?;
        if !shown.jobs.is_empty() {
            output.line("")?;
        }
        tree(&shown.jobs).into_iter().try_for_each(|line| output.line(line))
    })?;
    if shown.has_more {
        context.output.note(format!("these are the first {limit} jobs: add --limit to see more"));
    }
    Ok(Exit::Done)
}

/// The first jobs, and one more, which says whether there are others.
async fn jobs(
    database: &Database,
    id: BatchId,
    statuses: Option<Vec<Status>>,
    limit: u32,
) -> anyhow::Result<BatchJobPage> {
    let mut all = BatchJobPage::default();
    loop {
        let left = limit + 1 - all.jobs.len() as u32;
        let request = BatchJobsRequest { id, statuses: statuses.clone(), after: all.next, limit: left.min(PAGE) };
        let page = database.batch_jobs(request).await?;
        all.jobs.extend(page.jobs);
        all.next = page.next;
        if all.jobs.len() > limit as usize {
            all.jobs.truncate(limit as usize);
            all.next = all.jobs.last().map(|job| job.id);
            return Ok(all);
        }
        if all.next.is_none() {
            return Ok(all);
        }
    }
}

fn facts(batch: &BatchRecord, now: Timestamp) -> Vec<String> {
    let when = |instant: Timestamp| format!("{instant} ({})", relative(instant, now));
    let counts = &batch.counts;
    let facts = [
        ("batch", Some(batch.id.to_string())),
        ("name", Some(printable(&batch.name))),
        ("status", Some(batch.status.to_string())),
        ("members", Some(counts.members.to_string())),
        ("completed", Some(counts.completed.to_string())),
        ("cancelled", (counts.cancelled > 0).then(|| counts.cancelled.to_string())),
        ("dead letters", (counts.dead_letter > 0).then(|| counts.dead_letter.to_string())),
        ("callbacks", (batch.callbacks > 0).then(|| batch.callbacks.to_string())),
        ("created", Some(when(batch.created_at))),
        ("closed", batch.closed_at.map(when)),
        ("ended", batch.ended_at.map(when)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some(format!("{name:<14}{}", value?))).collect()
}

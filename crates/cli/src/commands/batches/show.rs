use longshore_core::{BatchId, BatchJob, BatchJobsRequest, BatchRecord, Timestamp};
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
pub(super) async fn show(context: &Context, id: BatchId, limit: u32) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let batch = super::existing(&database, id).await?;
    let mut jobs = jobs(&database, id, limit.saturating_add(1)).await?;
    let has_more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let shown = BatchDetail { batch, jobs, has_more };
    let now = context.now();
    context.output.result(&shown, |output| {
        facts(&shown.batch, now).into_iter().try_for_each(|line| output.line(line))?;
        if !shown.jobs.is_empty() {
            output.line("")?;
        }
        tree(&shown.jobs).into_iter().try_for_each(|line| output.line(line))
    })?;
    if has_more {
        context.output.note(format!("these are the first {limit} jobs: add --limit to see more"));
    }
    Ok(Exit::Done)
}

async fn jobs(database: &Database, id: BatchId, limit: u32) -> anyhow::Result<Vec<BatchJob>> {
    let mut jobs: Vec<BatchJob> = Vec::new();
    while jobs.len() < limit as usize {
        let left = limit - jobs.len() as u32;
        let request = BatchJobsRequest { id, after: jobs.last().map(|job| job.id), limit: left.min(PAGE) };
        let page = database.batch_jobs(request).await?;
        if page.is_empty() {
            break;
        }
        jobs.extend(page);
    }
    Ok(jobs)
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

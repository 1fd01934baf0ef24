use longshore_core::{BatchId, BatchRecord, BatchesRequest, Timestamp};
use longshore_report::BatchList;

use crate::arguments::BatchListArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::relative_time::{relative, relative_or_dash};
use crate::output::table::Table;

/// Lists batches, newest first.
pub(super) async fn list(context: &Context, arguments: BatchListArguments) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let BatchListArguments { status, limit, after } = arguments;
    let statuses = (!status.is_empty()).then_some(status);
    // One more than is shown says whether there are others; a page has at most so many.
    let request = BatchesRequest { statuses, before: after, limit: limit.saturating_add(1).min(1000) };
    let asked = request.limit as usize;
    let mut batches = database.batches(request).await?;
    let has_more = batches.len() > limit as usize || batches.len() == asked && asked == limit as usize;
    batches.truncate(limit as usize);
    let next: Option<BatchId> = batches.last().map(|batch| batch.id).filter(|_| has_more);
    let now = context.now();
    let page = BatchList { batches, next: next.map(|id| id.to_string()) };
    context.output.result(&page, |output| output.table(&table(&page.batches, now)))?;
    if page.batches.is_empty() {
        context.output.note_empty("no batch matches; \"longshore enqueue --batch\" makes one");
    }
    if let Some(next) = next {
        context.output.note(format!("there are more: add --after {next}"));
    }
    Ok(database.exit_when_shown(context))
}

/// One row a batch.
fn table(batches: &[BatchRecord], now: Timestamp) -> Table {
    let heads = [
        "BATCH",
        "NAME",
        "STATUS",
        "MEMBERS",
        "COMPLETED",
        "CANCELLED",
        "DEAD LETTERS",
        "CALLBACKS",
        "CREATED",
        "ENDED",
    ];
    let mut table = Table::new(&heads);
    for batch in batches {
        table.row(&[
            batch.id.to_string(),
            batch.name.clone(),
            batch.status.to_string(),
            batch.counts.members.to_string(),
            batch.counts.completed.to_string(),
            batch.counts.cancelled.to_string(),
            batch.counts.dead_letter.to_string(),
            batch.callbacks.to_string(),
            relative(batch.created_at, now),
            relative_or_dash(batch.ended_at, now),
        ]);
    }
    table.right(&[0, 3, 4, 5, 6, 7]).text(&[1]).optional(&[7, 5, 9, 8]).state(2)
}

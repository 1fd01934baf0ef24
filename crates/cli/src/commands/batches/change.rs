use longshore_core::{Actioned, BatchChange, BatchId, ChangeBatch, Deed, NewSignal, Refusal};
use serde::Serialize;

use crate::arguments::SignalArguments;
use crate::commands::enqueue::payload;
use crate::context::Context;
use crate::database::Database;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::table::count_jobs;

/// How many refusals are kept.
const REFUSED_MAX: usize = 100;

/// What became of the members of a batch, in JSON.
#[derive(Serialize)]
struct Changed {
    batch_id: BatchId,
    #[serde(flatten)]
    actioned: Actioned,
}

/// Cancels the members that have not ended.
pub(super) async fn cancel(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    change(context, id, BatchChange::Cancel, "cancelled, or asked to stop").await
}

/// Retries the members that did not complete.
pub(super) async fn retry(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    change(context, id, BatchChange::Retry, "retried").await
}

async fn change(context: &Context, id: BatchId, change: BatchChange, done: &str) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let deed = Deed::on_batch(change, id);
    let actioned = database.audited(deed, change_all(&database, id, change)).await?;
    let done = format!("{} {done}", count_jobs(actioned.touched));
    let changed = Changed { batch_id: id, actioned };
    CommandError::after(&done, context.output.result(&changed, |output| output.line(&done)))?;
    for refusal in &changed.actioned.refused {
        context.output.note(format!("left alone: {refusal}"));
    }
    Ok(Exit::Done)
}

/// Step after step. What the earlier steps have done stays after an error.
async fn change_all(database: &Database, id: BatchId, change: BatchChange) -> anyhow::Result<Actioned> {
    let mut all = Actioned::default();
    let mut after = None;
    loop {
        let step = database.change_batch(ChangeBatch { id, change, after }).await?;
        let step = step.ok_or(CommandError::NoSuchBatch { id })?;
        all.touched += step.actioned.touched;
        // One that ended meanwhile is where it should be.
        let refused = step.actioned.refused.into_iter().filter(|it| !matches!(it, Refusal::WrongStatus { .. }));
        all.refused.extend(refused);
        all.refused.truncate(REFUSED_MAX);
        after = step.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// A batch that was closed, in JSON.
#[derive(Serialize)]
struct Closed {
    batch_id: BatchId,
    is_open: bool,
}

/// Closes a batch.
pub(super) async fn close(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let deed = Deed::on_batch(BatchChange::Close, id);
    database.audited(deed, change_all(&database, id, BatchChange::Close)).await?;
    let done = format!("batch {id} is closed; it ends when its members have ended");
    let closed = Closed { batch_id: id, is_open: false };
    CommandError::after(&done, context.output.result(&closed, |output| output.line(&done)))?;
    Ok(Exit::Done)
}

/// A signal that was sent, in JSON.
#[derive(Serialize)]
struct Sent<'a> {
    signal: &'a str,
    batch_id: BatchId,
    is_first: bool,
}

/// Sends a signal to a batch.
pub(crate) fn signal(context: &Context, arguments: SignalArguments) -> anyhow::Result<Exit> {
    let SignalArguments { name, data, batch } = arguments;
    let data = data.as_deref().map(|data| payload::read(Some(data))).transpose()?;
    let signal = NewSignal { batch, name: name.clone(), data };
    signal.check(&longshore_core::Limits::default()).map_err(CommandError::Job)?;
    context.block_on(async {
        let database = super::open(context).await?;
        let deed = Deed::new("signal", format!("batch {batch}: {name}"));
        let send = async {
            let sent = database.signal(signal).await?;
            anyhow::Ok(sent.ok_or(CommandError::NoSuchBatch { id: batch })?)
        };
        let is_first = database.audited(deed, send).await?;
        let done = match is_first {
            true => format!("signal {name} was sent to batch {batch}"),
            false => format!("signal {name} had been sent to batch {batch} before; the first one counts"),
        };
        let sent = Sent { signal: &name, batch_id: batch, is_first };
        CommandError::after(&done, context.output.result(&sent, |output| output.line(&done)))?;
        Ok(Exit::Done)
    })
}

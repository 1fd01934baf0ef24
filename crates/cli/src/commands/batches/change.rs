use longshore_core::{Actioned, BatchChange, BatchId, BatchStatus, ChangeBatch, Deed, NewSignal, StoreError};
use longshore_report::{ChangedMembers, ClosedBatch, SentSignal};

use crate::arguments::SignalArguments;
use crate::commands::enqueue::payload;
use crate::context::Context;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::table::count_jobs;

/// Cancels the members that have not ended.
pub(super) async fn cancel(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let deed = Deed::on_batch(BatchChange::Cancel, id);
    let actioned = database.audited(deed, database.queue().cancel_batch(id)).await;
    tell(context, id, actioned, "cancelled, or asked to stop")
}

/// Retries the members that did not complete.
pub(super) async fn retry(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let deed = Deed::on_batch(BatchChange::Retry, id);
    let actioned = database.audited(deed, database.queue().retry_batch(id)).await;
    tell(context, id, actioned, "retried")
}

fn tell(context: &Context, id: BatchId, actioned: Result<Actioned, StoreError>, done: &str) -> anyhow::Result<Exit> {
    let actioned = actioned.map_err(|error| explain(error, id))?;
    let done = format!("{} {done}", count_jobs(actioned.touched));
    let changed = ChangedMembers { batch_id: id, actioned };
    CommandError::after(&done, context.output.result(&changed, |output| output.line(&done)))?;
    for refusal in &changed.actioned.refused {
        context.output.note(format!("left alone: {refusal}"));
    }
    Ok(Exit::Done)
}

/// The error of a batch that does not exist says how to list those that do.
fn explain(error: StoreError, id: BatchId) -> anyhow::Error {
    match error {
        StoreError::UnknownBatch { .. } => CommandError::NoSuchBatch { id }.into(),
        error => error.into(),
    }
}

/// Closes a batch.
pub(super) async fn close(context: &Context, id: BatchId) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let close = ChangeBatch { id, change: BatchChange::Close, after: None };
    let deed = Deed::on_batch(BatchChange::Close, id);
    let closing =
        async { anyhow::Ok(database.change_batch(close).await?.ok_or(CommandError::NoSuchBatch { id })?.actioned) };
    database.audited(deed, closing).await?;
    let status = database.batch(id).await.ok().flatten().map(|batch| batch.status);
    let done = match status {
        Some(BatchStatus::Completed | BatchStatus::Failed) => {
            format!("batch {id} is closed, and all members have ended")
        }
        _ => format!("batch {id} is closed; it ends when its members have ended"),
    };
    let closed = ClosedBatch { batch_id: id, is_open: false };
    CommandError::after(&done, context.output.result(&closed, |output| output.line(&done)))?;
    Ok(Exit::Done)
}

/// Sends a signal to a batch.
pub(crate) fn signal(context: &Context, arguments: SignalArguments) -> anyhow::Result<Exit> {
    let SignalArguments { name, data, batch } = arguments;
    let data = data.as_deref().map(|data| payload::read(Some(data))).transpose()?;
    let signal = NewSignal { batch, name: name.clone(), data };
    signal.check(&longshore_core::Limits::default()).map_err(CommandError::Job)?;
    context.block_on(async {
        let database = super::open(context).await?;
        let deed = Deed::signal(&signal);
        let send = async {
            let sent = database.signal(signal).await?;
            anyhow::Ok(sent.ok_or(CommandError::NoSuchBatch { id: batch })?)
        };
        let is_first = database.audited(deed, send).await?;
        let done = match is_first {
            true => format!("signal {name} was sent to batch {batch}"),
            false => format!("signal {name} had been sent to batch {batch} before; the first one counts"),
        };
        let sent = SentSignal { signal: &name, batch_id: batch, is_first };
        CommandError::after(&done, context.output.result(&sent, |output| output.line(&done)))?;
        Ok(Exit::Done)
    })
}

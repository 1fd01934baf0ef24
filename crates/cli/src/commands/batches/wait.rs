use std::time::Duration;

use longshore_core::{BatchId, BatchRecord, BatchStatus, Interest};

use crate::context::Context;
use crate::database::Database;
use crate::exit::Exit;

/// How long to wait for a change notification before reading anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The minimum time between two reads, so that a busy database is not read for every change.
const REST: Duration = Duration::from_millis(50);

/// Waits until a batch has ended. Exits with 0 if it completed, else with 3.
pub(super) async fn wait(context: &Context, id: BatchId, timeout: Option<Duration>) -> anyhow::Result<Exit> {
    let database = super::open(context).await?;
    let waited = match timeout {
        Some(Duration::ZERO) => None,
        Some(timeout) => tokio::time::timeout(timeout, until_ended(context, &database, id)).await.ok(),
        None => Some(until_ended(context, &database, id).await),
    };
    let batch = match waited {
        Some(batch) => batch?,
        None => super::existing(&database, id).await?,
    };
    if !batch.status.is_ended() {
        context.output.note(format!("batch {id} did not end in time"));
    }
    context.output.result(&batch, |output| output.line(batch.status))?;
    Ok(if batch.status == BatchStatus::Completed { Exit::Done } else { Exit::NotYet })
}

async fn until_ended(context: &Context, database: &Database, id: BatchId) -> anyhow::Result<BatchRecord> {
    let mut wakeups = database.wakeups(Interest::Anything);
    let mut told = None;
    loop {
        let batch = super::existing(database, id).await?;
        // Judged, and not only about to be.
        if batch.status.is_ended() && batch.ended_at.is_some() {
            return Ok(batch);
        }
        if told.replace(batch.status) != Some(batch.status) {
            let (ended, members) = (batch.counts.members - batch.counts.unended(), batch.counts.members);
            context
                .output
                .note(format!("waiting: batch {id} is {}, {ended} of {members} members have ended", batch.status));
        }
        tokio::time::sleep(REST).await;
        // A timeout has the same effect as a notification: read again.
        let _ = tokio::time::timeout(LOOK_EVERY, wakeups.changed()).await;
    }
}

use std::time::Duration;

use longshore_core::{Interest, JobDetail, JobId, Status};

use super::show::read_detail;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;

/// How long to wait for a change notification before reading anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The minimum time between two reads, so that a busy database is not read for every change.
const REST: Duration = Duration::from_millis(50);

/// Waits until a job has ended. Exits with 0 if it completed, else with 3.
pub(super) async fn run(context: &Context, id: JobId, timeout: Option<Duration>) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let ended = until_ended(&database, id);
    let waited = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, ended).await,
        None => Ok(ended.await),
    };
    let detail = match waited {
        Ok(detail) => detail?,
        Err(_) => read_detail(&database, id).await?,
    };
    if !detail.job.status.is_ended() {
        context.output.note(format!("job {id} did not end in time"));
    }
    context.output.result(&detail, |output| output.line(detail.job.status))?;
    Ok(if detail.job.status == Status::Completed { Exit::Done } else { Exit::NotYet })
}

async fn until_ended(database: &Database, id: JobId) -> anyhow::Result<JobDetail> {
    let mut wakeups = database.wakeups(Interest::Anything);
    loop {
        let detail = read_detail(database, id).await?;
        if detail.job.status.is_ended() {
            return Ok(detail);
        }
        tokio::time::sleep(REST).await;
        // A timeout has the same effect as a notification: read again.
        let _ = tokio::time::timeout(LOOK_EVERY, wakeups.changed()).await;
    }
}

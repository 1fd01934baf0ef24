use std::time::Duration;

use longshore_core::{Interest, JobDetail, JobId, Status};

use super::show::read_detail;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;

/// How long a hint that something changed is waited for before looking anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The least time between two looks, so that a busy database is not read for every change of others.
const REST: Duration = Duration::from_millis(50);

/// Waits until a job has ended: 0 when it completed, 3 otherwise.
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
        context.output.note(format!("job {id} has not ended in time"));
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
        // Running out of time is as good as a hint.
        let _ = tokio::time::timeout(LOOK_EVERY, wakeups.changed()).await;
    }
}

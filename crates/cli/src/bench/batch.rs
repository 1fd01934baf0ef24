//! A batch with a callback, which runs when all of its jobs have ended.

use anyhow::Result;
use longshore::workflow::Workflow;
use longshore::{Payload, Queue};
use serde::{Deserialize, Serialize};

use super::Rate;
use super::own::{JOB_TYPE, drain_types, new_job};

#[derive(Serialize, Deserialize)]
struct Callback;

impl Payload for Callback {
    const JOB_TYPE: &'static str = "callback";
}

/// Enqueues the jobs of one batch.
pub(super) async fn enqueue_batch(queue: &Queue, jobs: u64) -> Result<()> {
    let mut flow = Workflow::new("bench");
    for _ in 0..jobs {
        flow.add_job(new_job());
    }
    flow.on_ended(&Callback);
    queue.enqueue_workflow(flow).await?;
    Ok(())
}

/// Drains them until the callback has run.
pub(super) async fn drain_batch(queue: &Queue, jobs: u64) -> Result<Rate> {
    drain_types(queue, &[JOB_TYPE, Callback::JOB_TYPE], jobs + 1).await
}

use longshore_core::{Timestamp, WorkerRecord};
use longshore_report::WorkerList;

use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::relative_time::relative;
use crate::output::table::Table;

/// Prints the workers, when they started, and which jobs they run.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    context.block_on(list(context))
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let workers = WorkerList { workers: database.workers().await? };
    let now = context.now();
    context.output.result(&workers, |output| output.table(&table(&workers.workers, now)))?;
    Ok(database.exit_when_shown(context))
}

fn table(workers: &[WorkerRecord], now: Timestamp) -> Table {
    let mut table = Table::new(&["WORKER", "HOST", "PID", "STATE", "STARTED", "HEARTBEAT", "QUEUES", "RUNNING"]);
    for worker in workers {
        let running: Vec<String> = worker.running.iter().map(|job| format!("{} ({})", job.id, job.job_type)).collect();
        table.row(&[
            worker.worker_id.to_string(),
            worker.host.clone(),
            worker.pid.to_string(),
            if worker.is_alive { "alive" } else { "dead" }.to_owned(),
            relative(worker.started_at, now),
            relative(worker.heartbeat_at, now),
            if worker.queues.is_empty() { "all".to_owned() } else { worker.queues.join(", ") },
            format!("{} of {}: {}", running.len(), worker.concurrency, running.join(", ")),
        ]);
    }
    table.right(&[2]).text(&[0, 7]).optional(&[1, 2, 6, 4, 5]).state(3)
}

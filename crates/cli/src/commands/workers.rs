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
    if workers.workers.is_empty() {
        context.output.note_empty("there is no worker; start one with \"longshore work\"");
    }
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
            in_words(worker.concurrency, &running),
        ]);
    }
    table.right(&[2]).text(&[0, 7]).optional(&[1, 2, 6, 4, 5]).state(3)
}

/// How many jobs a worker runs, and which.
fn in_words(slots: u32, running: &[String]) -> String {
    let count = format!("{} of {slots}", running.len());
    if running.is_empty() { count } else { format!("{count}: {}", running.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_running_jobs_are_listed() {
        assert_eq!(in_words(2, &[]), "0 of 2");
        assert_eq!(in_words(2, &["7 (mail)".to_owned(), "9 (mail)".to_owned()]), "2 of 2: 7 (mail), 9 (mail)");
    }
}

use std::time::Duration;

use longshore_core::{Deed, InvalidJob, QueueChange, QueueStats, Status};
use longshore_report::{ChangedQueue, QueueList, QueueSummary};

use crate::arguments::{QueuesArguments, QueuesCommand};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::quoted::argument;
use crate::output::relative_time::span;
use crate::output::table::Table;
use crate::suggestion::closest;

/// Runs `longshore queues`.
pub(crate) fn run(context: &Context, arguments: QueuesArguments) -> anyhow::Result<Exit> {
    match arguments.command.unwrap_or(QueuesCommand::List) {
        QueuesCommand::List => context.block_on(list(context)),
        QueuesCommand::Pause { queue } => context.block_on(change(context, queue, QueueChange::Pause)),
        QueuesCommand::Resume { queue } => context.block_on(change(context, queue, QueueChange::Resume)),
    }
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let now = context.now();
    let stats = database.stats(0).await?.queues;
    let queues = QueueList::new(stats, now);
    context.output.result(&queues, |output| output.table(&table(&queues.queues)))?;
    if queues.queues.is_empty() {
        context.output.note_empty("there is no queue; the first job of one makes it");
    }
    Ok(database.exit_when_shown(context))
}

/// One row a queue.
pub(super) fn table(queues: &[QueueSummary]) -> Table {
    let mut table = Table::new(&["QUEUE", "STATE", "WAITING", "RUNNING", "OLDEST", "DEAD LETTERS", "SCHEDULED"]);
    for queue in queues {
        let oldest = queue.oldest_waiting_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        table.row(&[
            queue.stats.queue.clone(),
            if queue.stats.paused_at.is_some() { "paused" } else { "open" }.to_owned(),
            queue.depth.to_string(),
            queue.running.to_string(),
            oldest.map_or_else(|| "-".to_owned(), span),
            queue.stats.jobs.get(&Status::DeadLetter).copied().unwrap_or(0).to_string(),
            scheduled(&queue.stats),
        ]);
    }
    table.right(&[2, 3, 4, 5, 6]).text(&[0]).optional(&[5, 6]).state(1)
}

/// How many of the waiting jobs are due later.
fn scheduled(queue: &QueueStats) -> String {
    match (queue.scheduled, queue.has_more_scheduled) {
        (0, false) => "-".to_owned(),
        (scheduled, false) => scheduled.to_string(),
        (scheduled, true) => format!("{scheduled}+"),
    }
}

/// The queue that was probably meant instead of one that never had a job, in words.
pub(super) async fn probably_meant(database: &Database, queue: &str) -> Option<String> {
    unused_queue(database, queue).await.ok().flatten().filter(|similar| !similar.is_empty())
}

/// If the queue never had a job: a suggestion of another queue, in words.
async fn unused_queue(database: &Database, queue: &str) -> anyhow::Result<Option<String>> {
    let known = database.stats(0).await?.queues;
    if known.iter().any(|stats| stats.queue == queue) {
        return Ok(None);
    }
    let similar = closest(queue, known.iter().map(|stats| stats.queue.as_str()));
    Ok(Some(similar.map_or_else(String::new, |name| format!("; did you mean {}?", argument(name)))))
}

async fn change(context: &Context, queue: String, change: QueueChange) -> anyhow::Result<Exit> {
    // No job can have this queue name, so it is a typo.
    InvalidJob::check_queue(&queue).map_err(CommandError::Job)?;
    let database = Database::open(context, Prepare::Nothing).await?;
    if let Some(similar) = unused_queue(&database, &queue).await? {
        context.output.note(format!("no job has been in queue {queue} yet{similar}"));
    }
    let deed = Deed::on_queue(change, &queue);
    let was_paused = database.stats(0).await?.queues.iter().any(|it| it.queue == queue && it.paused_at.is_some());
    database.audited(deed, database.change_queue(queue.clone(), change)).await?;
    let changed = ChangedQueue { queue: &queue, is_paused: change == QueueChange::Pause };
    let done = match change {
        QueueChange::Pause => format!("queue {queue} is paused; running jobs continue"),
        QueueChange::Resume if was_paused => format!("queue {queue} is resumed"),
        QueueChange::Resume => format!("queue {queue} is not paused"),
    };
    CommandError::after(&done, context.output.result(&changed, |output| output.line(&done)))?;
    Ok(Exit::Done)
}

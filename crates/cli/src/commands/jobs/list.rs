use longshore_core::{Job, JobPageRequest, Selection, Timestamp};
use serde::Serialize;

use crate::arguments::ListArguments;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::Format;
use crate::output::relative_time::{relative, relative_or_dash};
use crate::output::table::Table;

/// A page of jobs in JSON.
#[derive(Serialize)]
struct Page {
    jobs: Vec<Job>,
    /// A string, because clients must only pass a cursor back and not compute with it.
    next: Option<String>,
}

/// Lists the selected jobs, newest first.
pub(in crate::commands) async fn list(
    context: &Context,
    selection: Selection,
    page: ListArguments,
    columns: Columns,
) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let found = database.jobs(JobPageRequest { selection, after: page.after, limit: page.limit }).await?;
    let page = Page { jobs: found.jobs, next: found.next.map(|id| id.to_string()) };
    let now = context.now();
    context.output.result(&page, |output| output.table(&columns(&page.jobs, now)))?;
    if page.jobs.is_empty() && context.output.format() == Format::Words {
        context.output.note("no job matches");
    }
    if let Some(next) = &page.next {
        context.output.note(format!("there are more: add --after {next}"));
    }
    Ok(Exit::Done)
}

/// What a list of jobs shows.
pub(in crate::commands) type Columns = fn(&[Job], Timestamp) -> Table;

/// What is worth knowing of jobs in any state.
pub(in crate::commands) fn any_state(jobs: &[Job], now: Timestamp) -> Table {
    let mut table = Table::new(&["ID", "TYPE", "STATUS", "QUEUE", "PRIORITY", "RETRIES", "CREATED", "ABOUT"]);
    for job in jobs {
        table.row(&[
            job.id.to_string(),
            job.job_type.clone(),
            job.status.to_string(),
            job.queue.clone(),
            job.priority.to_string(),
            format!("{}/{}", job.retry_count, job.max_retries),
            relative(job.created_at, now),
            about(job, now),
        ]);
    }
    table.right(&[0, 4]).text(&[1, 3, 7]).optional(&[4, 5, 3, 2, 6, 7]).state(2)
}

/// What is worth knowing of dead letters: what failed, why nothing is tried any more, and since when.
pub(in crate::commands) fn dead_letters(jobs: &[Job], now: Timestamp) -> Table {
    let mut table = Table::new(&["ID", "TYPE", "QUEUE", "WHEN", "REASON", "FAILURE", "ERROR"]);
    for job in jobs {
        table.row(&[
            job.id.to_string(),
            job.job_type.clone(),
            job.queue.clone(),
            relative_or_dash(job.moved_to_dead_letter_at, now),
            job.dead_letter_code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
            job.failure_type.clone().unwrap_or_else(|| "-".to_owned()),
            about(job, now),
        ]);
    }
    table.right(&[0]).text(&[1, 2, 6]).optional(&[2, 5, 3])
}

/// The most useful fact about a job in its current state.
fn about(job: &Job, now: Timestamp) -> String {
    use longshore_core::Status;
    match job.status {
        Status::Blocked => job.parent_job_id.map(|id| format!("waits for {id}")).unwrap_or_default(),
        Status::Pending if job.run_at > now => format!("due {}", relative(job.run_at, now)),
        Status::Running => match (job.progress, job.started_at) {
            (Some(fraction), _) => format!("{:.0} %", fraction * 100.0),
            (None, Some(started)) => format!("since {}", relative(started, now)),
            (None, None) => String::new(),
        },
        Status::Retrying => job.error_message.clone().unwrap_or_default(),
        // A dead letter that never ran has no error, only a reason.
        Status::DeadLetter => job.error_message.clone().or_else(|| job.dead_letter_reason.clone()).unwrap_or_default(),
        Status::Cancelled => job.dead_letter_reason.clone().unwrap_or_default(),
        Status::Pending => job.expires_at.map(|at| format!("expires {}", relative(at, now))).unwrap_or_default(),
        Status::Completed => String::new(),
    }
}

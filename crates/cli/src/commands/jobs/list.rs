use longshore_core::{Job, JobPageRequest, Selection, Timestamp};
use longshore_report::JobList;

use crate::arguments::ListArguments;
use crate::completion::{self, Names};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::Format;
use crate::output::quoted::flag_with_name;
use crate::output::relative_time::{relative, relative_or_dash, span};
use crate::output::table::Table;
use crate::suggestion::closest;

/// Lists the selected jobs, newest first.
pub(in crate::commands) async fn list(
    context: &Context,
    selection: Selection,
    page: ListArguments,
    columns: Columns,
) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let request =
        JobPageRequest { selection: selection.clone(), after: page.after, limit: page.limit, looked_max: None };
    let found = database.jobs(request).await?;
    let now = context.now();
    let (is_empty, next) = (found.jobs.is_empty(), found.next.as_ref().map(ToString::to_string));
    if context.output.format() == Format::Json {
        context.output.document(&JobList::new(found, |id| database.place_of(id)))?;
    } else {
        context.output.table(&columns(&found.jobs, now))?;
    }
    if is_empty && context.output.format() == Format::Words {
        context.output.note(format!("no job matches{}", probably_meant(context, &database, &selection).await));
    }
    if let Some(next) = &next {
        context.output.note(format!("there are more: add --after {next}"));
    }
    Ok(database.exit_when_shown(context))
}

/// The type or the queue that was probably meant by a filter that nothing matches, in words.
async fn probably_meant(context: &Context, database: &Database, selection: &Selection) -> String {
    let Selection::Matching(filter) = selection else { return String::new() };
    for (flag, given, names) in [("--type", &filter.job_types, Names::Type), ("--queue", &filter.queues, Names::Queue)]
    {
        let given = given.as_deref().unwrap_or_default();
        if given.is_empty() {
            continue;
        }
        let mut known = completion::declared(context, names).unwrap_or_default();
        known.extend(completion::stored(database, names).await.unwrap_or_default());
        if let Some(meant) = given.iter().find_map(|name| closest(name, known.iter().map(String::as_str))) {
            return format!("; did you mean {}?", flag_with_name(flag, meant));
        }
    }
    String::new()
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
    table.right(&[0, 4]).text(&[1, 3, 7]).optional(&[4, 5, 3, 6, 2, 7]).state(2)
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
            error_or_reason(job),
        ]);
    }
    table.right(&[0]).text(&[1, 2, 6]).optional(&[2, 5, 3])
}

/// What a dead letter failed with. One that never ran has no error, only a reason.
fn error_or_reason(job: &Job) -> String {
    let error = job.error_message.as_ref().filter(|error| !error.trim().is_empty());
    error.or(job.dead_letter_reason.as_ref()).cloned().unwrap_or_default()
}

/// The most useful fact about a job in its current state.
pub(in crate::commands) fn about(job: &Job, now: Timestamp) -> String {
    use longshore_core::Status;
    match job.status {
        Status::Blocked => job.parent_job_id.map(|id| format!("waits for {id}")).unwrap_or_default(),
        Status::Pending if job.run_at > now => format!("due {}", relative(job.run_at, now)),
        Status::Running => match (job.progress, job.started_at) {
            (Some(fraction), _) => format!("{:.0} %", fraction * 100.0),
            (None, Some(started)) => format!("for {}", span(now.since(started))),
            (None, None) => String::new(),
        },
        Status::Retrying => job.error_message.clone().unwrap_or_default(),
        Status::DeadLetter => error_or_reason(job),
        Status::Cancelled => job.dead_letter_reason.clone().unwrap_or_default(),
        Status::Pending => job.expires_at.map(|at| format!("expires {}", relative(at, now))).unwrap_or_default(),
        Status::Completed => String::new(),
    }
}

#[cfg(test)]
pub(in crate::commands) mod tests {
    use longshore_core::{ClaimNumber, DeadLetterCode, JobData, JobId, Priority, Status};

    use super::*;

    /// A job as the store returns it.
    pub(in crate::commands) fn a_job(id: i64, status: Status) -> Job {
        Job {
            id: JobId(id),
            job_type: "thumbnail".to_owned(),
            job_data: JobData::default(),
            status,
            priority: Priority::NORMAL,
            created_at: Timestamp::from_ms(0),
            started_at: None,
            completed_at: None,
            log_file_path: None,
            error_message: None,
            retry_count: 0,
            max_retries: 3,
            worker_id: None,
            timeout: None,
            parent_job_id: None,
            failure_type: None,
            next_retry_at: None,
            last_error_traceback: None,
            dead_letter_reason: None,
            moved_to_dead_letter_at: None,
            dead_letter_code: None,
            queue: "media".to_owned(),
            run_at: Timestamp::from_ms(0),
            claim_number: ClaimNumber(0),
            crash_count: 0,
            max_crashes: 5,
            deferral_count: 0,
            max_deferrals: 1000,
            unique_key: None,
            limit_key: None,
            cancel_requested_at: None,
            progress: None,
            progress_message: None,
            result: None,
            metadata: None,
            expires_at: None,
            deadline_at: None,
        }
    }

    #[test]
    fn a_dead_letter_without_an_error_shows_its_reason() {
        let ended = "parent_ended: its parent job 1 ended as dead_letter";
        let spent = "retries_spent: its only attempt failed";
        for (error, reason, expected) in [
            (None, ended, ended),
            (Some(" "), "given up by hand", "given up by hand"),
            (Some("no route"), spent, "no route"),
        ] {
            let job = Job {
                error_message: error.map(str::to_owned),
                dead_letter_reason: Some(reason.to_owned()),
                dead_letter_code: DeadLetterCode::of_reason(reason),
                ..a_job(7, Status::DeadLetter)
            };
            let now = Timestamp::from_ms(1000);
            assert_eq!(about(&job, now), expected);
            assert!(dead_letters(&[job], now).to_tabs().ends_with(&format!("\t{expected}\n")), "{reason}");
        }
    }
}

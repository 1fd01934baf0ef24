use std::sync::Arc;

use longshore_core::{
    Attempt, BatchId, BatchRole, BatchStatus, DependencyTarget, Job, JobDetail, JobId, Status, Timestamp,
};
use longshore_report::PlacedDetail;

use crate::commands::batches::in_words;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::relative_time::{relative, relative_or_dash, span};
use crate::output::table::{Table, printable};

/// Shows one job with its attempts.
pub(super) async fn run(context: &Context, id: JobId) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let detail = read_detail(&database, id).await?;
    print_detail(context, &detail, database.place_of(id))?;
    Ok(Exit::Done)
}

/// Reads one job. Fails if it does not exist.
pub(in crate::commands) async fn read_detail(database: &Database, id: JobId) -> anyhow::Result<JobDetail> {
    Ok(database.job(id).await?.ok_or(CommandError::NoSuchJob { id })?)
}

/// Prints one job with its attempts.
pub(in crate::commands) fn print_detail(
    context: &Context,
    detail: &JobDetail,
    database: Option<Arc<str>>,
) -> anyhow::Result<()> {
    let now = context.now();
    context.output.result(&PlacedDetail { detail, database: database.clone() }, |output| {
        for line in fact_lines(detail, now) {
            output.line(line)?;
        }
        if let Some(database) = database {
            output.line(format!("{:<14}{database}", "database"))?;
        }
        if !detail.attempts.is_empty() {
            output.line("")?;
            output.table(&attempts(detail, now))?;
        }
        if !detail.checkpoints.steps.is_empty() {
            output.line("")?;
            output.table(&steps(detail, now))?;
        }
        if !detail.dependencies.is_empty() {
            output.line("")?;
            output.table(&dependencies(detail, now))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The facts about a job: a one-line value beside its name, a longer value below it.
pub(in crate::commands) fn fact_lines(detail: &JobDetail, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in facts(detail, now) {
        let value = printable(&value);
        let value = value.trim_end();
        if value.contains('\n') {
            lines.push(name.to_owned());
            lines.extend(value.lines().map(|line| format!("  {line}")));
        } else {
            lines.push(format!("{name:<14}{value}"));
        }
    }
    lines
}

/// The known facts about a job. Leaves out empty ones.
fn facts(detail: &JobDetail, now: Timestamp) -> Vec<(&'static str, String)> {
    let JobDetail { job, checkpoints, .. } = detail;
    let when = |instant: Timestamp| format!("{instant} ({})", relative(instant, now));
    let text = |data: &longshore_core::JobData| data.as_str().to_owned();
    let facts = [
        ("job", Some(job.id.to_string())),
        ("type", Some(job.job_type.clone())),
        ("status", Some(job.status.to_string())),
        ("queue", Some(job.queue.clone())),
        ("priority", Some(job.priority.to_string())),
        ("payload", Some(text(&job.job_data))),
        ("result", job.result.as_ref().map(text)),
        ("metadata", job.metadata.as_ref().map(text)),
        ("progress", job.progress.map(|fraction| progress(fraction, job.progress_message.as_deref()))),
        ("checkpoint", checkpoints.checkpoint.as_ref().map(text)),
        ("stored", checkpoints.checkpoint_at.map(when)),
        ("created", Some(when(job.created_at))),
        ("due", (!job.status.is_ended() && job.run_at > now).then(|| when(job.run_at))),
        ("expires", job.expires_at.map(when)),
        ("deadline", job.deadline_at.map(when)),
        ("started", job.started_at.map(when)),
        ("ended", job.completed_at.map(when)),
        ("next retry", job.next_retry_at.map(when)),
        ("retries", Some(format!("{} of {}", job.retry_count, job.max_retries))),
        ("crashes", (job.crash_count > 0).then(|| format!("{} of {}", job.crash_count, job.max_crashes))),
        ("deferrals", (job.deferral_count > 0).then(|| format!("{} of {}", job.deferral_count, job.max_deferrals))),
        ("time limit", job.timeout.map(span)),
        ("worker", job.worker_id.as_ref().map(ToString::to_string)),
        ("parent", job.parent_job_id.map(|id| id.to_string())),
        ("batch", detail.place.batch_id.map(|id| batch(id, detail))),
        ("ref", detail.place.reference.clone()),
        ("unique key", job.unique_key.clone()),
        ("cancel asked", job.cancel_requested_at.map(when)),
        ("log file", job.log_file_path.clone()),
        ("given up", job.moved_to_dead_letter_at.map(when)),
        ("because", job.dead_letter_reason.clone()),
        ("failure", job.failure_type.clone()),
        ("error", job.error_message.clone()),
        ("traceback", rest_of_traceback(job)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The traceback without the error, which is its last line (a program) or its first (a chain of causes).
fn rest_of_traceback(job: &Job) -> Option<String> {
    let traceback = job.last_error_traceback.as_deref()?.trim_end();
    let error = job.error_message.as_deref().unwrap_or_default().trim();
    let rest = match (error, without_last(traceback, error), without_first(traceback, error)) {
        ("", _, _) | (_, None, None) => traceback,
        (_, Some(rest), _) | (_, None, Some(rest)) => rest,
    };
    (!rest.trim().is_empty()).then(|| rest.trim_end().to_owned())
}

/// The text before its last lines, if they are `end`.
fn without_last<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let rest = text.strip_suffix(end)?;
    let is_whole_line = rest.trim_end_matches([' ', '\t']).chars().last().is_none_or(|c| matches!(c, '\n' | '\r'));
    is_whole_line.then_some(rest)
}

/// The text after its first lines, if they are `begin`.
fn without_first<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(begin)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('\n') }
}

fn progress(fraction: f64, message: Option<&str>) -> String {
    format!("{:.0} % {}", fraction * 100.0, message.unwrap_or_default())
}

/// One row an attempt.
pub(in crate::commands) fn attempts(detail: &JobDetail, now: Timestamp) -> Table {
    let mut table = Table::new(&["ATTEMPT", "OUTCOME", "STARTED", "TOOK", "WORKER", "FAILURE", "ERROR"]);
    for attempt in &detail.attempts {
        let took = attempt.started_at.zip(attempt.finished_at).map(|(from, to)| span(to.since(from)));
        table.row(&[
            attempt.attempt.to_string(),
            attempt.outcome.as_str().to_owned(),
            relative_or_dash(attempt.started_at, now),
            took.unwrap_or_else(|| "-".to_owned()),
            attempt.worker_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            attempt.failure_type.map_or_else(|| "-".to_owned(), |failure| failure.to_string()),
            error_of(attempt, &detail.job).to_owned(),
        ]);
    }
    table.right(&[0, 3]).text(&[4, 6]).optional(&[4, 2, 3]).state(1)
}

/// One row a finished step.
fn steps(detail: &JobDetail, now: Timestamp) -> Table {
    let mut table = Table::new(&["STEP", "FINISHED", "ATTEMPT", "RESULT"]);
    for step in &detail.checkpoints.steps {
        let result = step.result.as_ref().map(|result| result.as_str().to_owned());
        table.row(&[
            step.name.clone(),
            format!("{} ({})", step.finished_at, relative(step.finished_at, now)),
            step.attempt.to_string(),
            result.unwrap_or_else(|| format!("{} bytes", step.result_bytes)),
        ]);
    }
    table.right(&[2]).text(&[0, 3]).optional(&[2])
}

fn batch(id: BatchId, detail: &JobDetail) -> String {
    match detail.place.batch_role {
        Some(BatchRole::Callback) => format!("{id} (callback)"),
        _ => id.to_string(),
    }
}

/// One row for each thing that the job waits or waited for.
fn dependencies(detail: &JobDetail, now: Timestamp) -> Table {
    let mut table = Table::new(&["AFTER", "REF", "STATE", "IT IS", "UNTIL", "OTHERWISE"]);
    for dependency in &detail.dependencies {
        let status = match &dependency.on {
            DependencyTarget::Job { status, .. } => status.map_or("deleted", Status::as_str),
            DependencyTarget::Batch { batch_status, .. } => batch_status.map_or("deleted", BatchStatus::as_str),
            DependencyTarget::Signal { .. } => "-",
        };
        table.row(&[
            in_words(dependency),
            dependency.reference.clone().unwrap_or_else(|| "-".to_owned()),
            dependency.state.as_str().to_owned(),
            status.to_owned(),
            relative_or_dash(dependency.timeout_at, now),
            dependency.otherwise.as_str().to_owned(),
        ]);
    }
    table.text(&[0, 1]).optional(&[4, 5, 1]).state(2)
}

/// The error of an attempt. The error that is also the job's stands above the table already.
fn error_of<'a>(attempt: &'a Attempt, job: &Job) -> &'a str {
    match attempt.error_message.as_deref() {
        None => "-",
        error if error == job.error_message.as_deref() => "as above",
        Some(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::jobs::list::tests::a_job;

    fn rest(error: &str, traceback: &str) -> Option<String> {
        let job = Job {
            error_message: Some(error.to_owned()),
            last_error_traceback: Some(traceback.to_owned()),
            ..a_job(7, Status::DeadLetter)
        };
        rest_of_traceback(&job)
    }

    #[test]
    fn a_traceback_does_not_repeat_the_error() {
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'file'";
        let without = "Traceback (most recent call last):\n  File \"a.py\", line 1";
        assert_eq!(rest("KeyError: 'file'", python).as_deref(), Some(without));
        assert_eq!(rest("no route", "no route\ncaused by: refused").as_deref(), Some("caused by: refused"));
        assert_eq!(rest("broken", "broken\n"), None);
        assert_eq!(rest("broken", "began\n  broken").as_deref(), Some("began"));
        assert_eq!(rest("no space", "10 %\rno space").as_deref(), Some("10 %"));
    }

    #[test]
    fn a_traceback_that_says_something_else_is_whole() {
        assert_eq!(rest("the time limit", "reading a.jpg").as_deref(), Some("reading a.jpg"));
        assert_eq!(rest("limit", "time limit").as_deref(), Some("time limit"));
        assert_eq!(rest("", "reading").as_deref(), Some("reading"));
    }
}

use longshore_core::{Attempt, Job, JobDetail, JobId, Timestamp};

use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::relative_time::{relative, relative_or_dash, span};
use crate::output::table::{Table, printable};

/// Shows one job with its attempts.
pub(super) async fn run(context: &Context, id: JobId) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let detail = read_detail(&database, id).await?;
    print_detail(context, &detail)?;
    Ok(Exit::Done)
}

/// Reads one job. Fails if it does not exist.
pub(in crate::commands) async fn read_detail(database: &Database, id: JobId) -> anyhow::Result<JobDetail> {
    Ok(database.job(id).await?.ok_or(CommandError::NoSuchJob { id })?)
}

/// Prints one job with its attempts.
pub(in crate::commands) fn print_detail(context: &Context, detail: &JobDetail) -> anyhow::Result<()> {
    let now = context.now();
    context.output.result(detail, |output| {
        for (name, value) in facts(&detail.job, now) {
            print_fact(output, name, &value)?;
        }
        if detail.attempts.is_empty() {
            return Ok(());
        }
        output.line("")?;
        output.table(&attempts(&detail.attempts, now))
    })?;
    Ok(())
}

/// Prints a one-line value beside its name, and a longer value below it.
fn print_fact(output: &Output, name: &str, value: &str) -> std::io::Result<()> {
    let value = printable(value);
    let value = value.trim_end();
    if !value.contains('\n') {
        return output.line(format!("{name:<14}{value}"));
    }
    output.line(name)?;
    for line in value.lines() {
        output.line(format!("  {line}"))?;
    }
    Ok(())
}

/// The known facts about a job. Leaves out empty ones.
fn facts(job: &Job, now: Timestamp) -> Vec<(&'static str, String)> {
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
        ("unique key", job.unique_key.clone()),
        ("cancel asked", job.cancel_requested_at.map(when)),
        ("log file", job.log_file_path.clone()),
        ("given up", job.moved_to_dead_letter_at.map(when)),
        ("because", job.dead_letter_reason.clone()),
        ("failure", job.failure_type.clone()),
        ("error", job.error_message.clone()),
        ("traceback", job.last_error_traceback.clone()),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn progress(fraction: f64, message: Option<&str>) -> String {
    format!("{:.0} % {}", fraction * 100.0, message.unwrap_or_default())
}

fn attempts(attempts: &[Attempt], now: Timestamp) -> Table {
    let mut table = Table::new(&["ATTEMPT", "OUTCOME", "STARTED", "TOOK", "WORKER", "FAILURE", "ERROR"]);
    for attempt in attempts {
        let took = attempt.started_at.zip(attempt.finished_at).map(|(from, to)| span(to.since(from)));
        table.row(&[
            attempt.attempt.to_string(),
            attempt.outcome.as_str().to_owned(),
            relative_or_dash(attempt.started_at, now),
            took.unwrap_or_else(|| "-".to_owned()),
            attempt.worker_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            attempt.failure_type.map_or_else(|| "-".to_owned(), |failure| failure.to_string()),
            attempt.error_message.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.right(&[0, 3]).text(&[4, 6]).optional(&[4, 2, 3]).state(1)
}

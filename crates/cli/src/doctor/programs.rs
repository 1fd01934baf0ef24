use std::collections::BTreeMap;

use longshore::declared::DeclaredKind;
use longshore::program::why_closed;
use longshore_core::{AttemptOutcome, Filter, Job, JobPageRequest, LogEndRequest, Selection, Status, StoreError};

use super::Finding;
use crate::database::Database;
use crate::output::quoted::toml_key;
use crate::settings::config::Config;

/// How many waiting jobs are looked through, and how many are read at once. It bounds the cost of the check.
const JOBS_MAX: u32 = 10_000;
const PAGE_JOBS: u32 = 200;
/// How many deferred jobs of a type are read with their logs.
const LOGS_MAX: usize = 5;

/// Types whose program does not become ready. Their deferred jobs have the reason at the end of their log.
pub(crate) async fn examine(database: &Database, config: &Config) -> Result<Vec<Finding>, StoreError> {
    let stays = |kind: &DeclaredKind| matches!(kind, DeclaredKind::Serve(_));
    let declared = config.jobs.iter().filter(|(_, declared)| stays(declared.get_ref().kind()));
    let types: Vec<String> = declared.map(|(job_type, _)| job_type.clone()).collect();
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for (job_type, jobs) in deferred_jobs(database, types).await? {
        for job in jobs {
            if let Some(why) = why_deferred(database, &job).await? {
                findings.push(finding(&job_type, &job, &why));
                break;
            }
        }
    }
    Ok(findings)
}

/// Waiting jobs of each type that were deferred, at most [`LOGS_MAX`] of a type.
async fn deferred_jobs(database: &Database, types: Vec<String>) -> Result<BTreeMap<String, Vec<Job>>, StoreError> {
    let selection = Selection::from(Filter::all().statuses([Status::Pending]).job_types(types));
    let mut deferred: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    let mut after = None;
    for _ in 0..JOBS_MAX / PAGE_JOBS {
        let page = database
            .jobs(JobPageRequest { selection: selection.clone(), after, limit: PAGE_JOBS, looked_max: None })
            .await?;
        for job in page.jobs.into_iter().filter(|job| job.deferral_count > 0) {
            let jobs = deferred.entry(job.job_type.clone()).or_default();
            if jobs.len() < LOGS_MAX {
                jobs.push(job);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(deferred)
}

async fn why_deferred(database: &Database, job: &Job) -> Result<Option<String>, StoreError> {
    let Some(detail) = database.job(job.id).await? else { return Ok(None) };
    let last = detail.attempts.last().filter(|attempt| attempt.outcome == AttemptOutcome::Deferred);
    let Some(last) = last else { return Ok(None) };
    let end = LogEndRequest { id: job.id, claim_number: last.claim_number, bytes_max: 1 };
    let log = database.log_end(end).await?;
    Ok(log.entries.last().and_then(|entry| why_closed(&entry.text)).map(str::to_owned))
}

fn finding(job_type: &str, job: &Job, why: &str) -> Finding {
    let message = format!("jobs of type \"{job_type}\" wait, because the program {why}");
    let hint = format!(
        "correct the program or [jobs.{}]; workers try it again by themselves, less and less often, and a restart \
         tries at once. See longshore jobs logs {}",
        toml_key(job_type),
        job.id
    );
    Finding::new("program_not_ready", message, hint)
}

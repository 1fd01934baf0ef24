use longshore_core::{Ancestor, Job, JobFacts, JobId, Status, Timestamp, WaitingFacts, WorkerFacts};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::jobs::job_row::job;
use crate::jobs::unique_key;
use crate::limits::rows::add_facts;
use crate::workers::worker_record::{Signs, workers};
use crate::workflows::dependencies::unmet;

/// What an explanation must know of a job. Reads single rows and bounded ranges of the claim index.
pub(crate) fn waiting_facts(
    connection: &Connection,
    signs: Signs<'_>,
    id: JobId,
) -> rusqlite::Result<Option<WaitingFacts>> {
    let Some(job) = read(connection, id)? else { return Ok(None) };
    let (ancestors, root) = ancestors(connection, &job)?;
    let root = root.map(|root| job_facts(connection, root, signs.now)).transpose()?;
    let key = job.unique_key.as_deref().filter(|_| job.status.is_ended());
    let unique_key_holder = key.map(|key| unique_key::other_holder(connection, key, id)).transpose()?.flatten();
    Ok(Some(WaitingFacts {
        now: signs.now,
        job: job_facts(connection, job, signs.now)?,
        ancestors,
        root,
        unique_key_holder,
        workers: workers(connection, signs)?.into_iter().map(WorkerFacts::from).collect(),
    }))
}

fn read(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    connection.prepare_cached(include_str!("../sql/jobs/select_job.sql"))?.query_row([id.0], job).optional()
}

/// The jobs that a blocked one waits for, and the last of them.
fn ancestors(connection: &Connection, job: &Job) -> rusqlite::Result<(Vec<Ancestor>, Option<Job>)> {
    let (mut ancestors, mut root): (Vec<Ancestor>, Option<Job>) = (Vec::new(), None);
    let mut next = job.parent_job_id.filter(|_| job.status == Status::Blocked);
    while let Some(id) = next.filter(|_| ancestors.len() < WaitingFacts::ANCESTORS_MAX) {
        let Some(ancestor) = read(connection, id)? else { break };
        let is_again = id == job.id || ancestors.iter().any(|known| known.id == id);
        ancestors.push(Ancestor { id, status: ancestor.status });
        next = ancestor.parent_job_id.filter(|_| ancestor.status == Status::Blocked && !is_again);
        root = Some(ancestor);
    }
    Ok((ancestors, root))
}

fn job_facts(connection: &Connection, job: Job, now: Timestamp) -> rusqlite::Result<JobFacts> {
    let (queue_paused_at, awaits_settings, has_valid_names) = connection
        .prepare_cached(include_str!("../sql/explanation/select_hindrances.sql"))?
        .query_row([job.id.0], |row| {
            let has_valid_names = is_valid_name(row.get_ref(2)?) && is_valid_name(row.get_ref(3)?);
            Ok((column::optional_timestamp(row, 0)?, row.get(1)?, has_valid_names))
        })?;
    let ahead = match JobFacts::is_claimable(&job, now) {
        false => 0,
        true => connection
            .prepare_cached(include_str!("../sql/explanation/count_ahead.sql"))?
            .query_row(params![job.job_type, job.queue, job.priority.0, job.id.0, JobFacts::AHEAD_MAX], |row| {
                column::count(row, 0)
            })?,
    };
    let unmet = unmet(connection, job.id)?;
    let mut facts = JobFacts {
        job,
        queue_paused_at,
        awaits_settings,
        has_valid_names,
        ahead,
        limits: Vec::new(),
        keys_ahead: 0,
        unmet,
    };
    add_facts(connection, &mut facts, now)?;
    Ok(facts)
}

/// Whether a worker can ask for this name. A job may wait without a queue for the settings of its type.
fn is_valid_name(name: ValueRef<'_>) -> bool {
    match name {
        ValueRef::Null => true,
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).is_ok(),
        _ => false,
    }
}

use longshore_core::{
    DependenciesRequest, Dependency, DependencyTarget, Dependent, Dependents, DependentsRequest, JobData, JobFacts,
    JobId, Status, WorkflowPlace,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::workflows::batches::batch;
use crate::workflows::members::Member;
use crate::workflows::wait::{Target, Wait, job_status};

/// What a job waits or waited for, with results as far as they are asked for.
pub(crate) fn dependencies(
    connection: &Connection,
    request: &DependenciesRequest,
) -> rusqlite::Result<Vec<Dependency>> {
    let mut left = request.result_bytes_max;
    let mut found = all(connection, request.id, usize::MAX)?;
    found.retain(|dependency| request.name.as_ref().is_none_or(|name| dependency.is_named(name)));
    if request.result_bytes_max > 0 {
        for dependency in &mut found {
            left = dependency.give(result(connection, request.id, &dependency.on)?, left);
        }
    }
    Ok(found)
}

/// The first dependencies of a job, without results.
pub(crate) fn first_dependencies(connection: &Connection, id: JobId, max: usize) -> rusqlite::Result<Vec<Dependency>> {
    all(connection, id, max)
}

/// The jobs that depend on a job.
pub(crate) fn dependents(connection: &Connection, request: DependentsRequest) -> rusqlite::Result<Vec<Dependent>> {
    let DependentsRequest { id, which, after, limit } = request;
    let sql = match which {
        Dependents::Waiting => include_str!("../sql/workflows/select_waiting_dependents.sql"),
        Dependents::Children => include_str!("../sql/workflows/select_children.sql"),
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![id.0, after.map_or(0, |after| after.0), limit], |row| {
            let (id, job_type, status) = (column::id(row, 0)?, column::text(row, 1)?, column::status(row, 2)?);
            Ok(Dependent { id, job_type, status, is_child: column::integer(row, 3)? == 1 })
        })?
        .collect()
}

/// How many jobs that run after a time are listed.
const TIMED_MAX: u32 = 10_000;

/// The jobs that run when a signal does not come in time.
pub(crate) fn timed_jobs(connection: &Connection) -> rusqlite::Result<Vec<JobId>> {
    let sql = include_str!("../sql/workflows/select_timed_jobs.sql");
    connection.prepare_cached(sql)?.query_map([TIMED_MAX], |row| Ok(JobId(row.get(0)?)))?.collect()
}

/// Where a job is in its workflow.
pub(crate) fn place(connection: &Connection, id: JobId) -> rusqlite::Result<WorkflowPlace> {
    let Some(member) = Member::read(connection, id)? else { return Ok(WorkflowPlace::default()) };
    Ok(WorkflowPlace {
        batch_id: member.batch,
        batch_role: member.batch.map(|_| member.role),
        reference: member.reference,
    })
}

/// What a job still waits for, if it waits for anything but its parent.
pub(crate) fn unmet(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Vec<Dependency>>> {
    let waits = connection
        .prepare_cached(include_str!("../sql/workflows/select_dependency_count.sql"))?
        .query_row([id.0], |row| column::optional_integer(row, 0))
        .optional()?
        .flatten();
    if waits.is_none() {
        return Ok(None);
    }
    let sql = include_str!("../sql/workflows/select_unmet_waits.sql");
    let unmet: Vec<Wait> = connection
        .prepare_cached(sql)?
        .query_map(params![id.0, JobFacts::UNMET_MAX], Wait::read)?
        .collect::<Result<_, _>>()?;
    unmet.into_iter().map(|wait| shown(connection, wait)).collect::<Result<_, _>>().map(Some)
}

fn all(connection: &Connection, id: JobId, max: usize) -> rusqlite::Result<Vec<Dependency>> {
    let parent = connection
        .prepare_cached(include_str!("../sql/workflows/select_parent.sql"))?
        .query_row([id.0], |row| {
            Ok((
                column::optional_integer(row, 0)?.map(JobId),
                column::status(row, 1)?,
                column::optional_status(row, 2)?,
            ))
        })
        .optional()?;
    let Some((parent, own, status)) = parent else { return Ok(Vec::new()) };
    let parent = parent.map(|parent| Dependency::of_parent(parent, status, own == Status::Blocked));
    let waits = Wait::of_job(connection, id)?;
    let shown = waits.into_iter().map(|wait| shown(connection, wait));
    parent.into_iter().map(Ok).chain(shown).take(max).collect()
}

fn shown(connection: &Connection, wait: Wait) -> rusqlite::Result<Dependency> {
    let on = match wait.target {
        Target::Job(job_id) => DependencyTarget::Job { job_id, status: job_status(connection, job_id)? },
        Target::Batch(batch_id) => {
            let batch_status = batch(connection, batch_id)?.map(|batch| batch.status);
            DependencyTarget::Batch { batch_id, batch_status }
        }
        Target::Signal(_, signal) => DependencyTarget::Signal { signal },
    };
    Ok(Dependency {
        reference: wait.reference,
        on,
        needs: wait.needs,
        otherwise: wait.otherwise,
        state: wait.state,
        timeout_at: wait.timeout_at,
        result: None,
        is_result_left_out: false,
    })
}

fn result(connection: &Connection, id: JobId, on: &DependencyTarget) -> rusqlite::Result<Option<JobData>> {
    let read = |row: &rusqlite::Row<'_>| column::optional_data(row, 0);
    let result = match on {
        DependencyTarget::Batch { .. } => return Ok(None),
        DependencyTarget::Job { job_id, .. } => connection
            .prepare_cached(include_str!("../sql/workflows/select_result.sql"))?
            .query_row([job_id.0], read)
            .optional()?,
        DependencyTarget::Signal { signal } => {
            let Some(batch) = Member::read(connection, id)?.and_then(|member| member.batch) else { return Ok(None) };
            connection
                .prepare_cached(include_str!("../sql/workflows/select_signal_data.sql"))?
                .query_row(params![batch.0, signal], read)
                .optional()?
        }
    };
    Ok(result.flatten())
}

use std::time::Duration;

use longshore_core::{
    BatchCounts, BatchId, BatchRecord, BatchRole, DependencyState, JobData, JobId, MovedDependency, MovedJob,
    MovedMember, MovedSignal, MovedTarget, Needs, Otherwise, Status, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column;

/// A job's place in its workflow.
pub(super) fn member(connection: &Connection, id: JobId) -> rusqlite::Result<Option<MovedMember>> {
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_moved_member.sql"))?;
    let read = |row: &Row<'_>| {
        Ok(MovedMember {
            batch: column::optional_integer(row, 0)?.map(BatchId),
            reference: column::optional_text(row, 1)?,
            // A CHECK of the table allows no other word.
            role: BatchRole::from_stored(&column::text(row, 2)?).unwrap_or(BatchRole::Member),
            counted: column::optional_text(row, 3)?.and_then(|word| word.parse().ok()),
        })
    };
    select.query_row([id.0], read).optional()
}

/// What a job waits or waited for.
pub(super) fn dependencies(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<MovedDependency>> {
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_moved_dependencies.sql"))?;
    select.query_map([id.0], dependency)?.collect()
}

fn dependency(row: &Row<'_>) -> rusqlite::Result<MovedDependency> {
    let target = column::integer(row, 1)?;
    let target = match column::text(row, 0)?.as_str() {
        "job" => MovedTarget::Job(JobId(target)),
        "batch" => MovedTarget::Batch(BatchId(target)),
        _ => MovedTarget::Signal { batch: BatchId(target), name: column::text(row, 2)? },
    };
    Ok(MovedDependency {
        target,
        reference: column::optional_text(row, 3)?,
        // A CHECK of the table allows no other word.
        needs: Needs::from_stored(&column::text(row, 4)?).unwrap_or_default(),
        otherwise: Otherwise::from_stored(&column::text(row, 5)?).unwrap_or(Otherwise::DeadLetter),
        state: DependencyState::from_stored(&column::text(row, 6)?).unwrap_or(DependencyState::Waiting),
        timeout: column::optional_integer(row, 7)?.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        timeout_at: column::optional_timestamp(row, 8)?,
    })
}

/// All batches.
pub(super) fn batches(connection: &Connection) -> rusqlite::Result<Vec<BatchRecord>> {
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_all_batches.sql"))?;
    select.query_map([], batch)?.collect()
}

fn batch(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    let count = |index: usize| Ok::<_, rusqlite::Error>(u64::try_from(column::integer(row, index)?).unwrap_or(0));
    let counts = BatchCounts { members: count(5)?, completed: count(6)?, cancelled: count(7)?, dead_letter: count(8)? };
    let closed_at = column::optional_timestamp(row, 3)?;
    Ok(BatchRecord {
        id: BatchId(column::integer(row, 0)?),
        name: column::text(row, 1)?,
        status: counts.status(closed_at.is_some()),
        created_at: column::timestamp(row, 2)?,
        closed_at,
        ended_at: column::optional_timestamp(row, 4)?,
        counts,
        callbacks: count(9)?,
    })
}

/// The signals to them.
pub(super) fn signals(connection: &Connection) -> rusqlite::Result<Vec<MovedSignal>> {
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_all_signals.sql"))?;
    let read = |row: &Row<'_>| {
        Ok(MovedSignal {
            batch: BatchId(column::integer(row, 0)?),
            name: column::text(row, 1)?,
            data: column::optional_text(row, 2)?.map(JobData::from_stored),
        })
    };
    select.query_map([], read)?.collect()
}

/// Writes all batches and the signals to them, in place of what was there.
pub(super) fn keep_batches(
    connection: &Connection,
    batches: &[BatchRecord],
    signals: &[MovedSignal],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for table in ["job_batches", "job_signals", "job_followups"] {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut insert = connection.prepare_cached(include_str!("../sql/moving/insert_moved_batch.sql"))?;
    for BatchRecord { id, name, status: _, created_at, closed_at, ended_at, counts, callbacks } in batches {
        let BatchCounts { members, completed, cancelled, dead_letter } = *counts;
        insert.execute(params![
            id.0,
            name,
            created_at.as_ms(),
            closed_at.map(Timestamp::as_ms),
            ended_at.map(Timestamp::as_ms),
            number(members),
            number(completed),
            number(cancelled),
            number(dead_letter),
            number(*callbacks),
        ])?;
    }
    let mut insert = connection.prepare_cached(include_str!("../sql/moving/insert_moved_signal.sql"))?;
    for MovedSignal { batch, name, data } in signals {
        insert.execute(params![batch.0, name, data.as_ref().map(JobData::as_str), now.as_ms()])?;
    }
    Ok(())
}

/// Writes what a job is to its workflow, and notes what was perhaps not settled in the other database.
pub(super) fn keep_place(connection: &Connection, moved: &MovedJob) -> rusqlite::Result<()> {
    let id = moved.job.id;
    if let Some(MovedMember { batch, role, reference, counted }) = &moved.member {
        connection.prepare_cached(include_str!("../sql/moving/insert_moved_member.sql"))?.execute(params![
            id.0,
            batch.map(|batch| batch.0),
            role.as_str(),
            reference,
            counted.map(Status::as_str),
        ])?;
        note(connection, "job", id.0, "")?;
    }
    let mut insert = connection.prepare_cached(include_str!("../sql/moving/insert_moved_dependency.sql"))?;
    for (position, dependency) in moved.dependencies.iter().enumerate() {
        let MovedDependency { target, reference, needs, otherwise, state, timeout, timeout_at } = dependency;
        let (kind, target, signal) = match target {
            MovedTarget::Job(id) => ("job", id.0, ""),
            MovedTarget::Batch(id) => ("batch", id.0, ""),
            MovedTarget::Signal { batch, name } => ("signal", batch.0, name.as_str()),
        };
        insert.execute(params![
            id.0,
            i64::try_from(position).unwrap_or(i64::MAX),
            kind,
            target,
            signal,
            reference,
            needs.as_str(),
            otherwise.as_str(),
            state.as_str(),
            timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)),
            timeout_at.map(Timestamp::as_ms),
        ])?;
        if *state == DependencyState::Waiting {
            note(connection, kind, target, signal)?;
        }
    }
    Ok(())
}

fn note(connection: &Connection, kind: &str, target: i64, signal: &str) -> rusqlite::Result<()> {
    let mut note = connection.prepare_cached(include_str!("../sql/moving/note_moved.sql"))?;
    note.execute(params![kind, target, signal])?;
    Ok(())
}

/// A copy that moved away counts nowhere.
pub(super) fn drop_place(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/moving/delete_moved_member.sql"))?.execute([id.0])?;
    connection.prepare_cached(include_str!("../sql/moving/delete_moved_dependencies.sql"))?.execute([id.0])?;
    Ok(())
}

use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, InvalidJobData, JobData, JobId, StoreError, Timestamp, WorkerId};
use longshore_sqlite_file::check_connection;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::column;
use crate::connection::in_savepoint;
use crate::fault::{ErrorContext, Fault};
use crate::jobs::report::is_completed_by;
use crate::upkeep::counts::{Minute, add_minute};

/// The success of a running attempt, as it is written in a caller's own transaction.
#[derive(Clone, Debug)]
pub struct AttemptSuccess<'a> {
    /// Who makes the attempt.
    pub worker_id: &'a WorkerId,
    /// The job.
    pub id: JobId,
    /// Its claim.
    pub claim_number: ClaimNumber,
    /// When the handler began.
    pub started_at: Option<Timestamp>,
    /// When it ended: now.
    pub finished_at: Timestamp,
    /// What it came to.
    pub result: Option<&'a JobData>,
}

/// Why a success was not written. The caller's transaction is as it was before the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The attempt has ended, or its lease was lost: another worker may run the job already. Nothing else of the
    /// transaction should be kept either.
    #[error("job {id} is not run by this attempt any more; roll the transaction back, or the work is done twice")]
    NotRunning {
        /// The job.
        id: JobId,
    },
    /// This attempt has completed its job already.
    #[error("this attempt has completed job {id} already; call it once for each attempt")]
    AlreadyCompleted {
        /// The job.
        id: JobId,
    },
    /// The connection is in no transaction, so that the success could commit without the work.
    #[error("the connection to {database} is in no transaction; begin one, and write the work in it as well")]
    NoTransaction {
        /// Which database.
        database: Arc<str>,
    },
    /// The triggers of the connection are switched off; they move the children of the job and keep the counts.
    #[error("the connection to {database} has its triggers switched off; leave them on where a job is completed")]
    TriggersOff {
        /// Which database.
        database: Arc<str>,
    },
    /// The connection is to a database without jobs.
    #[error("{database} holds no jobs; complete job {id} on a connection to the database that it came from")]
    OtherDatabase {
        /// Which database.
        database: Arc<str>,
        /// The job.
        id: JobId,
    },
    /// The result cannot be written as JSON.
    #[error("the result is {0}")]
    Encode(#[from] InvalidJobData),
    /// The result is too large, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Completes the job of a running attempt in the caller's own transaction, on the caller's own connection: the job is
/// completed if and only if that transaction commits.
///
/// Its children may run, and workers in every process are woken, after the commit.
pub fn complete_in(connection: &Connection, success: &AttemptSuccess<'_>) -> Result<(), CompleteError> {
    let database: Arc<str> = connection.path().unwrap_or("the database").into();
    let context = ErrorContext { database: Arc::clone(&database), busy_timeout: Duration::ZERO };
    check_connection(connection, &context.database).map_err(StoreError::from)?;
    if connection.is_autocommit() {
        return Err(CompleteError::NoTransaction { database });
    }
    if !connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).unwrap_or(true) {
        return Err(CompleteError::TriggersOff { database });
    }
    // So that an error in its middle leaves nothing behind.
    match in_savepoint(connection, || write(connection, success)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refusal(connection, success)),
        Err(error) if has_no_jobs(connection) => {
            drop(error);
            Err(CompleteError::OtherDatabase { database, id: success.id })
        }
        Err(error) => Err(explain(connection, context, error).into()),
    }
}

/// Behind the fence; `false` when the job is no longer this attempt's. The triggers do not know how long it ran, so the
/// minute is counted here.
fn write(connection: &Connection, success: &AttemptSuccess<'_>) -> rusqlite::Result<bool> {
    let AttemptSuccess { worker_id, id, claim_number, started_at, finished_at, result } = *success;
    let moved = connection
        .prepare_cached(include_str!("../sql/complete_in.sql"))?
        .query_row(
            params![
                id.0,
                worker_id.as_str(),
                claim_number.0,
                started_at.map(Timestamp::as_ms),
                finished_at.as_ms(),
                result.map(JobData::as_str)
            ],
            |row| Ok((column::text(row, 0)?, column::timestamp(row, 1)?)),
        )
        .optional()?;
    let Some((queue, ready_at)) = moved else { return Ok(false) };
    let minute = Minute { completed: 1, ..Minute::of_attempt(ready_at, started_at, finished_at) };
    add_minute(connection, &queue, finished_at.minute(), minute)?;
    Ok(true)
}

fn refusal(connection: &Connection, success: &AttemptSuccess<'_>) -> CompleteError {
    let id = success.id;
    if matches!(is_completed_by(connection, success.worker_id, id, success.claim_number), Ok(true)) {
        return CompleteError::AlreadyCompleted { id };
    }
    CompleteError::NotRunning { id }
}

fn has_no_jobs(connection: &Connection) -> bool {
    let found =
        connection.prepare(include_str!("../sql/has_job_queue.sql")).and_then(|mut statement| statement.exists([]));
    matches!(found, Ok(false))
}

/// How long SQLite waited for another writer is the caller's own setting.
fn explain(connection: &Connection, context: ErrorContext, error: rusqlite::Error) -> StoreError {
    let waited = connection.query_row("PRAGMA busy_timeout", [], |row| column::size(row, 0)).unwrap_or(0);
    let context = ErrorContext { busy_timeout: Duration::from_millis(waited), ..context };
    context.answer(Fault::Sql(error), "completing a job")
}

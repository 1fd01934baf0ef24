use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    ClaimNumber, Clock, InvalidJobData, JobData, JobId, StoreError, SystemClock, Timestamp, WorkerId,
};
use longshore_sqlite_file::check_connection;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::database::column;
use crate::database::connection::in_savepoint;
use crate::database::fault::{ErrorContext, Fault};
use crate::jobs::outcomes::report::is_completed_by;
use crate::moving::fence::refusal_of;
use crate::upkeep::counts::{Minute, add_minute};

/// The success of a running attempt, to be written in the caller's transaction.
#[derive(Clone, Debug)]
pub struct AttemptSuccess<'a> {
    /// The worker that runs the attempt.
    pub worker_id: &'a WorkerId,
    /// The job id.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
    /// How long the handler has run. `None` if unknown.
    pub ran: Option<Duration>,
    /// The result.
    pub result: Option<&'a JobData>,
}

/// Why a success was not written. The caller's transaction is unchanged by the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The attempt has ended, or its lease was lost and another worker may run the job. Roll back the whole
    /// transaction.
    #[error("this attempt no longer runs job {id}; roll back the transaction, or the work is done twice")]
    NotRunning {
        /// The job id.
        id: JobId,
    },
    /// This attempt has already completed its job.
    #[error("this attempt has already completed job {id}; call this only once for each attempt")]
    AlreadyCompleted {
        /// The job id.
        id: JobId,
    },
    /// The connection has no open transaction, so the success could commit without the work.
    #[error("the connection to {database} has no open transaction; begin one, and do the work in it too")]
    NoTransaction {
        /// The database.
        database: Arc<str>,
    },
    /// The triggers of the connection are off. They update the children of the job and the counts.
    #[error("the triggers of the connection to {database} are off; switch them on to complete a job")]
    TriggersOff {
        /// The database.
        database: Arc<str>,
    },
    /// The connection is to a database without jobs.
    #[error("{database} has no jobs; complete job {id} on a connection to the database that it came from")]
    OtherDatabase {
        /// The database.
        database: Arc<str>,
        /// The job id.
        id: JobId,
    },
    /// The result cannot be encoded as JSON.
    #[error("the result is {0}")]
    Encode(#[from] InvalidJobData),
    /// The result is too large, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Completes the job of a running attempt in the caller's transaction, on the caller's connection. The job is completed
/// if and only if the transaction commits.
///
/// The commit makes its children runnable and wakes workers in every process.
pub fn complete_in(connection: &Connection, success: &AttemptSuccess<'_>) -> Result<(), CompleteError> {
    let context = ErrorContext::of_caller(connection);
    let database = Arc::clone(&context.database);
    check_connection(connection, &context.database).map_err(StoreError::from)?;
    if connection.is_autocommit() {
        return Err(CompleteError::NoTransaction { database });
    }
    if !connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).unwrap_or(true) {
        return Err(CompleteError::TriggersOff { database });
    }
    // So that an error in the middle leaves nothing behind.
    match in_savepoint(connection, || write(connection, success)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refusal(connection, success)),
        Err(error) if has_no_jobs(connection) => {
            drop(error);
            Err(CompleteError::OtherDatabase { database, id: success.id })
        }
        Err(error) => Err(refusal_of(connection, &error).unwrap_or_else(|| explain(connection, context, error)).into()),
    }
}

/// Writes under the fence. Returns `false` if the job no longer belongs to this attempt. The triggers do not know how
/// long it ran, so the minute is counted here.
fn write(connection: &Connection, success: &AttemptSuccess<'_>) -> rusqlite::Result<bool> {
    let AttemptSuccess { worker_id, id, claim_number, ran, result } = *success;
    // The time of the machine with the database. The store that gave the lease is not used by this connection.
    let finished_at = SystemClock::new().now();
    let started_at = ran.map(|ran| finished_at.before(ran));
    let moved = connection
        .prepare_cached(include_str!("../../sql/outcomes/complete_in.sql"))?
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
    let found = connection
        .prepare(include_str!("../../sql/outcomes/has_job_queue.sql"))
        .and_then(|mut statement| statement.exists([]));
    matches!(found, Ok(false))
}

/// The caller's connection decides how long SQLite waits for another writer.
fn explain(connection: &Connection, context: ErrorContext, error: rusqlite::Error) -> StoreError {
    let waited = connection.query_row("PRAGMA busy_timeout", [], |row| column::size(row, 0)).unwrap_or(0);
    let context = ErrorContext { busy_timeout: Duration::from_millis(waited), ..context };
    context.answer(Fault::Sql(error), "completing a job")
}

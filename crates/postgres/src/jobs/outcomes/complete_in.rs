use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, InvalidJobData, JobData, JobId, StoreError, WorkerId};
use postgres_types::Type;
use thiserror::Error;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::batch::NEVER_BEGAN;
use crate::session::fault::{ErrorContext, Fault};
use crate::session::json_text::JsonText;
use crate::session::sql::{SCHEMA, sql};
use crate::session::statements::Parameter;

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

/// Why a success was not written. The caller's transaction can be rolled back only after [`CompleteError::Store`]; after
/// the others it is unchanged by the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The attempt has ended, or its lease was lost and another worker may run the job. Roll back the whole transaction.
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
    /// The transaction is of a database without jobs.
    #[error("this database has no jobs; complete job {id} in a transaction of the database that it came from")]
    OtherDatabase {
        /// The job id.
        id: JobId,
    },
    /// The result cannot be encoded as JSON.
    #[error("the result is {0}")]
    Encode(#[from] InvalidJobData),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Completes the job of a running attempt in the caller's transaction: it is completed if and only if that commits, and
/// then its children may run. The queue is in the schema `longshore`; see [`complete_in_schema`] for another one.
pub async fn complete_in(transaction: &Transaction<'_>, success: &AttemptSuccess<'_>) -> Result<(), CompleteError> {
    complete_in_schema(transaction, SCHEMA, success).await
}

/// [`complete_in`] for a queue in another schema.
pub async fn complete_in_schema(
    transaction: &Transaction<'_>,
    schema: &str,
    success: &AttemptSuccess<'_>,
) -> Result<(), CompleteError> {
    let id = success.id;
    let context = ErrorContext { database: Arc::from("the database of the transaction") };
    match write(transaction, schema, success).await {
        Ok(true) => Ok(()),
        Ok(false) => match is_completed(transaction, schema, success).await {
            Ok(true) => Err(CompleteError::AlreadyCompleted { id }),
            _ => Err(CompleteError::NotRunning { id }),
        },
        Err(error) if is_without_jobs(&error) => Err(CompleteError::OtherDatabase { id }),
        Err(error) => Err(context.answer(Fault::Database(error), "completing a job").into()),
    }
}

/// Writes under the fence. Returns `false` if the job no longer belongs to this attempt. The claim stays until the worker
/// has reported the end of its attempts.
async fn write(
    transaction: &Transaction<'_>,
    schema: &str,
    success: &AttemptSuccess<'_>,
) -> Result<bool, tokio_postgres::Error> {
    let AttemptSuccess { worker_id, id, claim_number, ran, result } = success;
    let (ids, claim_numbers, ended_ago_ms) = ([id.0], [claim_number.0], [0_i64]);
    let ran_ms = [ran.map_or(NEVER_BEGAN, |ran| i64::try_from(ran.as_millis()).unwrap_or(i64::MAX))];
    let results = [result.map(JsonText::of)];
    let no_claims: [i64; 0] = [];
    let (worker_id, ids, claim_numbers, ended_ago_ms, ran_ms, results, no_claims) = (
        worker_id.as_str(),
        &ids[..],
        &claim_numbers[..],
        &ended_ago_ms[..],
        &ran_ms[..],
        &results[..],
        &no_claims[..],
    );
    let values: [Parameter<'_>; 8] = [
        (&worker_id, Type::TEXT),
        (&ids, Type::INT8_ARRAY),
        (&claim_numbers, Type::INT8_ARRAY),
        (&ended_ago_ms, Type::INT8_ARRAY),
        (&ran_ms, Type::INT8_ARRAY),
        (&results, Type::JSON_ARRAY),
        (&ids, Type::INT8_ARRAY),
        (&no_claims, Type::INT8_ARRAY),
    ];
    let rows = transaction.query_typed(&sql!("outcomes/complete_jobs").text_in(schema), &values).await?;
    let completed: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    if completed == 0 {
        return Ok(false);
    }
    // A statement of its own, whose snapshot has the children that were committed meanwhile.
    transaction.query_typed(&sql!("jobs/unblock_children").text_in(schema), &[(&ids, Type::INT8_ARRAY)]).await?;
    Ok(true)
}

async fn is_completed(
    transaction: &Transaction<'_>,
    schema: &str,
    success: &AttemptSuccess<'_>,
) -> Result<bool, tokio_postgres::Error> {
    let worker_id = success.worker_id.as_str();
    let values: [Parameter<'_>; 3] =
        [(&worker_id, Type::TEXT), (&success.id.0, Type::INT8), (&success.claim_number.0, Type::INT8)];
    let rows = transaction.query_typed(&sql!("outcomes/is_completed_by").text_in(schema), &values).await?;
    Ok(!rows.is_empty())
}

fn is_without_jobs(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_FUNCTION].contains(code)
    })
}

use longshore_core::{Duplicate, JobData, JobId, NewJob};
use postgres_types::Type;

use super::columns::{MAX_CRASHES, MAX_DEFERRALS, count, milliseconds, time_of, unless_default};
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// Gives the content of a new job to the waiting one with its unique key, and its time if that is pushed back. Gives the
/// queue of the other one, if that still waited where it was seen.
pub(super) async fn replace(
    session: &Session,
    job: &NewJob,
    holder: JobId,
    duplicate: Duplicate,
) -> Result<Option<String>, Fault> {
    // Every field is listed, so that a new field cannot be forgotten here or in the statement.
    let NewJob {
        job_type,
        job_data,
        queue: _,
        priority,
        due,
        max_retries,
        max_crashes,
        max_deferrals,
        timeout,
        expires_in,
        deadline_in,
        unique_key: _,
        on_duplicate: _,
        unique_while: _,
        limit_key,
        parent: _,
        metadata,
    } = job;
    let (at, delay_ms) = time_of(*due);
    let row = session
        .query_opt(
            sql!("enqueue/replace_waiting_job"),
            &[
                (&holder.0, Type::INT8),
                (job_type, Type::TEXT),
                (&job_data.as_str(), Type::TEXT),
                (&priority.0, Type::INT4),
                (&max_retries.map(count), Type::INT4),
                (&unless_default(*max_crashes, MAX_CRASHES), Type::INT4),
                (&unless_default(*max_deferrals, MAX_DEFERRALS), Type::INT4),
                (&timeout.map(milliseconds), Type::INT8),
                (&expires_in.map(milliseconds), Type::INT8),
                (&deadline_in.map(milliseconds), Type::INT8),
                (&metadata.as_ref().map(JobData::as_str), Type::TEXT),
                (&(duplicate == Duplicate::PushedBack), Type::BOOL),
                (&at, Type::TIMESTAMPTZ),
                (&delay_ms, Type::INT8),
                (limit_key, Type::TEXT),
            ],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

use std::fmt::Write as _;
use std::sync::LazyLock;

use longshore_core::{JobData, JobId, NewJob, TimeBounds, Timestamp, ValidJob};
use rusqlite::{CachedStatement, Connection};

use crate::database::column;
use crate::jobs::claim::due::later_than;

/// The number of jobs in one statement.
pub(crate) const BLOCK_JOBS: usize = 16;
/// Parameters of one job. The creation time is the same for all.
const JOB_PARAMETERS: usize = 12;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let mut sql = include_str!("../../sql/enqueue/insert_jobs.sql").trim_end().to_owned();
    for job in 1..BLOCK_JOBS {
        sql.push_str(", (?1");
        for parameter in 0..JOB_PARAMETERS {
            write!(sql, ", ?{}", 2 + job * JOB_PARAMETERS + parameter).expect("a string takes everything");
        }
        sql.push_str(", NULL)");
    }
    sql
});

/// Whether a job can be created with others in one statement: nothing must be looked up for it.
pub(crate) const fn is_plain(job: &NewJob) -> bool {
    job.unique_key.is_none() && job.parent.is_none() && job.limit_key.is_none()
}

/// The statement that creates [`BLOCK_JOBS`] plain jobs.
pub(crate) struct BlockInsert<'c> {
    insert: CachedStatement<'c>,
}

impl<'c> BlockInsert<'c> {
    pub(crate) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self { insert: connection.prepare_cached(&INSERT)? })
    }

    /// Creates all of them or none. Their ids are consecutive and in order, because nobody else writes at the same
    /// time.
    pub(crate) fn make(
        &mut self,
        connection: &Connection,
        jobs: [&ValidJob; BLOCK_JOBS],
        now: Timestamp,
    ) -> rusqlite::Result<impl Iterator<Item = JobId> + use<>> {
        let insert = &mut self.insert;
        insert.raw_bind_parameter(1, now.as_ms())?;
        for (place, job) in jobs.into_iter().enumerate() {
            let at = |parameter: usize| 2 + place * JOB_PARAMETERS + parameter;
            insert.raw_bind_parameter(at(0), job.job_type.as_str())?;
            insert.raw_bind_parameter(at(1), job.job_data.as_str())?;
            insert.raw_bind_parameter(at(2), job.priority.0)?;
            insert.raw_bind_parameter(at(3), job.max_retries)?;
            insert.raw_bind_parameter(at(4), job.timeout.map(column::seconds))?;
            insert.raw_bind_parameter(at(5), job.queue.as_str())?;
            insert.raw_bind_parameter(at(6), later_than(now, job.due).map(Timestamp::as_ms))?;
            insert.raw_bind_parameter(at(7), job.max_crashes)?;
            insert.raw_bind_parameter(at(8), job.max_deferrals)?;
            insert.raw_bind_parameter(at(9), job.metadata.as_ref().map(JobData::as_str))?;
            let time = TimeBounds::from_now(now, job.expires_in, job.deadline_in);
            insert.raw_bind_parameter(at(10), time.expires_at.map(Timestamp::as_ms))?;
            insert.raw_bind_parameter(at(11), time.deadline_at.map(Timestamp::as_ms))?;
        }
        insert.raw_execute()?;
        let last = connection.last_insert_rowid();
        Ok((0..BLOCK_JOBS as i64).rev().map(move |behind| JobId(last - behind)))
    }
}

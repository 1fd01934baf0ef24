use std::pin::pin;

use longshore_core::{Due, JobData, JobId, Status, TimeBounds, Timestamp, ValidJob};
use postgres_types::{ToSql, Type};
use tokio_postgres::Statement;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use super::columns::{MAX_CRASHES, MAX_DEFERRALS, count, milliseconds, unless_default};
use crate::instant::Instant;
use crate::jobs::claim::hints::Changes;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::json_text::JsonText;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::upkeep::counts::Counts;

/// Creates plain jobs by COPY in the transaction of a session. Not behind a pooler, because COPY needs a named statement.
pub(super) struct Bulk<'s> {
    session: &'s Session,
    copies: Copies,
}

/// The statements, prepared once for all parts.
struct Copies {
    jobs: Statement,
    ready: Statement,
    later: Statement,
}

const JOB_TYPES: [Type; 14] = [
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::JSON,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::JSON,
];
const READY_TYPES: [Type; 6] = [Type::TEXT, Type::TEXT, Type::INT4, Type::BOOL, Type::INT8, Type::TIMESTAMPTZ];
const LATER_TYPES: [Type; 5] = [Type::INT8, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::BOOL];

impl<'s> Bulk<'s> {
    pub(super) async fn begin(session: &'s Session, schema: &str) -> Result<Self, Fault> {
        let client = &session.client;
        let copies = Copies {
            jobs: client.prepare(&sql!("enqueue/copy_jobs").text_in(schema)).await?,
            ready: client.prepare(&sql!("enqueue/copy_ready").text_in(schema)).await?,
            later: client.prepare(&sql!("enqueue/copy_later").text_in(schema)).await?,
        };
        Ok(Self { session, copies })
    }

    /// Creates the jobs and gives their ids in order.
    pub(super) async fn insert(
        &self,
        jobs: &[ValidJob],
        counts: &mut Counts,
        changes: &mut Changes,
    ) -> Result<Vec<JobId>, Fault> {
        let (ids, now) = self.take_ids(jobs.len()).await?;
        self.copy_jobs(jobs, &ids, now).await?;
        self.copy_ready(jobs, &ids, now).await?;
        self.copy_later(jobs, &ids, now).await?;
        for job in jobs {
            counts.entered(&job.queue, Status::Pending);
            changes.add_job(Some(&job.job_type), &job.queue);
        }
        Ok(ids.into_iter().map(JobId).collect())
    }

    async fn take_ids(&self, count: usize) -> Result<(Vec<i64>, Timestamp), Fault> {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let row = self.session.query_opt(sql!("enqueue/take_ids"), &[(&count, Type::INT4)]).await?;
        let row = row.expect("a SELECT without FROM gives one row");
        let columns = &mut Columns::of(&row);
        let now = columns.instant()?;
        Ok((columns.read()?, now))
    }

    async fn copy_jobs(&self, jobs: &[ValidJob], ids: &[i64], now: Timestamp) -> Result<(), Fault> {
        let sink = self.session.client.copy_in(&self.copies.jobs).await?;
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &JOB_TYPES));
        for (job, id) in jobs.iter().zip(ids) {
            let time = TimeBounds::from_now(now, job.expires_in, job.deadline_in);
            let row: [&(dyn ToSql + Sync); 14] = [
                id,
                &job.job_type,
                &job.queue,
                &job.priority.0,
                &JsonText(job.job_data.as_str()),
                &Instant(now),
                &later_than(now, job.due).map(Instant),
                &job.max_retries.map(count),
                &unless_default(job.max_crashes, MAX_CRASHES),
                &unless_default(job.max_deferrals, MAX_DEFERRALS),
                &job.timeout.map(milliseconds),
                &time.expires_at.map(Instant),
                &time.deadline_at.map(Instant),
                &job.metadata.as_ref().map(JobData::as_str).map(JsonText),
            ];
            rows.as_mut().write(&row).await?;
        }
        rows.finish().await?;
        Ok(())
    }

    async fn copy_ready(&self, jobs: &[ValidJob], ids: &[i64], now: Timestamp) -> Result<(), Fault> {
        let sink = self.session.client.copy_in(&self.copies.ready).await?;
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &READY_TYPES));
        for (job, id) in jobs.iter().zip(ids).filter(|(job, _)| later_than(now, job.due).is_none()) {
            // The lowest priority has no negation.
            let rank = job.priority.0.saturating_neg();
            let row: [&(dyn ToSql + Sync); 6] = [&job.job_type, &job.queue, &rank, &false, id, &Instant(now)];
            rows.as_mut().write(&row).await?;
        }
        rows.finish().await?;
        Ok(())
    }

    async fn copy_later(&self, jobs: &[ValidJob], ids: &[i64], now: Timestamp) -> Result<(), Fault> {
        let later = |job: &ValidJob| later_than(now, job.due).map(Instant);
        if jobs.iter().all(|job| later(job).is_none()) {
            return Ok(());
        }
        let sink = self.session.client.copy_in(&self.copies.later).await?;
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &LATER_TYPES));
        for (job, id) in jobs.iter().zip(ids) {
            let Some(due_at) = later(job) else { continue };
            let row: [&(dyn ToSql + Sync); 5] = [id, &job.job_type, &job.queue, &due_at, &false];
            rows.as_mut().write(&row).await?;
        }
        rows.finish().await?;
        Ok(())
    }
}

/// The time that a job waits for; `None` if it has passed.
fn later_than(now: Timestamp, due: Due) -> Option<Timestamp> {
    let instant = match due {
        Due::Now => return None,
        Due::After(delay) => now.after(delay),
        Due::At(instant) => instant,
    };
    (instant > now).then_some(instant)
}

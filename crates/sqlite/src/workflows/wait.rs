use std::time::Duration;

use longshore_core::{
    AwaitedState, BatchId, DeadLetterReason, DependencyState, JobId, Needs, Otherwise, Timestamp, job_failed,
    signal_missed,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::workflows::batches;

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Job(JobId),
    Batch(BatchId),
    Signal(BatchId, String),
}

impl Target {
    pub(super) fn of(kind: &str, id: i64, signal: String) -> Self {
        match kind {
            "batch" => Self::Batch(BatchId(id)),
            "signal" => Self::Signal(BatchId(id), signal),
            // A CHECK constraint allows only known words.
            _ => Self::Job(JobId(id)),
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Batch(_) => "batch",
            Self::Signal(..) => "signal",
        }
    }

    pub(super) const fn id(&self) -> i64 {
        match self {
            Self::Job(id) => id.0,
            Self::Batch(id) | Self::Signal(id, _) => id.0,
        }
    }

    pub(super) fn signal(&self) -> &str {
        match self {
            Self::Signal(_, name) => name,
            Self::Job(_) | Self::Batch(_) => "",
        }
    }

    pub(super) const fn is_signal(&self) -> bool {
        matches!(self, Self::Signal(..))
    }

    /// Whether it has happened.
    pub(super) fn awaited(&self, connection: &Connection) -> rusqlite::Result<AwaitedState> {
        Ok(match self {
            Self::Job(id) => AwaitedState::of_job(job_status(connection, *id)?),
            Self::Batch(id) => {
                let batch = batches::batch(connection, *id)?;
                // One that is not judged yet may still change.
                match batch {
                    Some(batch) if batch.ended_at.is_none() => AwaitedState::Open,
                    batch => AwaitedState::of_batch(batch.map(|batch| batch.status)),
                }
            }
            Self::Signal(batch, name) => {
                let sql = include_str!("../sql/workflows/has_signal.sql");
                let has_come = connection.prepare_cached(sql)?.query_row(params![batch.0, name], |row| row.get(0))?;
                if has_come { AwaitedState::Completed } else { AwaitedState::Open }
            }
        })
    }

    /// Why a job that needed it is given up.
    pub(super) fn reason(&self, connection: &Connection) -> rusqlite::Result<String> {
        Ok(match self {
            Self::Job(id) => job_failed(*id, job_status(connection, *id)?).to_string(),
            Self::Batch(batch) => {
                let status = batches::batch(connection, *batch)?.map(|batch| batch.status);
                DeadLetterReason::BatchEnded { batch: *batch, status }.to_string()
            }
            Self::Signal(batch, name) => signal_missed(*batch, name),
        })
    }
}

pub(super) fn job_status(connection: &Connection, id: JobId) -> rusqlite::Result<Option<longshore_core::Status>> {
    connection
        .prepare_cached(include_str!("../sql/enqueue/select_status.sql"))?
        .query_row([id.0], |row| column::status(row, 0))
        .optional()
}

/// A row of `job_waits`.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) job_id: JobId,
    pub(super) position: i64,
    pub(super) target: Target,
    pub(super) reference: Option<String>,
    pub(super) needs: Needs,
    pub(super) otherwise: Otherwise,
    pub(super) state: DependencyState,
    pub(super) timeout: Option<Duration>,
    pub(super) timeout_at: Option<Timestamp>,
}

impl Wait {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut columns = Columns::of(row);
        let job_id = columns.read(column::id)?;
        let position = columns.read(column::integer)?;
        let kind = columns.read(column::text)?;
        let target_id = columns.read(column::integer)?;
        // A CHECK constraint allows only known words.
        Ok(Self {
            job_id,
            position,
            target: Target::of(&kind, target_id, columns.read(column::text)?),
            reference: columns.read(column::optional_text)?,
            needs: Needs::from_stored(&columns.read(column::text)?).unwrap_or_default(),
            otherwise: Otherwise::from_stored(&columns.read(column::text)?).unwrap_or(Otherwise::DeadLetter),
            state: DependencyState::from_stored(&columns.read(column::text)?).unwrap_or(DependencyState::Waiting),
            timeout: columns
                .read(column::optional_integer)?
                .and_then(|ms| u64::try_from(ms).ok())
                .map(Duration::from_millis),
            timeout_at: columns.read(column::optional_timestamp)?,
        })
    }

    /// The waits of a job, in their order.
    pub(super) fn of_job(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<Self>> {
        let sql = include_str!("../sql/workflows/select_waits.sql");
        connection.prepare_cached(sql)?.query_map([id.0], Self::read)?.collect()
    }

    /// Those on this target.
    pub(super) fn on(connection: &Connection, id: JobId, target: &Target) -> rusqlite::Result<Vec<Self>> {
        let sql = include_str!("../sql/workflows/select_waits_on.sql");
        let values = params![id.0, target.kind(), target.id(), target.signal()];
        connection.prepare_cached(sql)?.query_map(values, Self::read)?.collect()
    }

    pub(super) fn update(
        &self,
        connection: &Connection,
        state: DependencyState,
        timeout_at: Option<Timestamp>,
    ) -> rusqlite::Result<()> {
        let sql = include_str!("../sql/workflows/update_wait.sql");
        let timeout_at = timeout_at.map(Timestamp::as_ms);
        connection.prepare_cached(sql)?.execute(params![self.job_id.0, self.position, state.as_str(), timeout_at])?;
        Ok(())
    }
}

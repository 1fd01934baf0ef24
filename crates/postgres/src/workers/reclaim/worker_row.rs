use std::time::Duration;

use longshore_core::{WorkerId, WorkerReading};
use tokio_postgres::{Error, Row};

/// The liveness values of a worker's row, as `workers/visit_workers.sql` gives them.
#[derive(Clone, Debug)]
pub(crate) struct WorkerRow {
    pub(crate) worker: i32,
    pub(crate) worker_id: WorkerId,
    pub(crate) heartbeat_number: i64,
    pub(crate) session_key: i64,
    pub(crate) lease: Duration,
    pub(crate) sign: Sign,
    /// Whether it stands in the row although the ring did not lead there.
    pub(crate) is_extra: bool,
}

/// What the database shows about a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Its session holds its lock. Only its lease can end it.
    Alive,
    /// Nothing: it has no lock, or had it in another run of the server. Only its lease can end it.
    Unknown,
    /// The session that held its lock has ended.
    Free,
    /// It ended without retiring, and said so.
    GivenUp,
}

impl WorkerRow {
    pub(crate) fn reading(&self) -> WorkerReading<i32> {
        WorkerReading { worker: self.worker, heartbeat_number: self.heartbeat_number, lease: self.lease }
    }

    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        let sign = match (row.try_get("is_given_up")?, row.try_get("is_free")?) {
            (true, _) => Sign::GivenUp,
            (false, None) => Sign::Unknown,
            (false, Some(true)) => Sign::Free,
            (false, Some(false)) => Sign::Alive,
        };
        Ok(Self {
            worker: row.try_get("worker")?,
            worker_id: WorkerId::from_stored(row.try_get("worker_id")?),
            heartbeat_number: row.try_get("heartbeat_number")?,
            session_key: row.try_get("session_key")?,
            lease: Duration::from_millis(u64::try_from(row.try_get::<_, i64>("lease_ms")?).unwrap_or(0)),
            sign,
            is_extra: row.try_get("is_extra")?,
        })
    }
}

use longshore_core::WorkerId;

use crate::workers::reclaim::worker_row::WorkerRow;

/// A worker that is dead, or whose lease is over.
#[derive(Clone, Debug)]
pub(crate) struct LostWorker {
    pub(crate) worker: i32,
    pub(crate) worker_id: WorkerId,
    /// `None` if it is not registered but holds jobs.
    pub(crate) seen: Option<Seen>,
    pub(crate) loss: Loss,
}

/// What its row said when it was found lost. If it says anything else later, the worker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) heartbeat_number: i64,
    pub(crate) session_key: i64,
}

/// How a worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its process is certainly gone.
    Died,
    /// It did not extend its lease although it could have.
    Lapsed,
    /// It ended without retiring, in a process that lives on.
    GivenUp,
}

impl LostWorker {
    pub(crate) fn of(row: &WorkerRow, loss: Loss) -> Self {
        let seen = Seen { heartbeat_number: row.heartbeat_number, session_key: row.session_key };
        Self { worker: row.worker, worker_id: row.worker_id.clone(), seen: Some(seen), loss }
    }
}

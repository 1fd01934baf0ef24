use longshore_core::{Budgets, ClaimNumber, JobId, Timestamp, WorkerId};
use rusqlite::{Connection, params};

use crate::column;
use crate::workers::held::HeldLease;
use crate::workers::started::StartedTable;

/// A running job as its row tells of it, for a worker that cannot tell any more.
#[derive(Debug)]
pub(crate) struct HeldJob {
    pub(crate) id: JobId,
    pub(crate) lease: HeldLease,
    claimed_at: Option<Timestamp>,
    pub(crate) budgets: Budgets,
}

impl HeldJob {
    /// The jobs of a worker that follow `after`, by id.
    pub(crate) fn read(
        connection: &Connection,
        worker_id: &WorkerId,
        after: JobId,
        limit: u32,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(include_str!("../sql/select_held_of_worker.sql"))?
            .query_map(params![worker_id.as_str(), after.0, limit], |row| {
                Ok(Self {
                    id: column::id(row, 0)?,
                    lease: HeldLease {
                        claim_number: ClaimNumber(column::integer(row, 1)?),
                        queue: column::text(row, 2)?.into(),
                        ready_at: column::timestamp(row, 3)?,
                    },
                    claimed_at: column::optional_timestamp(row, 4)?,
                    budgets: Budgets {
                        retry_count: column::count(row, 5)?,
                        max_retries: column::count(row, 6)?,
                        crash_count: column::count(row, 7)?,
                        max_crashes: column::count(row, 8)?,
                        deferral_count: column::count(row, 9)?,
                        max_deferrals: column::count(row, 10)?,
                    },
                })
            })?
            .collect()
    }

    /// Which try it is, from one.
    pub(crate) fn attempt(&self) -> u32 {
        self.budgets.retry_count.saturating_add(1)
    }

    /// When the attempt began, if it did; the instant of its claim is the nearest that is known.
    pub(crate) fn begun_at(&self, started: &StartedTable) -> Option<Timestamp> {
        self.claimed_at.filter(|_| started.has_begun(self.id, self.lease.claim_number))
    }
}

use std::time::Duration;

use longshore_core::{Budgets, ClaimNumber, JobId, Lease, Overdue, Priority, Timestamp};
use tokio_postgres::Error;

use super::held::HasKey;
use super::lanes::Snapshot;
use super::overdue::Lane;
use crate::jobs::job_row::{MAX_CRASHES, MAX_DEFERRALS};
use crate::session::columns::Columns;
use crate::session::json_text::JsonText;

/// What a claim says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimHead {
    pub(super) now: Timestamp,
    /// None if the worker is not registered.
    pub(super) worker: Option<i32>,
    /// None if nothing was taken.
    pub(super) claim_number: Option<ClaimNumber>,
    /// When a job may become due that it could take.
    pub(super) next_due: Option<Timestamp>,
    /// Whether others took what it saw.
    pub(super) is_short: bool,
    /// The transactions that ran when it looked.
    pub(super) snapshot: Snapshot,
}

/// A job that a claim found.
#[derive(Debug)]
pub(super) struct FoundJob {
    pub(super) lease: Lease,
    pub(super) has_key: HasKey,
    /// Whether it is running already, so that it may be overdue.
    pub(super) is_held: bool,
    /// Whether it has a story, so that earlier attempts may have stored something, or it may have waited for others.
    pub(super) has_story: bool,
    rank: i32,
    again: bool,
}

impl ClaimHead {
    /// The first columns of a row; none in the row of a job that leaves them to a row before.
    pub(super) fn read(columns: &mut Columns<'_>) -> Result<Option<Self>, Error> {
        let Some(now) = columns.optional_instant()? else {
            columns.skip(Self::COLUMNS - 1);
            return Ok(None);
        };
        Ok(Some(Self {
            now,
            worker: columns.read()?,
            claim_number: columns.read::<Option<i64>>()?.map(ClaimNumber),
            next_due: columns.optional_instant()?,
            is_short: columns.read::<Option<bool>>()?.unwrap_or(false),
            snapshot: Snapshot { xmin: columns.read()?, xmax: columns.read()? },
        }))
    }

    const COLUMNS: usize = 7;
}

impl FoundJob {
    /// The columns from `id` to `is_held`; none in a row that is not of a job.
    pub(super) fn read(columns: &mut Columns<'_>, head: &ClaimHead) -> Result<Option<Self>, Error> {
        let Some(id) = columns.read::<Option<i64>>()?.map(JobId) else { return Ok(None) };
        let job_type = columns.read()?;
        let queue = columns.read()?;
        let priority = Priority(columns.read()?);
        let job_data = columns.read::<JsonText<'_>>()?.data();
        let (max_retries, max_crashes) = (columns.optional_count()?, columns.optional_count()?);
        let max_deferrals = columns.optional_count()?;
        let timeout = columns.read::<Option<i64>>()?.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        let time = columns.time_bounds()?;
        let metadata = columns.read::<Option<JsonText<'_>>>()?.map(JsonText::data);
        let ready_at = columns.instant()?;
        let ties: i32 = columns.read()?;
        let has_key = if ties & 1 == 0 { HasKey::No } else { HasKey::Yes };
        let retry_count = columns.optional_count()?;
        let mut budgets = Budgets {
            max_retries,
            max_crashes: max_crashes.unwrap_or(MAX_CRASHES),
            max_deferrals: max_deferrals.unwrap_or(MAX_DEFERRALS),
            retry_count: retry_count.unwrap_or(0),
            crash_count: columns.optional_count()?.unwrap_or(0),
            deferral_count: columns.optional_count()?.unwrap_or(0),
            time,
        };
        let lapsed_worker: Option<i32> = columns.read()?;
        if lapsed_worker.is_some() && lapsed_worker != head.worker {
            // As the statement does it.
            budgets.crash_count = budgets.crash_count.saturating_add(1);
        }
        let claim_number = head.claim_number.unwrap_or(ClaimNumber(0));
        let lease = Lease {
            id,
            claim_number,
            job_type,
            job_data,
            queue,
            priority,
            budgets,
            timeout,
            ready_at,
            metadata,
            checkpoint: None,
            step_count: 0,
            has_dependencies: ties & 2 != 0,
        };
        let (rank, again, is_held) = (columns.read()?, columns.read()?, columns.read()?);
        Ok(Some(Self { lease, has_key, is_held, has_story: retry_count.is_some(), rank, again }))
    }

    /// Why no attempt of it may begin at the instant of the claim, which has not taken it then.
    pub(super) fn overdue(&self, head: &ClaimHead) -> Option<Overdue> {
        self.lease.budgets.time.overdue_at(head.now)
    }

    /// Whether its id may be lower than those that were claimed before. So it is for one that runs already.
    pub(super) const fn comes_again(&self) -> bool {
        self.again || self.is_held
    }

    pub(super) fn is_in(&self, lane: &Lane) -> bool {
        let Lease { job_type, queue, .. } = &self.lease;
        self.rank == lane.rank && self.again == lane.again && *job_type == lane.job_type && *queue == lane.queue
    }

    pub(super) fn lane(&self) -> Lane {
        let Lease { job_type, queue, .. } = &self.lease;
        Lane { job_type: job_type.clone(), queue: queue.clone(), rank: self.rank, again: self.again }
    }
}

pub(crate) mod lost_worker;
pub(crate) mod take_over;
pub(crate) mod worker_row;
pub(crate) mod worker_search;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{JobId, Reclaimed, SearchRounds, WorkerReading, WorkerWatches};
use postgres_types::Type;

use crate::jobs::overdue::end_overdue;
use crate::jobs::type_settings::apply_settings;
use crate::jobs::unchecked::check_children;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::store::Parts;
use crate::workers::reclaim::lost_worker::LostWorker;
use crate::workers::reclaim::take_over::{End, TakeOver};
use crate::workers::reclaim::worker_search::{Found, WorkerSearch};
use crate::workflows::advance::advance_all;

/// How long a process waits between two looks, so that a death is seen within a second. The ring keeps the cost of many
/// processes small (see `rounds`), so that every process may look as often. No statement runs more often than that while
/// there is nothing to do.
const LOOK: Duration = Duration::from_secs(1);
/// The same while a lease seems to be over: what is written in steps must not wait for long between them.
const LOOK_AT_SUSPECTS: Duration = Duration::from_millis(250);
/// The same while more follows from the ends of jobs than one look settles.
const LOOK_ON: Duration = Duration::from_millis(20);

/// How many steps of one look give jobs the settings of their types.
const SETTINGS_STEPS: u32 = 1;

/// What this store knows of the workers of others.
#[derive(Debug, Default)]
pub(crate) struct Reclaim {
    watches: WorkerWatches<i32>,
    rounds: SearchRounds<i32>,
    /// When the running jobs were last looked through for unregistered workers.
    unregistered_at: Mutex<Option<Duration>>,
}

impl Reclaim {
    /// Whether the heartbeat of a worker of another store has not changed for a whole lease.
    pub(super) fn is_still(&self, read: &WorkerReading<i32>, now: Duration) -> bool {
        self.watches.observe(read, now)
    }

    fn is_time_for_unregistered(&self, now: Duration, every: Duration) -> bool {
        let mut last = self.unregistered_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| now.saturating_sub(last) >= every);
        if is_time {
            *last = Some(now);
        }
        is_time
    }
}

/// Finds lost workers and returns their jobs, in bounded steps.
pub(crate) async fn reclaim(parts: Arc<Parts>) -> Result<Reclaimed, Fault> {
    repeated(|| check_children(&parts)).await?;
    apply_settings(&parts, SETTINGS_STEPS).await?;
    let overdue = repeated(|| end_overdue(&parts)).await?;
    let Found { lost, suspects } = WorkerSearch::new(&parts).find().await?;
    let mut reclaimed = Reclaimed { overdue, next: LOOK, ..Reclaimed::default() };
    for worker in &lost {
        take_over(&parts, worker, &mut reclaimed).await?;
    }
    if !suspects.is_empty() {
        suspect(&parts, &suspects).await?;
        reclaimed.next = LOOK_AT_SUSPECTS;
    }
    // Last, because it may follow from what the others have ended.
    if advance_all(&parts).await? {
        reclaimed.next = LOOK_ON;
    }
    Ok(reclaimed)
}

async fn take_over(parts: &Parts, worker: &LostWorker, reclaimed: &mut Reclaimed) -> Result<(), Fault> {
    let watches = &parts.workers.reclaim.watches;
    let mut steps = TakeOver::new(worker);
    let mut next = Some(JobId(i64::MIN));
    let mut end = End::Elsewhere;
    while let Some(after) = next {
        // If nobody could write, the worker could not either.
        let taken = steps.step(parts, after).await.inspect_err(|_| watches.begin_anew(&worker.worker))?;
        reclaimed.jobs += taken.given_back.jobs;
        parts.claims.hints.give(taken.given_back.changes);
        (end, next) = (taken.end, taken.next);
    }
    match end {
        End::Gone => {
            watches.forget(&worker.worker);
            parts.claims.forget(&worker.worker_id);
            parts.limiting.places.forget(&worker.worker_id);
            parts.workers.told.forget(&worker.worker_id);
            reclaimed.workers.push(worker.worker_id.clone());
        }
        End::Stuck => watches.postpone(&worker.worker, parts.options.clock.monotonic()),
        End::Late => watches.begin_anew(&worker.worker),
        End::Elsewhere => {}
    }
    Ok(())
}

/// Gives workers whose lease seems to be over a chance: if this can be written, they could have written their heartbeat.
async fn suspect(parts: &Parts, suspects: &[WorkerReading<i32>]) -> Result<(), Fault> {
    let watches = &parts.workers.reclaim.watches;
    match write_suspicion(parts, suspects).await {
        Ok(written) => {
            let (written, others): (Vec<_>, Vec<_>) =
                suspects.iter().cloned().partition(|suspect| written.contains(&suspect.worker));
            watches.note(&written, Some(parts.options.clock.monotonic()));
            watches.note(&others, None);
            Ok(())
        }
        Err(fault) => {
            watches.note(suspects, None);
            Err(fault)
        }
    }
}

/// The workers that had still not extended their lease, and whose row was written.
async fn write_suspicion(parts: &Parts, suspects: &[WorkerReading<i32>]) -> Result<Vec<i32>, Fault> {
    let (workers, numbers): (Vec<i32>, Vec<i64>) =
        suspects.iter().map(|suspect| (suspect.worker, suspect.heartbeat_number)).unzip();
    let values = [(&workers as _, Type::INT4_ARRAY), (&numbers as _, Type::INT8_ARRAY)];
    let rows = parts.pool.session().await?.query(sql!("workers/suspect_workers"), &values).await?;
    Ok(rows.iter().map(|row| row.try_get("worker")).collect::<Result<_, _>>()?)
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    AppliedSchedules, ApplySchedules, Interest, ScheduleSource, SettleSchedules, SettledSchedules, SettledTick,
    StoreError, TickOutcome,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Schedule;
use crate::runtime::quiet;
use crate::schedule::{ScheduleError, applying, decided_by, definitions, planner};
use crate::worker::trouble::{Patience, StoreCall};
use crate::worker::worker_run::WorkerRun;

/// How long the scheduler sleeps if no schedule is due earlier and no wake-up comes, so that it finds the changes of
/// other processes. It only reads.
const LOOK: Duration = Duration::from_secs(2);
/// The minimum time between a step and the next one after a wake-up, so that a busy database is not read all the time.
const REST: Duration = Duration::from_millis(200);
/// How many schedules one transaction settles.
const STEP: u32 = 100;
/// How many reasons are kept so that each is logged once.
const TOLD_MAX: usize = 1000;

/// The schedules in the code or the configuration of a worker, which are applied once, when it starts.
#[derive(Debug, Default)]
pub(crate) struct CodeSchedules {
    /// What is still to be applied. One task at a time: the schedules must be known before anything is settled.
    pending: Mutex<Option<ApplySchedules>>,
    told: std::sync::Mutex<BTreeSet<(String, String)>>,
}

impl CodeSchedules {
    /// Checks the schedules.
    pub(crate) fn new(schedules: &[Schedule], source: ScheduleSource) -> Result<Self, ScheduleError> {
        let definitions = definitions(schedules)?;
        let pending = (!definitions.is_empty()).then(|| applying(definitions, source));
        Ok(Self { pending: Mutex::new(pending), told: std::sync::Mutex::default() })
    }

    /// Whether this is said for the first time.
    fn is_news(&self, schedule: &str, why: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert((schedule.to_owned(), why.to_owned()))
    }
}

/// Settles schedules when they are due. Every worker does: each tick is decided once, whoever comes first.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let mut wakeups = worker_run.queue.backend().wakeups(Interest::Schedules);
    let mut patience = Patience::default();
    loop {
        let asked_at = Instant::now();
        let pause = match step(&worker_run).await {
            Ok(settled) => {
                patience = Patience::default();
                if settled.has_more {
                    continue;
                }
                settled.next_due.map_or(LOOK, |due| due.min(LOOK))
            }
            Err(error) => {
                worker_run.meet(StoreCall::Schedule, error);
                sleep(patience.next(fastrand::f64())).await;
                continue;
            }
        };
        // The store said how long from its answer.
        let due_at = Instant::now() + pause;
        tokio::select! {
            () = sleep_until(due_at) => {}
            _ = wakeups.changed() => sleep_until(due_at.min(asked_at + REST)).await,
        }
    }
}

/// Settles all that is due now. Returns false if it failed.
pub(crate) async fn settle_due(worker_run: &WorkerRun) -> bool {
    loop {
        match step(worker_run).await {
            Ok(settled) if settled.has_more => {}
            Ok(_) => return true,
            Err(error) => {
                worker_run.meet(StoreCall::Schedule, error);
                return false;
            }
        }
    }
}

async fn step(worker_run: &WorkerRun) -> Result<SettledSchedules, StoreError> {
    apply(worker_run).await?;
    let settle = SettleSchedules { planner: planner(), decided_by: decided_by(), limit: STEP };
    let settled = worker_run.queue.backend().settle_schedules(settle).await?;
    worker_run.trouble.pass(StoreCall::Schedule);
    tell(worker_run, &settled);
    Ok(settled)
}

async fn apply(worker_run: &WorkerRun) -> Result<(), StoreError> {
    let mut pending = worker_run.schedules.pending.lock().await;
    let Some(apply) = pending.as_ref() else { return Ok(()) };
    let applied = match worker_run.queue.backend().apply_schedules(apply.clone()).await {
        // One of several databases could not do it. The store catches up there by itself, and says what it has done:
        // another try would undo what others have changed meanwhile.
        Err(StoreError::InDatabase { source, .. }) if source.is_passing() => AppliedSchedules::default(),
        applied => applied?,
    };
    *pending = None;
    if applied.has_changes() {
        let (added, changed) = (applied.added.join(", "), applied.changed.join(", "));
        quiet::info!(added, changed, "applied schedules");
    }
    Ok(())
}

fn tell(worker_run: &WorkerRun, settled: &SettledSchedules) {
    for (schedule, why) in &settled.unsettled {
        if worker_run.schedules.is_news(schedule, why) {
            quiet::warning!(schedule, why, "a schedule cannot be settled");
        }
    }
    for (schedule, why) in &settled.warnings {
        if worker_run.schedules.is_news(schedule, why) {
            quiet::warning!(schedule, why, "look at this schedule");
        }
    }
    for SettledTick { schedule, tick, job_id } in &settled.ticks {
        let (due_at, why, ticks) = (tick.due_at, &tick.why, tick.ticks);
        match tick.outcome {
            TickOutcome::Late => {
                let job_id = job_id.map(|id| id.0);
                quiet::warning!(schedule, due_at = %due_at, job_id, why, "a scheduled job is late");
            }
            TickOutcome::Missed => quiet::warning!(schedule, due_at = %due_at, ticks, why, "a schedule missed ticks"),
            outcome => quiet::debug!(schedule, due_at = %due_at, ticks, outcome = %outcome, why, "settled"),
        }
    }
}

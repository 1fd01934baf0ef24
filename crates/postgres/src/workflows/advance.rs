use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use longshore_core::Advanced;
use postgres_types::Type;
use tokio::time::sleep;

use super::batches::{Judged, judge};
use super::hint::{Hint, HintKind, put};
use super::pruning::BatchPruning;
use super::settle::{Settling, settle};
use super::sweep::WorkflowSweep;
use crate::jobs::claim::hints::Changes;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::stats::now;

/// How many hints one step takes.
const HINTS_MAX: i64 = 500;
/// How many steps the end of a job takes itself. The rest is left to whoever looks next.
const STEPS_AT_ONCE: u32 = 8;
/// How long a change by hand waits for what follows from it. What then is left is done by whoever looks next.
const FOLLOW_UP_MAX: Duration = Duration::from_secs(10);
/// The pause while another process takes a step.
const OTHERS_TURN: Duration = Duration::from_millis(50);

/// What this store knows of what is left to settle.
#[derive(Debug, Default)]
pub(crate) struct WorkflowSteps {
    /// The hints up to this one were taken. A lower one may be committed later, so only ends of jobs begin behind it: they
    /// need not read again the rows that a held snapshot keeps.
    taken_up_to: AtomicI64,
    pub(crate) sweep: WorkflowSweep,
    pub(crate) pruning: BatchPruning,
}

/// Whether to wait for another process that takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Wait,
    /// The other one goes on until nothing is left, so it does this, too.
    Try,
}

/// Takes a step for the contract.
pub(crate) async fn advance(parts: &Parts) -> Result<Advanced, Fault> {
    if !has_work(parts, 0).await? {
        return Ok(Advanced::default());
    }
    let Some(Stepped { moved, is_stalled, .. }) = step(parts, Turn::Wait, 0).await? else {
        return Ok(Advanced::default());
    };
    Ok(Advanced { moved, has_more: !is_stalled && has_work(parts, 0).await? })
}

/// Takes a few steps after jobs have ended or changed. An error is nobody's: whoever looks next goes on.
pub(crate) async fn advance_at_once(parts: &Parts) {
    let after = parts.workflows.taken_up_to.load(Ordering::Relaxed);
    let steps = async {
        for _ in 0..STEPS_AT_ONCE {
            if !has_work(parts, after).await? || !goes_on(step(parts, Turn::Try, after).await?) {
                break;
            }
        }
        Ok::<_, Fault>(())
    };
    if let Err(fault) = steps.await {
        tracing::debug!(reason = %fault.reason(), "what follows from the end of jobs is left to the next look");
    }
}

/// Takes steps until nothing is left to do, for a limited time, after a call that may have left much and whose process may
/// end next. An error is nobody's: the call itself is committed, and whoever looks next goes on.
pub(crate) async fn advance_to_end(parts: &Parts) {
    let begun = Instant::now();
    let steps = async {
        while begun.elapsed() < FOLLOW_UP_MAX && has_work(parts, 0).await? {
            // It keeps no connection while it waits for another one's step.
            match step(parts, Turn::Try, 0).await? {
                None => sleep(OTHERS_TURN).await,
                Some(stepped) if stepped.is_stalled || stepped.is_idle() => break,
                Some(_) => {}
            }
        }
        Ok::<_, Fault>(())
    };
    if let Err(fault) = steps.await {
        tracing::debug!(reason = %fault.reason(), "what follows from a change is left to the next look");
    }
}

/// Takes some steps if there is anything to do; says whether there is more.
pub(crate) async fn advance_all(parts: &Parts) -> Result<bool, Fault> {
    for _ in 0..STEPS_AT_ONCE {
        if !has_work(parts, 0).await? {
            return Ok(false);
        }
        if !goes_on(step(parts, Turn::Try, 0).await?) {
            return Ok(false);
        }
    }
    has_work(parts, 0).await
}

async fn has_work(parts: &Parts, after: i64) -> Result<bool, Fault> {
    let session = parts.pool.session().await?;
    let row = session.query_opt(sql!("workflows/look_for_work"), &[(&after, Type::INT8)]).await?;
    Ok(row.expect("a SELECT without FROM gives one row").try_get(0)?)
}

/// What one step has done.
#[derive(Debug, Default)]
struct Stepped {
    /// How many jobs and batches it moved.
    moved: u64,
    /// The number of the last hint that it took.
    last: Option<i64>,
    /// Whether all that it met is held by others, so that another step now would meet the same.
    is_stalled: bool,
    news: Changes,
}

impl Stepped {
    /// Whether it had nothing to do, though a look had found something, such as a timeout of a job that is gone.
    const fn is_idle(&self) -> bool {
        self.moved == 0 && self.last.is_none()
    }
}

/// Whether another step now may have something to do: this one was ours, and others held not all of it.
fn goes_on(stepped: Option<Stepped>) -> bool {
    stepped.is_some_and(|stepped| !stepped.is_stalled)
}

/// One step; none if it is another process's turn.
async fn step(parts: &Parts, turn: Turn, after: i64) -> Result<Option<Stepped>, Fault> {
    let Some(mut stepped) = repeated(|| attempt(parts, turn, after)).await? else { return Ok(None) };
    if let Some(last) = stepped.last {
        parts.workflows.taken_up_to.fetch_max(last, Ordering::Relaxed);
    }
    parts.claims.hints.give(std::mem::take(&mut stepped.news));
    Ok(Some(stepped))
}

async fn attempt(parts: &Parts, turn: Turn, after: i64) -> Result<Option<Stepped>, Fault> {
    let transaction = parts.pool.begin().await?;
    if !hold(&transaction, turn).await? {
        return Ok(None);
    }
    // After the wait, so that the look sees what the other process has left.
    let now = now(&transaction).await?;
    let (hints, last) = take(&transaction, after).await?;
    let of = |kind: HintKind| hints.iter().filter(move |hint| hint.kind == kind);
    let jobs: BTreeSet<i64> = of(HintKind::Job).filter(|hint| hint.after.is_none()).map(|hint| hint.target).collect();
    let batches: BTreeSet<i64> =
        of(HintKind::Batch).filter(|hint| hint.after.is_none()).map(|hint| hint.target).collect();
    let Judged { judged, told, postponed } = judge(&transaction, &jobs, &batches, now).await?;
    // What others hold at this moment is looked at again later.
    put(&transaction, &postponed).await?;
    // Who waits for a batch need only hear of its end.
    let is_told = |hint: &&Hint| match hint.kind {
        HintKind::Job | HintKind::Signal | HintKind::JobRevives | HintKind::BatchRevives => true,
        HintKind::Batch => hint.after.is_some(),
        HintKind::Waits => false,
    };
    let mut targets: Vec<Hint> = hints.iter().filter(is_told).copied().collect();
    targets.extend(told);
    targets.sort_unstable();
    targets.dedup();
    let waits: Vec<Hint> = of(HintKind::Waits).copied().collect();
    let settled = settle(&transaction, Settling { targets, waits, now }).await?;
    transaction.commit().await?;
    let moved = judged + settled.moved;
    let is_stalled = moved == 0 && !postponed.is_empty() && postponed.len() == hints.len();
    Ok(Some(Stepped { moved, last, is_stalled, news: settled.news }))
}

async fn hold(transaction: &Transaction, turn: Turn) -> Result<bool, Fault> {
    match turn {
        Turn::Wait => {
            transaction.execute(sql!("workflows/hold_turn"), &[]).await?;
            Ok(true)
        }
        Turn::Try => {
            let row = transaction.query_opt(sql!("workflows/try_to_hold_turn"), &[]).await?;
            Ok(row.expect("a SELECT without FROM gives one row").try_get(0)?)
        }
    }
}

/// The next hints, and the number of the last one.
async fn take(transaction: &Transaction, after: i64) -> Result<(Vec<Hint>, Option<i64>), Fault> {
    let parameters: [Parameter<'_>; 2] = [(&after, Type::INT8), (&HINTS_MAX, Type::INT8)];
    let (mut hints, mut last) = (Vec::new(), None);
    for row in transaction.query(sql!("workflows/take_unsettled"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        last = last.max(Some(columns.read::<i64>()?));
        // A kind that a newer program wrote is nothing that this one could do.
        let Some(kind) = HintKind::from_stored(columns.read()?) else { continue };
        hints.push(Hint { kind, target: columns.read()?, after: columns.read()? });
    }
    hints.sort_unstable();
    hints.dedup();
    Ok((hints, last))
}

pub(crate) mod delete;
mod edit;
pub(crate) mod retry;
pub(crate) mod step;

use std::collections::HashSet;
use std::sync::Arc;

use longshore_core::{Action, Actioned, Filter, JobId, Refusal, Selection};

use crate::jobs::reading::selected::{Order, Walk};
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::workflows::advance::advance_to_end;
pub(crate) use edit::edit;
use step::Step;

/// How many jobs one transaction changes.
const STEP_ROWS: usize = 1000;
/// How many refused jobs of a filter are reported one by one.
const REFUSED_MAX: usize = 100;

/// Changes the selected jobs, oldest first, in bounded transactions, then what follows from it in workflows. After an error
/// the earlier steps stay committed.
pub(crate) async fn act(parts: Arc<Parts>, selection: Selection, action: Action) -> Result<Actioned, Fault> {
    let actioned = match selection {
        Selection::Jobs(ids) => act_on_named(&parts, ids, action).await,
        Selection::Matching(filter) => act_on_matching(&parts, &filter, action).await,
    };
    if !matches!(action, Action::Reprioritise(_)) {
        advance_to_end(&parts).await;
    }
    actioned
}

/// Cancels jobs, which are in the order of their ids, in this transaction. Those that have ended stay as they are.
pub(crate) async fn cancel_in(transaction: &Transaction, ids: &[JobId], counts: &mut Counts) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    Step { filter: None, action: Action::Cancel }.change(transaction, ids, counts).await.map(drop)
}

async fn act_on_named(parts: &Parts, mut ids: Vec<JobId>, action: Action) -> Result<Actioned, Fault> {
    ids.sort_unstable();
    ids.dedup();
    let mut sum = Sum::default();
    for ids in ids.chunks(STEP_ROWS) {
        sum.add(Step { filter: None, action }.run(parts, sum.left(ids)).await?);
    }
    Ok(sum.actioned)
}

async fn act_on_matching(parts: &Parts, filter: &Filter, action: Action) -> Result<Actioned, Fault> {
    // Jobs that are enqueued from now on are not part of the selection.
    let Some(last) = last_id(parts).await? else { return Ok(Actioned::default()) };
    let mut walk = Walk::new(filter, Order::Oldest, None);
    let mut sum = Sum::default();
    loop {
        // No snapshot is held between the steps.
        let found = {
            let session = parts.pool.session().await?;
            walk.next(&session, STEP_ROWS).await?
        };
        let Some(mut ids) = found else { break };
        let is_last = ids.last().is_some_and(|id| *id > last);
        ids.retain(|id| *id <= last);
        sum.add(Step { filter: Some(filter), action }.run(parts, sum.left(&ids)).await?);
        sum.actioned.refused.truncate(REFUSED_MAX);
        if is_last {
            break;
        }
    }
    Ok(sum.actioned)
}

async fn last_id(parts: &Parts) -> Result<Option<JobId>, Fault> {
    let session = parts.pool.session().await?;
    let row = session.query_opt(sql!("actions/select_last_id"), &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(JobId))
}

/// The sum of the steps so far.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) actioned: Actioned,
    /// Children that were revived with a retried parent.
    revived: HashSet<JobId>,
}

impl Sum {
    /// A child that an earlier step revived with its parent is already in the right state.
    fn left(&self, ids: &[JobId]) -> Vec<JobId> {
        ids.iter().copied().filter(|id| !self.revived.contains(id)).collect()
    }

    fn add(&mut self, step: Self) {
        self.actioned.touched += step.actioned.touched;
        self.actioned.refused.extend(step.actioned.refused);
        self.revived.extend(step.revived);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.actioned.refused.push(refusal);
    }
}

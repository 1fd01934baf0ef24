use std::sync::Arc;

use longshore_core::{Action, BatchChange, BatchId, ChangeBatch, ChangedBatch, JobId, NewSignal, Status, StoreError};
use postgres_types::Type;

use super::advance::advance_to_end;
use super::hint::{Hint, put};
use crate::jobs::actions::step::Step;
use crate::jobs::reading::selected::statuses;
use crate::session::fault::Fault;
use crate::session::json_text::JsonText;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// How many members one step of a change visits.
const STEP_ROWS: usize = 500;

/// Changes a batch, or some of its members.
pub(super) async fn change_batch(parts: Arc<Parts>, request: ChangeBatch) -> Result<Option<ChangedBatch>, Fault> {
    let changed = match request.change {
        BatchChange::Close => repeated(|| close(&parts, request.id)).await?.then(ChangedBatch::default),
        BatchChange::Cancel => members(&parts, request, Action::Cancel).await?,
        BatchChange::Retry => members(&parts, request, Action::Retry).await?,
    };
    // Between two pages it would change what the next one meets.
    if changed.as_ref().is_none_or(|changed| changed.next.is_none()) {
        advance_to_end(&parts).await;
    }
    Ok(changed)
}

async fn close(parts: &Parts, id: BatchId) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    // Waits for those that add members.
    let is_known = transaction.query_opt(sql!("workflows/close_batch"), &[(&id.0, Type::INT8)]).await?.is_some();
    if is_known {
        put(&transaction, &[Hint::batch(id.0)]).await?;
    }
    transaction.commit().await?;
    Ok(is_known)
}

async fn members(parts: &Parts, request: ChangeBatch, action: Action) -> Result<Option<ChangedBatch>, Fault> {
    let (mut ids, statuses) = {
        let session = parts.pool.session().await?;
        if session.query_opt(sql!("workflows/has_batch"), &[(&request.id.0, Type::INT8)]).await?.is_none() {
            return Ok(None);
        }
        let ids = page(&session, &request).await?;
        let statuses = statuses(&session, ids.iter().copied()).await?;
        (ids, statuses)
    };
    let next = (ids.len() > STEP_ROWS).then(|| ids[STEP_ROWS - 1]);
    ids.truncate(STEP_ROWS);
    ids.retain(|id| {
        statuses.get(id).is_some_and(|status| match action {
            Action::Cancel => !status.is_ended(),
            _ => matches!(status, Status::DeadLetter | Status::Cancelled),
        })
    });
    ids.sort_unstable();
    let actioned = Step { filter: None, action }.run(parts, ids).await?.actioned;
    Ok(Some(ChangedBatch { actioned, next }))
}

/// The members that a step visits, and one more if there is one. Newest first to cancel them, so that none begins because
/// another one was cancelled.
async fn page(session: &Session, request: &ChangeBatch) -> Result<Vec<JobId>, Fault> {
    let limit = STEP_ROWS as i64 + 1;
    let is_cancel = request.change == BatchChange::Cancel;
    let from = request.after.map_or(if is_cancel { i64::MAX } else { i64::MIN }, |after| after.0);
    let parameters: [Parameter<'_>; 3] = [(&request.id.0, Type::INT8), (&from, Type::INT8), (&limit, Type::INT8)];
    let rows = match is_cancel {
        true => session.query(sql!("workflows/newest_members"), &parameters).await?,
        false => session.query(sql!("workflows/oldest_members"), &parameters).await?,
    };
    Ok(rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?)
}

/// Sends a signal to a batch; says whether it was the first of its name.
pub(super) async fn signal(parts: Arc<Parts>, signal: NewSignal) -> Result<Option<bool>, Fault> {
    signal.check(&parts.options.limits).map_err(StoreError::InvalidJob)?;
    let is_first = repeated(|| send(&parts, &signal)).await?;
    advance_to_end(&parts).await;
    Ok(is_first)
}

async fn send(parts: &Parts, signal: &NewSignal) -> Result<Option<bool>, Fault> {
    let NewSignal { batch, name, data } = signal;
    let transaction = parts.pool.begin().await?;
    if transaction.query_opt(sql!("workflows/has_batch"), &[(&batch.0, Type::INT8)]).await?.is_none() {
        return Ok(None);
    }
    let data = data.as_ref().map(JsonText::of);
    let parameters: [Parameter<'_>; 3] = [(&batch.0, Type::INT8), (name, Type::TEXT), (&data, Type::JSON)];
    let is_first = transaction.execute(sql!("workflows/insert_signal"), &parameters).await? == 1;
    if is_first {
        put(&transaction, &[Hint::signal(batch.0)]).await?;
    }
    transaction.commit().await?;
    Ok(Some(is_first))
}

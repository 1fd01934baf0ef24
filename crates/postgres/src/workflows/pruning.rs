use std::sync::{Mutex, PoisonError};

use longshore_core::{Retention, Timestamp};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::duties::Term;
use crate::upkeep::stats::now;

/// How many batches one step looks at, and how many signals it removes.
const ROWS_MAX: i64 = 1000;

/// Removes batches that ended long enough ago and of which no job is left, with their signals: some at each sweep.
#[derive(Debug, Default)]
pub(crate) struct BatchPruning {
    /// The last batch that was looked at; 0 at the beginning of a walk.
    after: Mutex<i64>,
}

/// What a step looks at.
#[derive(Debug, Default)]
struct Page {
    old: Vec<i64>,
    next: i64,
    is_full: bool,
}

impl BatchPruning {
    /// One bounded step. Returns whether another one may remove more. Only reads where nothing is to be removed.
    pub(crate) async fn step(&self, parts: &Parts, term: &Term, retention: Retention) -> Result<bool, Fault> {
        let Some(span) = retention.span() else { return Ok(false) };
        let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
        let (page, before) = {
            let session = parts.pool.session().await?;
            let before = now(&session).await?.before(span);
            (Page::read(&session, after, before).await?, before)
        };
        let is_cut = !page.old.is_empty() && remove(parts, term, &page.old, before).await?;
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = if is_cut { after } else { page.next };
        Ok(is_cut || page.is_full && !page.old.is_empty())
    }
}

impl Page {
    async fn read(session: &Session, after: i64, before: Timestamp) -> Result<Self, Fault> {
        let before = Instant(before);
        let parameters: [Parameter<'_>; 3] =
            [(&after, Type::INT8), (&ROWS_MAX, Type::INT8), (&before, Type::TIMESTAMPTZ)];
        let rows = session.query(sql!("workflows/select_old_batches"), &parameters).await?;
        let mut page = Self { is_full: rows.len() as i64 == ROWS_MAX, ..Self::default() };
        let (mut has_ended, mut has_old) = (false, false);
        for row in &rows {
            let (id, ended_before, is_alone): (i64, Option<bool>, bool) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            has_ended |= ended_before.is_some();
            has_old |= ended_before == Some(true);
            if ended_before == Some(true) && is_alone {
                page.old.push(id);
            }
            page.next = id;
        }
        // Those with higher ids ended later, by and large: where all have ended too late, the walk begins again.
        if !page.is_full || has_ended && !has_old {
            page.next = 0;
        }
        Ok(page)
    }
}

/// Returns whether something is left because there were too many signals.
async fn remove(parts: &Parts, term: &Term, old: &[i64], before: Timestamp) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    if !term.is_current(&transaction).await? {
        return Ok(false);
    }
    let before = Instant(before);
    let parameters: [Parameter<'_>; 2] = [(&old, Type::INT8_ARRAY), (&before, Type::TIMESTAMPTZ)];
    let rows = transaction.query(sql!("workflows/lock_old_batches"), &parameters).await?;
    let locked: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let parameters: [Parameter<'_>; 2] = [(&locked, Type::INT8_ARRAY), (&ROWS_MAX, Type::INT8)];
    let signals = transaction.execute(sql!("workflows/delete_signals"), &parameters).await?;
    transaction.execute(sql!("workflows/delete_batches"), &[(&locked, Type::INT8_ARRAY)]).await?;
    transaction.commit().await?;
    Ok(signals == ROWS_MAX.unsigned_abs())
}

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{MoveState, StoreError};

use super::check;
use super::opening::explain;
use crate::moving::fence;
use crate::options::PostgresOptions;
use crate::session::fault::Fault;
use crate::session::pool::Pool;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// How long a store may write before it compares the ledger again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Notices that a migration ran while the store is open. Another program may have changed the tables, and what this one
/// does with them then is unknown.
#[derive(Debug, Default)]
pub(crate) struct SchemaWatch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ledger when the schema was last judged. None for a store that never judged it.
    ledger: Option<String>,
    is_changed: bool,
    looked_at: Option<Instant>,
    /// The move that the database takes part in, at the last look.
    moving: Option<MoveState>,
}

impl SchemaWatch {
    /// The schema was found in order with this ledger.
    pub(crate) fn begin(&self, ledger: String) {
        self.judged(ledger, false);
    }

    /// An error while the schema is not one that this program supports.
    pub(crate) async fn check(&self, pool: &Pool, options: &PostgresOptions) -> Result<(), Fault> {
        if self.is_due() {
            self.look(pool, options).await?;
        }
        let is_changed = self.state.lock().unwrap_or_else(PoisonError::into_inner).is_changed;
        if is_changed { Err(StoreError::SchemaChanged { database: options.name().into() }.into()) } else { Ok(()) }
    }

    /// One of several requests at the same moment looks.
    fn is_due(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = state.ledger.is_some() && state.looked_at.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if is_due {
            state.looked_at = Some(Instant::now());
        }
        is_due
    }

    /// Compares the ledger with the known one, and judges the schema if it is another one.
    async fn look(&self, pool: &Pool, options: &PostgresOptions) -> Result<(), Fault> {
        let session = pool.session().await?;
        let (now, has_move) = read(&session).await?;
        let moving = if has_move { fence::state(&session).await? } else { None };
        drop(session);
        self.lock().moving = moving;
        if self.knows(&now) {
            return Ok(());
        }
        let options = options.clone();
        let judged = tokio::task::spawn_blocking(move || {
            check(&options).map_err(|problem| problem.into_store_error(|source| explain(source, &options)))
        });
        match judged.await {
            Ok(Ok(())) => self.judged(now, false),
            Ok(Err(StoreError::Schema { .. })) => self.judged(now, true),
            // It cannot be read now: the next look tries again.
            Ok(Err(_)) | Err(_) => {}
        }
        Ok(())
    }

    fn knows(&self, ledger: &str) -> bool {
        let state = self.lock();
        !state.is_changed && state.ledger.as_deref() == Some(ledger)
    }

    fn judged(&self, ledger: String, is_changed: bool) {
        let mut state = self.lock();
        (state.ledger, state.is_changed, state.looked_at) = (Some(ledger), is_changed, Some(Instant::now()));
    }

    /// The error of a claim while the queue moves or is elsewhere, by the last look. A claim that finds nothing meets no
    /// fence, and its worker must not wait for ever.
    pub(crate) fn refusal_of_claim(&self) -> Option<StoreError> {
        self.lock().moving.as_ref().and_then(MoveState::refusal)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue's rows of the ledger as one text. Empty without a ledger.
pub(crate) async fn ledger(pool: &Pool) -> Result<String, Fault> {
    Ok(read(&*pool.session().await?).await?.0)
}

/// The same, and whether the database knows of a move.
async fn read(session: &Session) -> Result<(String, bool), Fault> {
    match session.query_opt(sql!("database/select_ledger"), &[]).await.map_err(Fault::from) {
        Ok(Some(row)) => Ok((row.try_get(0)?, row.try_get(1)?)),
        Ok(None) => Ok((String::new(), false)),
        Err(fault) if fault.code().is_some_and(|code| code.code() == "42P01" || code.code() == "3F000") => {
            Ok((String::new(), false))
        }
        Err(fault) => Err(fault),
    }
}

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use longshore_core::{SessionLost, WorkerId, WorkerSession};
use postgres_types::Type;
use tokio::sync::watch;

use crate::session::fault::Fault;
use crate::session::pool::Pool;
use crate::session::sql::{Sql, sql};
use crate::session::standing::StandingSession;
use crate::store::Parts;
use crate::workers::own::OwnWorker;

/// How long one try to tell everybody of a loss may take.
const TRY_MAX: Duration = Duration::from_secs(5);
/// The pause after a try that failed; it doubles up to the longest one.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The session of one registration: an advisory lock of the standing connection shows that the worker lives.
pub(crate) struct PostgresSession {
    pub(crate) worker_id: WorkerId,
    pub(crate) session: u64,
    /// Its sender goes when a later session takes its place. `None` behind a pooler, where there is nothing to lose.
    pub(crate) is_lost: Option<watch::Receiver<Option<Arc<str>>>>,
    pub(crate) parts: Weak<Parts>,
}

impl WorkerSession for PostgresSession {
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>> {
        let is_lost = self.is_lost.clone();
        Box::pin(async move {
            if let Some(mut is_lost) = is_lost
                && let Ok(reason) = is_lost.wait_for(Option::is_some).await
                && let Some(reason) = reason.as_ref()
            {
                return SessionLost(format!("the connection that shows that it lives has ended: {reason}").into());
            }
            std::future::pending().await
        })
    }
}

impl Drop for PostgresSession {
    fn drop(&mut self) {
        let Some(parts) = self.parts.upgrade() else { return };
        let Some(worker) = parts.workers.own.remove_session(&self.worker_id, self.session) else { return };
        parts.workers.told.forget(&self.worker_id);
        parts.claims.forget(&self.worker_id);
        parts.limiting.places.forget(&self.worker_id);
        // Nobody sees the end of a worker whose session was lost: that is left to its lease.
        if !worker.is_lost() {
            parts.runtime.handle().spawn(give_up(parts.pool.clone(), worker));
        }
    }
}

impl fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSession").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}

/// Says that the worker ended, and only then releases its lock: without the word its jobs would be charged.
async fn give_up(pool: Pool, worker: OwnWorker) {
    let mut pause = PAUSE;
    while !write(&pool, sql!("workers/give_up_session"), worker.worker, worker.session_key).await {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits for the end of the connection that holds the worker's lock. Then its lease alone must decide: says so to
/// everybody, before others take a free lock for a death, and then to the worker.
pub(super) async fn guard(
    pool: Pool,
    standing: Arc<StandingSession>,
    (worker, session_key): (i32, i64),
    say_lost: watch::Sender<Option<Arc<str>>>,
) {
    let ended = standing.ended();
    drop(standing);
    let reason = ended.await;
    // No warning: the worker logs one when it learns of it.
    tracing::debug!(worker, %reason, "the connection that shows that a worker lives has ended");
    let mut pause = PAUSE;
    let mut is_written = write(&pool, sql!("workers/lose_session"), worker, session_key).await;
    say_lost.send_replace(Some(reason));
    while !is_written {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        is_written = write(&pool, sql!("workers/lose_session"), worker, session_key).await;
    }
    // The sender stays until a later session takes the place of this one.
    std::future::pending::<()>().await;
}

async fn write(pool: &Pool, sql: &'static Sql, worker: i32, session_key: i64) -> bool {
    let written = async {
        let session = pool.session().await?;
        session.execute(sql, &[(&worker, Type::INT4), (&session_key, Type::INT8)]).await?;
        Ok::<_, Fault>(())
    };
    match tokio::time::timeout(TRY_MAX, written).await {
        Ok(Ok(())) => true,
        Ok(Err(fault)) => {
            tracing::debug!(worker, reason = %fault.reason(), "could not write about the session of a worker");
            false
        }
        Err(_) => false,
    }
}

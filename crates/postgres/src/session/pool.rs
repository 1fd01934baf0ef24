use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::StoreError;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Config, Error, Row};

use super::fault::{ErrorContext, Fault};
use super::sql::in_schema;
use super::standing::{drive, in_words};
use super::statements::{BEGIN, Call, Session};
use crate::options::PostgresOptions;
use longshore_postgres_server::connect_with;

/// The settings of a connection. A plan that was made while a table was empty would keep its sequential scan. Without the
/// third one the server plans a statement with many arrays anew each time, which takes longer than a small claim.
const SETTINGS: &str = "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; \
                        SET default_transaction_isolation = 'read committed'";
/// What reads has conditions that may be left out, and its best plan depends on them.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto; \
                             LOCK TABLE ONLY longshore.job IN ACCESS SHARE MODE";

/// The connections for statements: made when they are needed, kept while the store is open.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: PostgresOptions,
    context: ErrorContext,
    handle: Handle,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    /// When a connection was last lost or could not be made, by the store's clock.
    last_loss: Mutex<Option<Duration>>,
}

impl Pool {
    pub(crate) fn new(options: PostgresOptions, context: ErrorContext, handle: Handle) -> Self {
        let permits = Arc::new(Semaphore::new(options.connections_max));
        Self {
            shared: Arc::new(Shared {
                options,
                context,
                handle,
                permits,
                idle: Mutex::default(),
                last_loss: Mutex::default(),
            }),
        }
    }

    /// A connection that nobody else uses. Waits until one is free.
    pub(crate) async fn session(&self) -> Result<PooledSession, StoreError> {
        let shared = &self.shared;
        let permit = Arc::clone(&shared.permits).acquire_owned().await.map_err(|_| shared.context.closed())?;
        let session = match shared.idle() {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(PooledSession { session: Some(session), shared: Arc::clone(shared), _permit: permit })
    }

    /// A connection in a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        let session = self.session().await?;
        let begun = session.client.batch_execute(BEGIN).await;
        begun.map_err(|error| self.shared.context.answer(Fault::Database(error), "beginning a transaction"))?;
        Ok(Transaction { session: Some(session) })
    }

    /// A connection in a transaction in which these statements have run, in one round trip, and the rows of each.
    pub(crate) async fn begin_with(&self, calls: &[Call<'_>]) -> Result<(Transaction, Vec<Vec<Row>>), Fault> {
        let session = self.session().await?;
        session.prepare_all(calls).await?;
        let transaction = Transaction { session: Some(session) };
        let answers = transaction.begin_with(calls).await?;
        Ok((transaction, answers))
    }

    /// A connection in a transaction that sees one state of the database and writes nothing. The lock comes before the
    /// snapshot: else a partition could be dropped between the two, and its jobs would be missing beside their counts.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, StoreError> {
        let session = self.session().await?;
        let begun = session.client.batch_execute(&in_schema(BEGIN_READING, session.schema())).await;
        begun.map_err(|error| self.shared.context.answer(Fault::Database(error), "beginning a transaction"))?;
        Ok(Transaction { session: Some(session) })
    }

    /// A connection beside those of the pool, which the caller keeps.
    pub(crate) async fn connect(&self) -> Result<Session, StoreError> {
        let (session, ..) = self.connect_with(|_| {}, |_| {}).await?;
        Ok(session)
    }

    /// The same with other settings, for a caller that hears its messages and of its end.
    pub(crate) async fn connect_with(
        &self,
        configure: impl Fn(&mut Config) + Sync,
        hear: impl FnMut(AsyncMessage) + Send + 'static,
    ) -> Result<(Session, watch::Receiver<Option<Arc<str>>>, AbortHandle), StoreError> {
        let Shared { options, context, handle, .. } = &*self.shared;
        let connected = connect_with(&options.url, &configure).await;
        let (client, connection) = connected.inspect_err(|_| self.shared.note_loss())?;
        let (say_ended, ended) = watch::channel(None);
        let shared = Arc::downgrade(&self.shared);
        let driver = handle.spawn(async move {
            let error = drive(connection, hear).await;
            if let Some(error) = &error {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
                shared.upgrade().inspect(|shared| shared.note_loss());
            }
            say_ended.send_replace(Some(in_words(error.as_ref())));
        });
        if !options.is_pooled {
            client.batch_execute(SETTINGS).await.map_err(|error| context.unreachable(&error))?;
        }
        let session = Session::new(client, Arc::clone(&options.schema), options.is_pooled);
        Ok((session, ended, driver.abort_handle()))
    }

    /// Whether a connection was lost, or could not be made, within this time. Others may have lost theirs, too.
    pub(crate) fn has_lost_within(&self, span: Duration) -> bool {
        let now = self.shared.options.clock.monotonic();
        self.shared.last_loss().is_some_and(|at| now.saturating_sub(at) <= span)
    }

    pub(crate) fn closed(&self) -> StoreError {
        self.shared.context.closed()
    }

    pub(crate) fn busy(&self) -> StoreError {
        self.shared.context.busy()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared.permits.is_closed()
    }

    pub(crate) fn close(&self) {
        self.shared.permits.close();
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    fn note_loss(&self) {
        *self.last_loss() = Some(self.options.clock.monotonic());
    }

    fn last_loss(&self) -> MutexGuard<'_, Option<Duration>> {
        self.last_loss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(session) = idle.pop() {
            if !session.client.is_closed() {
                return Some(session);
            }
        }
        None
    }

    fn keep(&self, session: Session) {
        if !session.client.is_closed() && !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

/// A connection of the pool; it goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct PooledSession {
    session: Option<Session>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for PooledSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("it is taken only when this is dropped")
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.shared.keep(session);
        }
    }
}

/// A connection in a transaction, which is rolled back unless it is committed.
#[derive(Debug)]
pub(crate) struct Transaction {
    session: Option<PooledSession>,
}

impl Transaction {
    /// After an error it is not known whether it was committed, if the connection was lost meanwhile.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let session = self.session.as_ref().expect("it is taken only here and when this is dropped");
        session.client.batch_execute("COMMIT").await?;
        self.session = None;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("it is taken only when this is dropped")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let handle = session.shared.handle.clone();
            handle.spawn(async move {
                if session.client.batch_execute("ROLLBACK").await.is_err() {
                    tracing::debug!("a connection ended before its transaction was rolled back");
                }
            });
        }
    }
}

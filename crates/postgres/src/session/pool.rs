use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{OutsideCause, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Config, Error, Row};

use super::fault::{ErrorContext, Fault};
use super::sql::{Sql, in_schema};
use super::standing::{drive, in_words};
use super::statements::{BEGIN, Call, Parameter, Session};
use crate::options::PostgresOptions;
use longshore_postgres_server::connect_with;

/// The settings of a connection, whatever its role has. A plan that was made while a table was empty would keep its
/// sequential scan. Without the third one the server plans a statement with many arrays anew each time, which takes longer
/// than a small claim. A session that waits for work is no idle one; older servers do not know such a limit.
const SETTINGS: &str = "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; \
    SET default_transaction_isolation = 'read committed'; \
    SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout' AND setting <> '0'";
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                             LOCK TABLE ONLY longshore.job IN ACCESS SHARE MODE";
/// What lists has conditions that may be left out, and its best plan depends on them.
const PLAN_ANEW: &str = "; SET LOCAL plan_cache_mode = auto";
/// How long to wait until this process gives a connection back, when the server gives no other one.
const SHARE_WAIT: Duration = Duration::from_secs(2);

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
    /// A connection is idle again.
    returned: Notify,
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
                returned: Notify::new(),
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
            None => self.connect_or_share().await?,
        };
        Ok(PooledSession { session: Some(session), shared: Arc::clone(shared), _permit: permit })
    }

    /// A new connection. If the server has none left, the next one that others of this pool give back.
    async fn connect_or_share(&self) -> Result<Session, StoreError> {
        let refused = match self.connect().await {
            Err(StoreError::Outside(cause @ OutsideCause::TooManyConnections { .. })) => cause,
            answer => return answer,
        };
        let shared = &self.shared;
        loop {
            let returned = shared.returned.notified();
            if let Some(session) = shared.idle() {
                return Ok(session);
            }
            let is_alone = shared.permits.available_permits() + 1 >= shared.options.connections_max;
            // Another caller may have taken the last one that came back, so each of them is a reason to wait on.
            if is_alone || timeout(SHARE_WAIT, returned).await.is_err() {
                return Err(refused.into());
            }
        }
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
        self.begin_with_lock(PLAN_ANEW).await
    }

    /// The same for statements that look up by id: planning one anew takes longer than all of its look-ups.
    pub(crate) async fn begin_looking_up(&self) -> Result<Transaction, StoreError> {
        self.begin_with_lock("").await
    }

    async fn begin_with_lock(&self, planning: &str) -> Result<Transaction, StoreError> {
        let session = self.session().await?;
        let begin = in_schema(BEGIN_READING, session.schema());
        let begun = session.client.batch_execute(&format!("{begin}{planning}")).await;
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
            if session.is_usable() {
                return Some(session);
            }
        }
        None
    }

    fn keep(&self, session: Session) {
        if session.is_usable() && !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            self.returned.notify_one();
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

/// A statement that is a transaction by itself has the isolation that the role has as its default. A session of ours sets
/// that; behind a pooler each statement says it.
impl PooledSession {
    /// Runs a statement and gives its rows.
    pub(crate) async fn query(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        self.committed(Session::query(self, sql, parameters)).await
    }

    /// Runs a statement that gives at most one row.
    pub(crate) async fn query_opt(
        &self,
        sql: &'static Sql,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Error> {
        self.committed(Session::query_opt(self, sql, parameters)).await
    }

    /// Runs a statement and gives the number of rows that it changed.
    pub(crate) async fn execute(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        self.committed(Session::execute(self, sql, parameters)).await
    }

    /// Runs statements one after the other in one round trip, each for itself.
    pub(crate) async fn pipeline(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        if self.shared.options.is_pooled {
            return self.pipeline_committed(calls).await;
        }
        Session::pipeline(self, calls).await
    }

    async fn committed<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if !self.shared.options.is_pooled {
            return statement.await;
        }
        // Sent together, in this order.
        let (begun, answer, committed) =
            tokio::join!(biased; self.client.batch_execute(BEGIN), statement, self.client.batch_execute("COMMIT"));
        begun?;
        let answer = answer?;
        committed.map(|()| answer)
    }
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

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_core::StoreError;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Error, NoTls, Row};

use super::fault::{ErrorContext, Fault};
use super::statements::{BEGIN, Call, Session};
use crate::options::PostgresOptions;

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
}

impl Pool {
    pub(crate) fn new(options: PostgresOptions, context: ErrorContext, handle: Handle) -> Self {
        let permits = Arc::new(Semaphore::new(options.connections_max));
        Self { shared: Arc::new(Shared { options, context, handle, permits, idle: Mutex::default() }) }
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

    /// A connection in a transaction that sees one state of the database and writes nothing.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, StoreError> {
        let session = self.session().await?;
        let begun = session.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        begun.map_err(|error| self.shared.context.answer(Fault::Database(error), "beginning a transaction"))?;
        Ok(Transaction { session: Some(session) })
    }

    /// A connection beside those of the pool, which the caller keeps.
    pub(crate) async fn connect(&self) -> Result<Session, StoreError> {
        let Shared { options, context, handle, .. } = &*self.shared;
        let connected = options.config.connect(NoTls).await;
        let (client, connection) = connected.map_err(|error| context.unreachable(error))?;
        handle.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
            }
        });
        if !options.is_pooled {
            // A plan that was made while a table was empty would keep its sequential scan.
            let settings =
                "SET enable_seqscan = off; SET default_transaction_isolation = 'read committed'; SET jit = off";
            client.batch_execute(settings).await.map_err(|error| context.unreachable(error))?;
        }
        Ok(Session::new(client, Arc::clone(&options.schema), options.is_pooled))
    }

    pub(crate) fn close(&self) {
        self.shared.permits.close();
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
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

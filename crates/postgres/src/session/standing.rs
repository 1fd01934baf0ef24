use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres_types::Type;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Notification};

use super::fault::Fault;
use super::pool::Pool;
use super::sql::sql;
use super::statements::Session;
use longshore_postgres_server::ConnectionTask;

/// How many notifications wait for a slow listener before it misses some.
const NOTIFICATIONS_MAX: usize = 1024;
/// A network that forgets idle connections would look like the death of every worker. These also find out soon that
/// the server is gone.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 4;

/// The one connection of a store that stands as long as the store: it holds the locks that show that the store's
/// workers live, and listens. It is made when it is needed first, and again when it is needed after it has ended.
/// Behind a pooler there is none.
#[derive(Debug)]
pub(crate) struct Standing {
    pool: Pool,
    handle: Handle,
    current: Mutex<Option<Arc<StandingSession>>>,
    /// Held while the connection is made, so that it is made once.
    connecting: tokio::sync::Mutex<()>,
    is_closed: AtomicBool,
    notifications: broadcast::Sender<Notification>,
}

/// One such connection, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct StandingSession {
    pub(crate) session: Session,
    /// Which run of the server's shared memory its locks belong to.
    run: i64,
    /// Why it has ended. Its sender goes without a word when the store is closed.
    ended: watch::Receiver<Option<Arc<str>>>,
    driver: AbortHandle,
}

impl Standing {
    pub(crate) fn new(pool: Pool, handle: Handle) -> Self {
        let notifications = broadcast::Sender::new(NOTIFICATIONS_MAX);
        let (current, connecting) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { pool, handle, current, connecting, is_closed: AtomicBool::new(false), notifications }
    }

    /// What the connection hears, from now on. Nothing tells a listener that it has to LISTEN again on a new one, but
    /// [`StandingSession::ended`].
    pub(crate) fn notifications(&self) -> broadcast::Receiver<Notification> {
        self.notifications.subscribe()
    }

    /// The connection; a new one if there is none or it has ended.
    pub(crate) async fn session(&self) -> Result<Arc<StandingSession>, Fault> {
        let _turn = self.connecting.lock().await;
        if let Some(session) = self.current().as_ref().filter(|session| session.is_up()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.connect().await?);
        let mut current = self.current();
        if self.is_closed.load(Ordering::Acquire) {
            session.driver.abort();
            return Err(self.pool.closed().into());
        }
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Takes an advisory lock and holds it until it is dropped or the connection ends.
    pub(crate) async fn hold(&self, key: i64) -> Result<HeldLock, Fault> {
        let mut standing = self.session().await?;
        let mut rows = standing.lock(key).await;
        if rows.is_err() && !standing.is_up() {
            // It had ended, and only the statement has noticed. A lock goes with its connection, so none is held twice.
            standing = self.session().await?;
            rows = standing.lock(key).await;
        }
        let rows = rows?;
        let is_held: bool = rows.first().map_or(Ok(false), |row| row.try_get("is_held"))?;
        if !is_held {
            // One in 2^63: somebody else's lock has the same random key.
            return Err(self.pool.busy().into());
        }
        Ok(HeldLock { key, standing, handle: self.handle.clone() })
    }

    /// Ends the connection, and with it the locks.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        if let Some(session) = self.current().take() {
            session.driver.abort();
        }
    }

    async fn connect(&self) -> Result<StandingSession, Fault> {
        let keepalive = |config: &mut tokio_postgres::Config| {
            config.keepalives(true).keepalives_idle(KEEPALIVE_IDLE);
            config.keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(KEEPALIVE_RETRIES);
        };
        let notifications = self.notifications.clone();
        let hear = move |message| {
            if let AsyncMessage::Notification(notification) = message {
                // Nobody need listen.
                drop(notifications.send(notification));
            }
        };
        let (session, ended, driver) = self.pool.connect_with(keepalive, hear).await?;
        let run = self.run_of_server(&session).await.inspect_err(|_| driver.abort())?;
        Ok(StandingSession { session, run, ended, driver })
    }

    /// The number of the server's run. The first one to ask in a run draws it. This connection stands from before the
    /// answer until its locks are gone, so that all of them belong to that run.
    async fn run_of_server(&self, session: &Session) -> Result<i64, Fault> {
        loop {
            if let Some(row) = session.query_opt(sql!("workers/select_server_run"), &[]).await? {
                return Ok(row.try_get("run")?);
            }
            session.execute(sql!("workers/delete_server_runs"), &[]).await?;
            session.execute(sql!("workers/insert_server_run"), &[(&fastrand::i64(..), Type::INT8)]).await?;
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<StandingSession>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandingSession {
    async fn lock(&self, key: i64) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        self.session.query(sql!("workers/lock_session"), &[(&key, Type::INT8)]).await
    }

    fn is_up(&self) -> bool {
        self.ended.borrow().is_none() && !self.session.client.is_closed()
    }

    /// Resolves when it has ended although the store was not closed; says why. Cancellation safe.
    pub(crate) fn ended(&self) -> impl Future<Output = Arc<str>> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            if let Ok(reason) = ended.wait_for(Option::is_some).await
                && let Some(reason) = reason.as_ref()
            {
                return Arc::clone(reason);
            }
            std::future::pending().await
        }
    }
}

/// An advisory lock that the standing connection holds.
#[derive(Debug)]
pub(crate) struct HeldLock {
    pub(crate) key: i64,
    pub(crate) standing: Arc<StandingSession>,
    handle: Handle,
}

impl HeldLock {
    /// The run of the server in which it was taken.
    pub(crate) fn run(&self) -> i64 {
        self.standing.run
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let (key, standing) = (self.key, Arc::clone(&self.standing));
        self.handle.spawn(async move {
            if let Err(error) = standing.session.query(sql!("workers/unlock_session"), &[(&key, Type::INT8)]).await {
                tracing::debug!(%error, "a connection ended with the lock that it was to release");
            }
        });
    }
}

/// Runs a connection until it ends; says why, unless its client was dropped.
pub(super) async fn drive(
    mut connection: ConnectionTask,
    mut hear: impl FnMut(AsyncMessage) + Send,
) -> Option<tokio_postgres::Error> {
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await? {
            Ok(message) => hear(message),
            Err(error) => return Some(error),
        }
    }
}

/// A connection was lost, in words for the log.
pub(super) fn in_words(error: Option<&tokio_postgres::Error>) -> Arc<str> {
    error.map_or_else(
        || "the server closed the connection".into(),
        |error| longshore_postgres_server::in_words(error).into(),
    )
}

//! One connection on a thread of its own, so that it can be used from inside and from outside of any runtime.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    mem::replace,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use longshore_migrate::OutsideCause;
use longshore_postgres_server::{PostgresUrl, connect_with};
use tokio::{runtime::Builder, sync::mpsc, task::LocalSet, time::timeout};
use tokio_postgres::{
    Client, Error, Row, SimpleQueryMessage, Statement,
    types::{ToSql, Type},
};

use crate::options::PostgresTargetOptions;

/// How long a connection may take if its options do not say.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long the end of a connection may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A session that waits for another one is no idle one, and the lock of a run is one long transaction. Older servers know
/// one of these limits or none.
pub(crate) const LASTING: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name IN ('idle_session_timeout', 'transaction_timeout') AND setting <> '0'";

type Work = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce(Rc<Session>) -> Work + Send>;

/// A third of the time of a look goes into planning, and what is read of the catalog has the same plan for all values.
const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan";

/// What a session begins with. Behind a pooler it is not ours alone.
fn at_begin(options: &PostgresTargetOptions) -> impl Iterator<Item = &'static str> {
    let lasting = (!options.is_pooled).then_some(LASTING);
    lasting.into_iter().chain(options.prepares().then_some(PLAN_ONCE))
}

/// Why a statement got no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection is gone.
    Gone,
    /// There is no connection, and why.
    Outside(OutsideCause),
    /// What the driver or the server said.
    Database(Error),
}

impl Fault {
    /// The code of the server's error.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Database(error) => error.code().map_or("", |code| code.code()),
            Self::Gone | Self::Outside(_) => "",
        }
    }
}

/// A value that a statement is given.
#[derive(Debug, Clone)]
pub(crate) enum Param {
    Text(Option<String>),
    Integer(Option<i64>),
    Truth(bool),
    Texts(Option<Vec<String>>),
    Oids(Vec<u32>),
}

impl Param {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    fn bound(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Integer(number) => (number, Type::INT8),
            Self::Truth(truth) => (truth, Type::BOOL),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
            Self::Oids(oids) => (oids, Type::OID_ARRAY),
        }
    }
}

/// A statement with its values.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
    /// Whether it reads the catalog alone, so that its plan and its columns stay as they are.
    is_of_catalog: bool,
}

impl Query {
    pub(crate) fn new(sql: impl Into<String>, params: Vec<Param>) -> Self {
        Self { sql: sql.into(), params, is_of_catalog: false }
    }

    /// A query that is planned once in a session that is kept.
    pub(crate) fn of_catalog(sql: &'static str, params: Vec<Param>) -> Self {
        Self { is_of_catalog: true, ..Self::new(sql, params) }
    }
}

/// A session of the driver.
struct Session {
    client: Client,
    /// Statements that the server has planned; `None` for a session that is not kept for the next look.
    prepared: Option<RefCell<HashMap<String, Statement>>>,
}

impl Session {
    async fn query(&self, query: &Query) -> Result<Vec<Row>, Error> {
        let bound: Vec<_> = query.params.iter().map(Param::bound).collect();
        let Some(statement) = self.prepared(query, &bound).await? else {
            return self.client.query_typed(&query.sql, &bound).await;
        };
        let values: Vec<_> = bound.into_iter().map(|(value, _)| value).collect();
        self.client.query(&statement, &values).await
    }

    async fn prepared(&self, query: &Query, bound: &[(&(dyn ToSql + Sync), Type)]) -> Result<Option<Statement>, Error> {
        let Some(prepared) = self.prepared.as_ref().filter(|_| query.is_of_catalog) else { return Ok(None) };
        if let Some(statement) = prepared.borrow().get(&query.sql) {
            return Ok(Some(statement.clone()));
        }
        let types: Vec<Type> = bound.iter().map(|(_, of_type)| of_type.clone()).collect();
        let statement = self.client.prepare_typed(&query.sql, &types).await?;
        prepared.borrow_mut().insert(query.sql.clone(), statement.clone());
        Ok(Some(statement))
    }
}

/// A connection that targets reuse, one at a time. It closes after an idle minute.
#[derive(Clone, Default)]
pub struct KeptConnection {
    free: Arc<Mutex<Option<Arc<Wire>>>>,
}

impl KeptConnection {
    const IDLE_MAX: Duration = Duration::from_secs(60);
    /// An older session is replaced, because what a role or a database sets concerns new sessions alone.
    const AGE_MAX: Duration = Duration::from_secs(600);

    /// The connection, if nobody uses it and the server still answers; else a new one.
    pub(crate) fn take(&self, options: &PostgresTargetOptions) -> Result<Arc<Wire>, Fault> {
        let free = self.swap(None);
        match free.filter(|wire| wire.opened_at.elapsed() < Self::AGE_MAX && wire.is_renewed(options)) {
            Some(wire) => {
                wire.is_free.store(false, Ordering::Relaxed);
                Ok(wire)
            }
            None => Ok(Arc::new(Wire::open(options)?)),
        }
    }

    pub(crate) fn put(&self, wire: Arc<Wire>) {
        wire.is_free.store(true, Ordering::Relaxed);
        drop(self.swap(Some(wire)));
    }

    fn swap(&self, wire: Option<Arc<Wire>>) -> Option<Arc<Wire>> {
        replace(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner), wire)
    }
}

impl fmt::Debug for KeptConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptConnection").finish_non_exhaustive()
    }
}

/// One connection. Dropping it ends the session.
pub(crate) struct Wire {
    opened_at: Instant,
    /// Whether it is kept for the next target.
    is_free: Arc<AtomicBool>,
    jobs: Option<mpsc::UnboundedSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn open(options: &PostgresTargetOptions) -> Result<Self, Fault> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (opened, answer) = std_mpsc::sync_channel(1);
        // The options would keep the connection from within.
        let beginning = Beginning {
            url: options.url.clone(),
            statements: at_begin(options).collect(),
            prepared: options.prepares().then(RefCell::default),
        };
        let (opened_at, is_free) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let is_free_there = Arc::clone(&is_free);
        let spawned = thread::Builder::new().name("longshore-migrate".to_owned()).spawn(move || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
            LocalSet::new().block_on(&runtime, serve(beginning, inbox, is_free_there, opened));
        });
        let thread = spawned.map_err(|_| Fault::Gone)?;
        answer.recv().map_err(|_| Fault::Gone)??;
        Ok(Self { opened_at, is_free, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs statements that give nothing.
    pub(crate) fn batch(&self, sql: impl Into<String>) -> Result<(), Fault> {
        let sql = sql.into();
        self.ask(move |session| async move { session.client.batch_execute(&sql).await })
    }

    /// Runs statements one after the other in one round trip, each by itself: what one of them meets does not keep the
    /// others from being sent.
    pub(crate) fn row(&self, statements: Vec<String>) -> Vec<Result<Vec<SimpleQueryMessage>, Fault>> {
        let count = statements.len();
        let answered = self.ask(move |session| async move {
            Ok(all(statements.iter().map(|sql| session.client.simple_query(sql)).collect()).await)
        });
        match answered {
            Ok(answers) => answers.into_iter().map(|answer| answer.map_err(Fault::Database)).collect(),
            Err(_) => (0..count).map(|_| Err(Fault::Gone)).collect(),
        }
    }

    /// Runs one statement and gives what it says as text.
    pub(crate) fn simple(&self, sql: impl Into<String>) -> Result<Vec<SimpleQueryMessage>, Fault> {
        let sql = sql.into();
        self.ask(move |session| async move { session.client.simple_query(&sql).await })
    }

    /// Runs one query with values.
    pub(crate) fn query(&self, query: Query) -> Result<Vec<Row>, Fault> {
        self.ask(move |session| async move { session.query(&query).await })
    }

    /// Runs queries in one round trip.
    pub(crate) fn queries(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, Fault> {
        self.ask(move |session| async move {
            all(queries.iter().map(|query| session.query(query)).collect()).await.into_iter().collect()
        })
    }

    /// The types of what a query gives, in the words of the server.
    pub(crate) fn types(&self, sql: impl Into<String>) -> Result<Vec<Type>, Fault> {
        let sql = sql.into();
        self.ask(move |session| async move {
            let prepared = session.client.prepare(&sql).await?;
            Ok(prepared.columns().iter().map(|column| column.type_().clone()).collect())
        })
    }

    /// Whether the session is there and as it was when it was opened.
    fn is_renewed(&self, options: &PostgresTargetOptions) -> bool {
        // BEGIN first: without a transaction, ROLLBACK would leave a warning in the log of the server.
        let mut renewal = ["BEGIN; ROLLBACK", "RESET ALL"].into_iter().chain(at_begin(options));
        renewal.all(|statements| self.batch(statements).is_ok())
    }

    /// Whether the session is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.batch("").is_ok()
    }

    /// Blocks until the thread of the connection has the answer.
    fn ask<T, F, A>(&self, job: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(Rc<Session>) -> A + Send + 'static,
        A: Future<Output = Result<T, Error>> + 'static,
    {
        let (sender, answer) = std_mpsc::sync_channel(1);
        let job: Job = Box::new(move |session| {
            Box::pin(async move {
                // Whoever asked waits until it is answered.
                let _ = sender.send(job(session).await);
            })
        });
        let jobs = self.jobs.as_ref().ok_or(Fault::Gone)?;
        jobs.send(job).map_err(|_| Fault::Gone)?;
        answer.recv().map_err(|_| Fault::Gone)?.map_err(Fault::Database)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported, and there is nothing left to do.
            let _ = thread.join();
        }
    }
}

/// What the thread of a connection begins with.
struct Beginning {
    url: PostgresUrl,
    statements: Vec<&'static str>,
    prepared: Option<RefCell<HashMap<String, Statement>>>,
}

async fn serve(
    beginning: Beginning,
    mut inbox: mpsc::UnboundedReceiver<Job>,
    is_free: Arc<AtomicBool>,
    opened: std_mpsc::SyncSender<Result<(), Fault>>,
) {
    let Beginning { url, statements, prepared } = beginning;
    let connected = connect_with(&url, &|config| {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WAIT);
        }
        if config.get_application_name().is_none_or(|name| name == "longshore") {
            config.application_name("longshore migrate");
        }
    });
    let (client, connection) = match connected.await {
        Ok(connected) => connected,
        Err(cause) => {
            _ = opened.send(Err(Fault::Outside(cause)));
            return;
        }
    };
    let driver = tokio::task::spawn_local(connection);
    for statement in statements {
        if let Err(error) = client.batch_execute(statement).await {
            _ = opened.send(Err(Fault::Database(error)));
            return;
        }
    }
    let session = Rc::new(Session { client, prepared });
    _ = opened.send(Ok(()));
    loop {
        match timeout(KeptConnection::IDLE_MAX, inbox.recv()).await {
            Ok(Some(job)) => job(Rc::clone(&session)).await,
            Err(_) if !is_free.load(Ordering::Relaxed) => {}
            Ok(None) | Err(_) => break,
        }
    }
    drop(session);
    // The server hears that the session ends; one that does not answer is left.
    let _ = timeout(CLOSE_WAIT, driver).await;
}

/// Polls all of them in their order, so that the first poll of each sends its statement before that of the next.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (future, answer) in waiting.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *answer = Some(output);
            }
        }
        if answers.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(answers.iter_mut().filter_map(Option::take).collect())
    })
    .await
}

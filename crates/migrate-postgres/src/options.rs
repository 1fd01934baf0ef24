//! How to reach the database, and which of its schemas is the queue's.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio_postgres::{Client, Config, Error, NoTls, Socket, config::Host, tls::MakeTlsConnect, tls::TlsConnect};

/// A client with what drives its connection.
pub struct Connected {
    /// The client.
    pub client: Client,
    /// Runs until the connection ends; it is polled on the target's own thread.
    pub connection: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
}

/// A connection that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Connected, Error>> + Send>>;

/// Makes a connection; [`connector`] is one for any TLS library.
pub type Connector = Arc<dyn Fn(Config) -> Connecting + Send + Sync>;

/// A [`Connector`] with that TLS.
pub fn connector<T>(tls: T) -> Connector
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    Arc::new(move |config: Config| {
        let tls = tls.clone();
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            Ok(Connected { client, connection: Box::pin(connection) })
        })
    })
}

/// What a target is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// To look: every write is an error.
    Inspect,
    /// To write.
    #[default]
    Write,
}

/// How to open a [`PostgresTarget`](crate::PostgresTarget).
#[derive(Clone)]
pub struct PostgresTargetOptions {
    pub(crate) config: Config,
    pub(crate) connector: Connector,
    pub(crate) schema: Arc<str>,
    pub(crate) is_pooled: bool,
    pub(crate) access: Access,
    pub(crate) lock_timeout: Duration,
    pub(crate) lock_attempts: u32,
}

impl PostgresTargetOptions {
    /// The database that `config` names, without TLS.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            connector: connector(NoTls),
            schema: "longshore".into(),
            is_pooled: false,
            access: Access::Write,
            lock_timeout: Duration::from_secs(3),
            lock_attempts: 10,
        }
    }

    /// How a connection is made. Default: without TLS.
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connector = connector;
        self
    }

    /// The schema of the queue's tables, in which the queue's ledger is. Default: `longshore`.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Whether a pooler stands before the server that may give each transaction another session. Default: no.
    #[must_use]
    pub fn pooled(mut self, is_pooled: bool) -> Self {
        self.is_pooled = is_pooled;
        self
    }

    /// What it is opened for. Default: to write.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// How long a statement of a migration waits for a lock before it gives up, with its transaction. Everybody who
    /// wants the table waits behind it meanwhile. Default: 3 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// How often such a transaction is tried, with growing pauses. Default: 10.
    #[must_use]
    pub fn lock_attempts(mut self, attempts: u32) -> Self {
        self.lock_attempts = attempts.max(1);
        self
    }

    /// The server and the database, without credentials.
    pub(crate) fn name(&self) -> Arc<str> {
        let config = &self.config;
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
        format!("postgres://{host}:{port}/{database}").into()
    }
}

impl fmt::Debug for PostgresTargetOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTargetOptions")
            .field("database", &self.name())
            .field("schema", &self.schema)
            .field("is_pooled", &self.is_pooled)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

use std::fmt;
use std::sync::Arc;

use longshore_core::{Clock, Limits, SystemClock};

use longshore_postgres_server::{Pooling, PostgresUrl};

/// How to open a [`PostgresStore`](crate::PostgresStore).
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) url: PostgresUrl,
    pub(crate) schema: Arc<str>,
    pub(crate) is_pooled: bool,
    pub(crate) connections_max: usize,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
}

impl PostgresOptions {
    /// The database and the schema that a URL names.
    pub fn new(url: impl Into<PostgresUrl>) -> Self {
        let url = url.into();
        Self {
            schema: Arc::clone(url.schema()),
            is_pooled: url.pooling() == Pooling::Pooled,
            url,
            connections_max: 4,
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Whether a pooler stands before the server that may give each transaction another session, such as PgBouncer with
    /// `pool_mode = transaction`. Then nothing is kept in a session: no named statement, no lock, no LISTEN. Default:
    /// no.
    #[must_use]
    pub fn pooled(mut self, is_pooled: bool) -> Self {
        self.is_pooled = is_pooled;
        self
    }

    /// The maximum number of connections for statements. One more listens and holds the locks of workers. Default: 4.
    #[must_use]
    pub fn connections_max(mut self, connections_max: usize) -> Self {
        self.connections_max = connections_max.max(1);
        self
    }

    /// The limits of a job.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The clock by which this process measures how long a worker was silent. The time of day is the server's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The server and the database, without credentials.
    pub(crate) fn name(&self) -> String {
        self.url.name()
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("database", &self.name())
            .field("schema", &self.schema)
            .field("is_pooled", &self.is_pooled)
            .finish_non_exhaustive()
    }
}

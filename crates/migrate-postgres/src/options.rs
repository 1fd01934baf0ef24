//! How to reach the database, and which of its schemas is the queue's.

use std::{fmt, sync::Arc, time::Duration};

use longshore_postgres_server::{Pooling, PostgresUrl};

use crate::wire::KeptConnection;

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
    pub(crate) url: PostgresUrl,
    pub(crate) schema: Arc<str>,
    pub(crate) is_pooled: bool,
    pub(crate) access: Access,
    pub(crate) lock_timeout: Duration,
    pub(crate) lock_attempts: u32,
    pub(crate) kept: Option<KeptConnection>,
}

impl PostgresTargetOptions {
    /// The database and the queue's schema that a URL names.
    pub fn new(url: impl Into<PostgresUrl>) -> Self {
        let url = url.into();
        Self {
            schema: Arc::clone(url.schema()),
            is_pooled: url.pooling() == Pooling::Pooled,
            url,
            access: Access::Write,
            lock_timeout: Duration::from_secs(3),
            lock_attempts: 10,
            kept: None,
        }
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

    /// A connection to look over, which is left for the next target. Only for [`Access::Inspect`], and only for targets
    /// of the same database. Default: each target has its own.
    #[must_use]
    pub fn keep(mut self, kept: &KeptConnection) -> Self {
        self.kept = Some(kept.clone());
        self
    }

    /// The connection that is kept, of a target that only looks.
    pub(crate) fn kept(&self) -> Option<&KeptConnection> {
        self.kept.as_ref().filter(|_| self.access == Access::Inspect)
    }

    /// Whether its session lasts for the next look and keeps statements for it.
    pub(crate) fn prepares(&self) -> bool {
        self.kept().is_some() && !self.is_pooled
    }

    /// The server and the database, without credentials.
    pub(crate) fn name(&self) -> Arc<str> {
        self.url.name().into()
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

//! The backend on PostgreSQL: how it is opened.

pub use longshore_postgres::{InvalidPostgresUrl, Pooling, PostgresOptions, PostgresUrl, tokio_postgres};

use std::sync::Arc;

use longshore_core::StoreError;
use longshore_postgres::{PostgresStore, Prepare, into_store_error};

use crate::Queue;

impl Queue {
    /// [`Queue::open_blocking`] with other options: schema, pooler, connections, limits.
    ///
    /// ```no_run
    /// use longshore::Queue;
    /// use longshore::postgres::{PostgresOptions, PostgresUrl};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let url: PostgresUrl = "postgres://app@db.example.org/shop?sslmode=verify-full".parse()?;
    /// let queue = Queue::open_postgres_with(PostgresOptions::new(url).schema("jobs").connections_max(8))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_postgres_with(options: PostgresOptions) -> Result<Self, StoreError> {
        let named = options.clone();
        let (store, _) =
            PostgresStore::open_prepared(options, Prepare::Beside).map_err(|error| into_store_error(error, &named))?;
        Ok(Self::from_backend(Arc::new(store)))
    }
}

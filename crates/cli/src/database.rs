use std::ops::Deref;
use std::sync::Arc;

use longshore::backend::Backend;
use longshore::{DatabaseUrl, Queue};
use longshore_core::Moving;
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl};
pub(crate) use longshore_sqlite::Prepare;
use longshore_sqlite::{OpenError, Origin, SqliteOptions, SqliteStore};

use crate::arguments::Durability;
use crate::context::Context;

/// An open database with a supported schema.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    queue: Queue,
}

impl Database {
    /// Opens the database that the flags, the environment or the configuration name.
    pub(crate) async fn open(context: &Context, prepare: Prepare) -> anyhow::Result<Self> {
        let url = context.database_url()?;
        let durability = context.config()?.durability.unwrap_or(Durability::Full);
        let (database, origin) = Self::open_as(&url, durability, prepare)?;
        if origin == Origin::Created {
            let what = if url.path().is_some() { "" } else { "the queue's tables in " };
            context.output.note(format!("created {what}{url}"));
        }
        Ok(database)
    }

    /// Opens the database again that was open before; creates nothing. Blocks.
    pub(crate) fn open_existing(url: &DatabaseUrl, durability: Durability) -> anyhow::Result<Self> {
        Ok(Self::open_as(url, durability, Prepare::Nothing)?.0)
    }

    /// A database as one of the two of a move, and whether that created it. Blocks.
    pub(crate) fn open_to_move(
        url: &DatabaseUrl,
        durability: Durability,
        prepare: Prepare,
    ) -> anyhow::Result<(Arc<dyn Moving>, Origin)> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteOptions::new(path).durability(durability.into());
                let (store, origin) = SqliteStore::open_prepared(options, prepare).map_err(explain)?;
                (Arc::new(store), origin)
            }
            DatabaseUrl::Postgres(url) => {
                let options = PostgresOptions::new(PostgresUrl::clone(url));
                let (store, origin) = PostgresStore::open_prepared(options, prepare).map_err(explain)?;
                (Arc::new(store), origin)
            }
        })
    }

    /// Where the backend is selected.
    fn open_as(url: &DatabaseUrl, durability: Durability, prepare: Prepare) -> anyhow::Result<(Self, Origin)> {
        let (backend, origin): (Arc<dyn Backend>, Origin) = match url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteOptions::new(path).durability(durability.into());
                let (store, origin) = SqliteStore::open_prepared(options, prepare).map_err(explain)?;
                (Arc::new(store), origin)
            }
            DatabaseUrl::Postgres(url) => {
                let options = PostgresOptions::new(PostgresUrl::clone(url));
                let (store, origin) = PostgresStore::open_prepared(options, prepare).map_err(explain)?;
                (Arc::new(store), origin)
            }
        };
        Ok((Self { queue: Queue::from_backend(backend) }, origin))
    }

    /// The database as the library's `Queue`.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// Keeps the type of each cause, because the error report depends on it.
fn explain(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Schema(problem) => problem.into(),
        OpenError::Migrate(error) => error.into(),
        OpenError::Store(error) => error.into(),
        error => error.into(),
    }
}

impl Deref for Database {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.queue.backend().as_ref()
    }
}

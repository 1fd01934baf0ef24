use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use longshore::Queue;
use longshore::backend::Backend;
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
        let options = SqliteOptions::new(url.path()).durability(durability.into());
        let (store, origin) = SqliteStore::open_prepared(options, prepare).map_err(explain)?;
        if origin == Origin::Created {
            context.output.note(format!("created {}", url.path().display()));
        }
        Ok(Self { queue: Queue::from_backend(Arc::new(store)) })
    }

    /// Opens the database again that was open before; creates nothing. Blocks.
    pub(crate) fn open_existing(path: &Path, durability: Durability) -> anyhow::Result<Self> {
        let options = SqliteOptions::new(path).durability(durability.into());
        let (store, _) = SqliteStore::open_prepared(options, Prepare::Nothing).map_err(explain)?;
        Ok(Self { queue: Queue::from_backend(Arc::new(store)) })
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

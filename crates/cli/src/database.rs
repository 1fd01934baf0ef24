use std::ops::Deref;
use std::sync::Arc;

use longshore_core::{Console, Store, StoreError};

use crate::context::Context;
use crate::database_url::DatabaseUrl;

/// An open database whose schema is understood.
#[derive(Clone)]
pub(crate) struct Database {
    backend: Arc<dyn Backend>,
}

/// What every backend offers.
pub(crate) trait Backend: Store + Console {}

impl<T: Store + Console> Backend for T {}

/// What happens where there is no database yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is an error, and nothing is created.
    Refuse,
    /// It is created, because nothing can be lost.
    Create,
}

impl Database {
    /// Opens the database that the flags, the environment and the configuration name.
    pub(crate) async fn open(context: &Context, absent: Absent) -> anyhow::Result<Self> {
        let url = context.database_url()?;
        Ok(Self { backend: open_sqlite(&url, absent)? })
    }
}

fn open_sqlite(url: &DatabaseUrl, _absent: Absent) -> Result<Arc<dyn Backend>, StoreError> {
    Err(StoreError::Missing { database: url.path().display().to_string().into() })
}

impl Deref for Database {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.backend.as_ref()
    }
}

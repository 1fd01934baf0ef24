//! The errors of a queue and of a worker. Why a handler failed is a [`HandlerError`](crate::HandlerError).

pub use crate::database_url::InvalidDatabaseUrl;
pub use crate::queue::QueueError;
#[cfg(feature = "sqlite")]
pub use crate::sqlite::CompleteError;
pub use crate::worker::WorkerError;
pub use longshore_core::{OutsideCause, SchemaVerdict, StoreError};

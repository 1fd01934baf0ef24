//! Durable background jobs on the database that an application already has: enqueue, handle, work.
//!
//! This crate runs handlers. It contains no SQL and uses backends only through [`Backend`]. Start reading at [`Queue`],
//! then [`Handler`]. A [`Middleware`] runs around every attempt.

pub mod command;
mod database_url;
mod handler;
mod middleware;
mod queue;
mod runtime;
#[cfg(feature = "sqlite")]
pub mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod testing;
mod trace;
mod worker;

pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use handler::current_attempt::CurrentAttempt;
pub use handler::handler_error::HandlerError;
pub use handler::payload::Payload;
pub use handler::stop::{StopCause, Stopped};
pub use handler::{AttemptResult, BoxFuture, Done, Handler, HandlerPolicy, IntoDone, Overrun, ShutdownTime};
pub use longshore_core::*;
#[cfg(feature = "sqlite")]
pub use longshore_sqlite::{CompleteError, Durability, SqliteOptions, rusqlite};
pub use middleware::{Middleware, Next};
pub use queue::{Backend, Queue, QueueError};
#[cfg(feature = "sqlite")]
pub use sqlite::Completion;
#[cfg(unix)]
pub use worker::stop_signals;
pub use worker::{Worker, WorkerError};

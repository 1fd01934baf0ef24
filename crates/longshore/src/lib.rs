//! Durable background jobs on the database that an application already has: enqueue, handle, work.
//!
//! This crate runs handlers and keeps the promises about them; it knows no SQL, and every backend only
//! through [`Backend`]. Begin reading with [`Queue`], then [`Handler`]; a [`Middleware`] surrounds every attempt.

mod alarm;
mod blocking_threads;
pub mod command;
mod current_attempt;
mod database_url;
mod handler;
mod handler_error;
mod middleware;
mod panic_capture;
mod park;
mod payload;
mod queue;
mod quiet;
mod spans;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stop;
pub mod testing;
mod trace_context;
mod typed_handler;
mod worker;

pub use current_attempt::CurrentAttempt;
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use handler::{AttemptResult, BoxFuture, Done, Handler, HandlerPolicy, IntoDone, Overrun, ShutdownTime};
pub use handler_error::HandlerError;
pub use longshore_core::*;
#[cfg(feature = "sqlite")]
pub use longshore_sqlite::{CompleteError, Durability, SqliteOptions, rusqlite};
pub use middleware::{Middleware, Next};
pub use payload::Payload;
pub use queue::{Backend, Queue, QueueError};
#[cfg(feature = "sqlite")]
pub use sqlite::Completion;
pub use stop::{StopCause, Stopped};
#[cfg(unix)]
pub use worker::stop_signals;
pub use worker::{Worker, WorkerError};

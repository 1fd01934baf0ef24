//! Longshore on SQLite: [`SqliteStore`] keeps the contract of `longshore_core::Store` and `Console` in one file.
//!
//! One thread owns the writing connection and gathers what has queued up into one transaction (`writing`); a few others
//! read (`database::readers`). What is done to jobs stands in `jobs`, who works in `workers`. It decides nothing about
//! a job: `longshore_core::decide` does. It knows no runtime, no handlers and no command line. Nothing here opens the
//! database file but SQLite itself. Begin with `store`, then `writing`, then `jobs::claim`.

mod adoption;
mod audit;
mod console;
mod database;
mod jobs;
mod limits;
pub mod migrations;
mod moving;
mod options;
mod schedules;
pub mod schema;
mod store;
mod tokens;
mod upkeep;
mod workers;
mod workflows;
mod writing;

pub use database::opening::into_store_error;
pub use jobs::enqueue::statement::{Statement, Value};
pub use jobs::outcomes::complete_in::{AttemptSuccess, CompleteError, complete_in};
pub use longshore_schema::{OpenError, Origin, Prepare};
pub use options::{Durability, SqliteOptions};
pub use rusqlite;
pub use store::{SqliteStore, enqueue_in};
pub use workflows::enqueue::enqueue_workflow_in;

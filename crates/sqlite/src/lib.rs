//! Longshore on SQLite: [`SqliteStore`] keeps the contract of `longshore_core::Store` and `Console` in one file.
//!
//! One thread owns the writing connection and gathers what has queued up into one transaction (`desk`,
//! `group`); a few others read (`readers`). It decides nothing about a job: `longshore_core::decide` does. It
//! knows no runtime, no handlers and no command line. Nothing here opens the database file but SQLite itself.
//! Begin with `store`, then `writer` and `desk`, then `claim`.

mod action;
mod attempt_end;
mod attempt_log;
mod audit;
mod awake;
pub mod catalog;
mod claim;
mod claim_runs;
mod column;
mod connection;
mod console;
mod counts;
mod desk;
mod enqueue;
mod enqueue_block;
mod enqueue_stream;
mod family;
mod fault;
mod group;
mod health;
mod held;
mod held_job;
mod hints;
mod housekeeping;
mod job_row;
mod liveness;
mod log_watch;
pub mod migrations;
mod options;
mod places;
mod queue_change;
mod readers;
mod reclaim;
mod record;
mod report;
pub mod schema;
mod selection;
mod session;
mod started;
mod stats;
mod store;
pub mod target;
mod watch;
mod work;
mod worker;
mod worker_record;
mod writer;

pub use options::{Durability, SqliteOptions};
pub use rusqlite;
pub use store::{SqliteStore, enqueue_in};

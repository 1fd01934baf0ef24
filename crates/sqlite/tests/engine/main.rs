//! The engine as its callers see it, each test on a separate database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checkpoint;
mod claim;
mod complete_in;
mod console;
mod database;
mod dead_worker;
mod duplicate;
mod enqueue;
mod fault;
mod foreign;
mod group;
mod keepers;
mod liveness;
mod overdue;
mod own_thread;
mod panics;
mod plain_sql;
mod plan;
mod random;
mod record;
mod stuck;

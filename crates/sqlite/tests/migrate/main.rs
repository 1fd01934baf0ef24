//! The queue's own migrations on real SQLite files: the incident and its variants, and what earlier programs left.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adopt_killed;
mod incident;
#[path = "../../../migrate-sqlite/tests/migrate/runner.rs"]
mod runner;
mod stuck;
#[allow(dead_code, reason = "the tests of the target use the rest")]
#[path = "../../../migrate-sqlite/tests/migrate/support.rs"]
mod support;

use longshore_sqlite::migrations::longshore;

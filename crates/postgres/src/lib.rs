//! The store on PostgreSQL: [`PostgresStore`] is the `Store` and the `Console` of one schema of a database.
//!
//! `session/` runs statements, `jobs/` moves jobs, `workers/` knows who lives, `upkeep/` counts and cleans up, `sql/` has
//! one statement a file in the folders of the code. It must not know handlers or the command line. Begin with
//! `migrations/001_create_jobs.up.sql`, which says what the tables are.

mod audit;
mod console;
mod instant;
mod jobs;
mod limiting;
pub mod migrations;
mod moving;
mod options;
mod schedules;
pub mod schema;
mod session;
mod store;
mod tokens;
mod upkeep;
mod workers;
mod workflows;

pub use jobs::enqueue::enqueue_in::{enqueue_in, enqueue_in_schema};
pub use jobs::enqueue::statement::{Statement, Value};
pub use jobs::outcomes::complete_in::{AttemptSuccess, CompleteError, complete_in, complete_in_schema};
pub use longshore_postgres_server::{ConnectionTask, InvalidPostgresUrl, Pooling, PostgresUrl, connect, is_pooled};
pub use longshore_schema::{OpenError, Origin, Prepare};
pub use options::PostgresOptions;
pub use schema::into_store_error;
pub use store::PostgresStore;
pub use tokio_postgres;
pub use workflows::enqueue::{enqueue_workflow_in, enqueue_workflow_in_schema};

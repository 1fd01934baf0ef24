//! PostgreSQL as a target of migrations: [`PostgresTarget`] is the `longshore_migrate::target::Target` of one database.
//!
//! `catalog` reads the meaning of a schema, `target` runs statements, keeps the ledger and makes the scratch schemas of
//! the replay. It knows no migration of anybody, the queue's included, and no job. Begin with [`PostgresTarget::open`].

mod alter;
mod catalog;
mod failure;
mod options;
mod target;
mod wire;

pub use longshore_postgres_server::{InvalidPostgresUrl, PostgresUrl};
pub use options::{Access, PostgresTargetOptions};
pub use target::PostgresTarget;
pub use tokio_postgres;
pub use wire::KeptConnection;

//! Throw-away PostgreSQL servers for tests, from the server binaries that are installed.
//!
//! Start at [`Cluster::shared`]: one server for all tests of a checkout, which stops by itself when nobody has used it
//! for a while. Each test gets a [`TestDatabase`] of its own. A test that stops, kills or configures its server takes a
//! [`PrivateCluster`]. [`PausingProxy`] is a bad network, [`PgBouncer`] a pool between client and server,
//! [`StatementCounter`] counts what a client asks and can stop before a statement.
//!
//! A missing program is a panic that says what to install. Every call blocks, and may be made inside a runtime.

mod account;
mod cluster;
mod database;
mod pgbouncer;
mod programs;
mod proxy;
mod session;
mod statement_counter;

pub use cluster::{Cluster, Options, PrivateCluster, StopMode};
pub use database::TestDatabase;
pub use pgbouncer::PgBouncer;
pub use proxy::PausingProxy;
pub use statement_counter::StatementCounter;

//! A PostgreSQL server as a place: what libpq's URLs, environment and files mean, how a connection is made, with TLS or
//! without, and which cause lies behind an error.
//!
//! It knows no table and no statement of anybody. Begin with [`PostgresUrl`] and [`connect`].

mod cause;
mod connect;
mod environment;
mod parameters;
mod password_file;
mod pooler;
#[cfg(all(test, unix))]
mod tests;
mod tls;
mod url;
mod value;

pub use cause::{cause_of, connect_cause, in_words};
pub use connect::{ConnectionTask, connect, connect_with};
pub use pooler::is_pooled;
pub use tokio_postgres;
pub use url::{InvalidPostgresUrl, Pooling, PostgresUrl};

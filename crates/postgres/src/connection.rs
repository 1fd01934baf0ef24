//! How a server is found and a connection is made: what libpq's URLs, environment and files mean here.

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

pub(crate) use cause::{cause_of, connect_cause, in_words};
pub(crate) use connect::connect_with;
pub use connect::{ConnectionTask, connect};
pub use pooler::is_pooled;
pub use url::{InvalidPostgresUrl, Pooling, PostgresUrl};

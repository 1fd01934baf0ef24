//! The database file: how it is opened and watched, its connections, its readers, and what an error of it means.

pub(crate) mod column;
pub(crate) mod common_index;
pub(crate) mod connection;
pub(crate) mod database_file;
pub(crate) mod fault;
pub(crate) mod file_url;
pub(crate) mod opening;
pub(crate) mod quiet;
pub(crate) mod readers;
#[cfg(test)]
pub(crate) mod stop_before;

//! The configuration file and the environment.

pub(crate) mod config;
pub(crate) mod databases;
pub(crate) mod environment;
pub(crate) mod schedules;
#[cfg(feature = "web")]
pub(crate) mod serve;

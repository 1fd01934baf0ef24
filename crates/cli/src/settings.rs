//! What the configuration file and the environment say.

pub(crate) mod config;
pub(crate) mod environment;

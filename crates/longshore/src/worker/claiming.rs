//! How the worker gets jobs: how many from which queue, and when it claims again.

pub(crate) mod claims;
pub(crate) mod drain;
pub(crate) mod lane;
pub(crate) mod pace;
pub(crate) mod worker_inbox;

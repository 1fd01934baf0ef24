//! How jobs come to the worker: how many of which queue, and when it asks again.

pub(crate) mod claims;
pub(crate) mod drain;
pub(crate) mod lane;
pub(crate) mod pace;
pub(crate) mod worker_inbox;

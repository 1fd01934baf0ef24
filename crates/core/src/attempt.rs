//! What happens to a job once it is claimed, and what becomes of an attempt that ended.

pub(crate) mod dead_letter;
pub(crate) mod failure;
pub(crate) mod lease;
pub(crate) mod lease_watch;
pub(crate) mod log;
pub(crate) mod outcome;
pub(crate) mod retry;

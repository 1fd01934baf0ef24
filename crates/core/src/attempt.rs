//! A job from its claim to the outcome of its attempt.

pub(crate) mod checkpoint;
pub(crate) mod dead_letter;
pub(crate) mod failure;
pub(crate) mod lease;
pub(crate) mod lease_watch;
pub(crate) mod log;
pub(crate) mod outcome;
pub(crate) mod retry;

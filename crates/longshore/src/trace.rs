//! Spans of enqueues and attempts.

pub(crate) mod spans;

//! Spans and the context that travels from enqueue to handler.

pub(crate) mod spans;
pub(crate) mod trace_context;

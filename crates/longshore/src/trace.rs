//! Spans, and the trace context that is passed from enqueue to handler.

pub(crate) mod spans;
pub(crate) mod trace_context;

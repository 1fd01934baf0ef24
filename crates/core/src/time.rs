//! Instants, durations, and the one place that reads the time.

pub(crate) mod clock;
pub(crate) mod duration;
pub(crate) mod timestamp;

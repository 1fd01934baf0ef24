//! Times, durations, and the only code that reads the clock.

pub(crate) mod clock;
pub(crate) mod duration;
pub(crate) mod timestamp;

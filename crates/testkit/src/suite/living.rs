//! How a worker shows that it lives, and what its death means.

pub mod cadence;
pub mod heartbeats;
pub mod lapse;
pub mod lease;
pub mod reclaim;
pub mod session;

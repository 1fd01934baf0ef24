//! How jobs come in, and when they may run.

pub mod due;
pub mod duplicate;
pub mod enqueue;
pub mod family;
pub mod unique;

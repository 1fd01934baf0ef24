//! Being written.

pub mod schema;

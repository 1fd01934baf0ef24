//! Being written.

pub mod catalog;
pub mod migrations;
pub mod schema;
pub mod target;

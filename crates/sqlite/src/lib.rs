//! Being written.

pub mod catalog;

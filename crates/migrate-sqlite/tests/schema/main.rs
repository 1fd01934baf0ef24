//! The meaning of a SQLite schema: what differs is found and named, what is only written otherwise is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixture;
mod fuzz;
mod incident;
mod mutations;
mod oddities;
mod parentheses;
mod properties;
mod rewrites;

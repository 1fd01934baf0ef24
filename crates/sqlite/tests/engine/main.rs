//! The engine as its callers see it, each test on a database of its own.

mod claim;
mod database;
mod plan;

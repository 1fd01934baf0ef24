//! The engine as its callers see it, each test on a separate database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod console;
mod database;
mod jobs;
mod other_programs;
mod plan;
mod random;
mod schedules;
#[path = "../support/template.rs"]
mod template;
mod workers;
mod workflows;
mod writing;

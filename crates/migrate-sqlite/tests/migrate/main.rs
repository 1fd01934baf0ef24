//! Migrations on real SQLite files: commands, crashes, several runners, rebuilds, properties.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod commands;
mod confined;
mod crash;
mod files;
mod files_fuzz;
mod losses;
mod properties;
mod rebuild;
mod runner;
mod runners;
mod size;
mod support;

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
mod repairs;
mod runner;
mod runners;
mod size;
mod support;

#[path = "../../../sqlite/src/migrations/intended.rs"]
mod intended;

/// How many migrations the queue has.
const QUEUE_MIGRATIONS: usize = 15;

/// The queue's own migrations, read as any application's would be.
fn longshore() -> longshore_migrate::Source {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../sqlite/migrations");
    intended::declare(longshore_migrate::Source::directory("longshore", directory).unwrap())
}

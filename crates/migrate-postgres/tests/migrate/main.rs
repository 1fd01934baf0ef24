//! The manager on PostgreSQL.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bouncer;
mod causes;
mod commands;
mod concurrent;
mod crash;
mod ledgers;
mod locks;
mod losses;
mod properties;
mod repairs;
mod replays;
mod support;

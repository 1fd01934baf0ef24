//! The manager on PostgreSQL.

mod bouncer;
mod causes;
mod commands;
mod concurrent;
mod ledgers;
mod locks;
mod losses;
mod properties;
mod replays;
mod support;

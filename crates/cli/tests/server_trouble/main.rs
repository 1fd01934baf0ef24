//! Real workers and commands while a PostgreSQL server is in trouble: it takes no writes or no connections, its roles have
//! time limits and isolation levels of their own, other transactions lock each other out, its disk is full, a password
//! changes, it shuts down. Running jobs go on, each trouble is one line of the log, outcomes are stored when it is over.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod connections;
mod failover;
mod limits;
mod migrations;
mod passwords;
mod shutdowns;
mod site;
mod writes;

//! Push jobs, sent to real servers.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

mod answers;
mod requests;
mod server;
mod targets;
mod tls;
mod worked;

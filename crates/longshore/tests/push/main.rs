//! Push jobs, sent to real servers.

#![cfg(unix)]

mod answers;
mod requests;
mod server;
mod targets;
mod tls;
mod worked;

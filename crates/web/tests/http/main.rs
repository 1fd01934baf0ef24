//! The server over real connections, on both backends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod api;
mod audit;
mod client;
mod documents;
mod fuzz;
mod job_pages;
mod limits;
mod limits_and_batches;
mod metrics;
mod overview;
mod queue_pages;
mod redaction;
mod site;
mod streams;
mod visibility;
mod work;

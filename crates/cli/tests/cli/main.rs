//! The program as its users meet it: the real binary in a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

mod adopt;
mod audit;
mod batches;
mod completions;
mod configuration;
mod database;
mod doctor;
mod errors;
mod guides;
mod help;
#[cfg(unix)]
mod http_workers;
mod jobs;
mod limits;
mod migrate;
#[cfg(target_os = "linux")]
mod moving;
mod postgres;
mod sandbox;
mod schedules;
mod serve;
mod several;
#[cfg(unix)]
mod telemetry;
#[cfg(target_os = "linux")]
mod top;
#[cfg(target_os = "linux")]
mod worker;

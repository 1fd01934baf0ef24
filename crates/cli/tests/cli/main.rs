//! The program as its users meet it: the real binary in a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

#[cfg(target_os = "linux")]
mod causes;
mod changed_file;
mod completions;
mod configuration;
mod database;
mod doctor;
mod enqueue;
mod errors;
mod help;
mod jobs;
mod migrate;
#[cfg(target_os = "linux")]
mod other_user;
#[cfg(target_os = "linux")]
mod outside_causes;
#[cfg(target_os = "linux")]
mod poison;
mod queues;
mod sandbox;
mod times;
mod words;
mod work;
mod worker_log;
mod worker_signals;

//! Real workers with problems that are not a death: another program holds a lock, the disk is full, the whole process
//! is paused, the liveness folder is removed. Nothing is lost, and nothing is charged that did not happen.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod frozen;
mod harbour;
mod liveness;
mod outage;

//! Real workers under trouble that is not their death: a lock that another program holds, a full disk, a pause of the
//! whole process, a liveness folder that is removed. Nothing is lost, and nothing is charged that did not happen.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod frozen;
mod harbour;
mod liveness;
mod outage;

//! What a schema means, and where two do not mean the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod equivalents;
mod fixture;
mod mutations;
mod repairs;

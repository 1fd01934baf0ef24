//! How a worker handles jobs, on the in-memory store and with time that the tests control.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

#[path = "worker/beginnings.rs"]
mod beginnings;
#[path = "worker/bench.rs"]
mod bench;
#[path = "worker/attempts/checkpoints.rs"]
mod checkpoints;
#[path = "worker/claims.rs"]
mod claims;
#[path = "worker/attempts/clocks.rs"]
mod clocks;
#[path = "worker/attempts/errors.rs"]
mod errors;
#[path = "worker/life/leases.rs"]
mod leases;
#[path = "worker/attempts/middleware.rs"]
mod middleware;
#[path = "worker/attempts/news.rs"]
mod news;
#[path = "worker/attempts/outcomes.rs"]
mod outcomes;
#[path = "worker/attempts/panics.rs"]
mod panics;
#[path = "worker/payloads.rs"]
mod payloads;
#[path = "worker/attempts/refused.rs"]
mod refused;
#[path = "worker/attempts/results.rs"]
mod results;
#[path = "worker/retention.rs"]
mod retention;
#[path = "worker/scheduling.rs"]
mod scheduling;
#[path = "worker/life/sessions.rs"]
mod sessions;
#[path = "worker/several.rs"]
mod several;
#[path = "worker/attempts/spans.rs"]
mod spans;
#[path = "worker/life/starting.rs"]
mod starting;
#[path = "worker/attempts/state.rs"]
mod state;
#[path = "worker/life/stopping.rs"]
mod stopping;
#[path = "worker/life/suspects.rs"]
mod suspects;
#[path = "worker/threads.rs"]
mod threads;
#[path = "worker/attempts/times.rs"]
mod times;
#[path = "worker/trouble.rs"]
mod trouble;
#[path = "worker/upkeep.rs"]
mod upkeep;
#[path = "worker/wakeups.rs"]
mod wakeups;
#[path = "worker/warnings.rs"]
mod warnings;

//! Durable background jobs on the database that an application already has: enqueue, handle, work.
//!
//! ```
//! use longshore::{CurrentAttempt, HandlerError, Job, Queue, Worker};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Job, Serialize, Deserialize)]
//! #[job(name = "send_receipt", queue = "mail", max_retries = 5, timeout = "30s", unique)]
//! struct SendReceipt {
//!     order: u64,
//! }
//!
//! async fn send_receipt(receipt: SendReceipt, attempt: CurrentAttempt) -> Result<(), HandlerError> {
//!     attempt.log(&format!("receipt of order {}\n", receipt.order));
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("longshore-front-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("shop.db").display().to_string();
//! let queue = Queue::open(path).await?;
//! queue.enqueue(&SendReceipt { order: 7 }).await?;
//! Worker::new(&queue).handle(send_receipt).run_until_drained().await?;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | open a database and enqueue | [`Queue`], [`Payload`] with `#[derive(`[`Job`](derive@Job)`)]`, [`NewJob`], [`Priority`], [`RetryPolicy`] |
//! | handle jobs | [`Worker`], [`CurrentAttempt`], [`State`], [`Done`] |
//! | fail | [`HandlerError`], [`FailureType`] |
//! | run jobs at times | [`Schedule`], [`Queue::schedules`] |
//! | read what became of a job | [`Queue::job`], [`Queue::wait`], [`Status`] |
//!
//! The guide is `docs/handlers.md`: retries, uniqueness, transactions, testing, shutdown, deployment. The modules hold
//! the rest: [`job`], [`handler`], [`mod@error`], [`testing`], [`command`], [`declared`], [`schedule`],
//! [`sqlite`], and [`backend`] for what is below a queue.
//!
//! # Features
//!
//! On by default: `sqlite`, a backend; `derive`, for `#[derive(Job)]`; `anyhow`, which recognises the error inside an
//! `anyhow::Error` by its type. Off by default: `postgres`, the other backend, and `push`, for jobs that are sent to an
//! HTTP target.
//!
//! This crate runs handlers. It contains no SQL and uses backends only through [`backend::Backend`].

mod audited;
pub mod backend;
pub mod command;
mod database_url;
pub mod declared;
pub mod error;
pub mod handler;
pub mod job;
pub mod limits;
pub mod measures;
mod middleware;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod program;
#[cfg(feature = "push")]
pub mod push;
mod queue;
pub mod remote;
mod runtime;
pub mod schedule;
#[cfg(feature = "sqlite")]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod testing;
pub mod trace;
mod worker;
pub mod workflow;

#[doc(inline)]
pub use handler::{CurrentAttempt, Done, FailureType, HandlerError, Payload, State};
#[doc(inline)]
pub use job::{NewJob, Priority, RetryPolicy, Status};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use queue::Databases;
pub use queue::Queue;
pub use schedule::Schedule;
pub use worker::Worker;

/// Implements [`Payload`] for a type: everything about its jobs in one place.
///
/// ```
/// use longshore::Job;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Job, Serialize, Deserialize)]
/// #[job(name = "send_receipt", queue = "mail", priority = "high", max_retries = 5, timeout = "30s", unique = "order")]
/// struct SendReceipt {
///     order: u64,
///     copy_to: Option<String>,
/// }
/// ```
///
/// | setting | meaning |
/// | --- | --- |
/// | `name = "…"` | the job type; default: the name of the type in snake case. If you rename the type, waiting jobs keep the old one |
/// | `queue = "…"` | the queue; default: `default` |
/// | `priority = "high"` | `low`, `normal`, `high`, `urgent`, `critical`, or a number |
/// | `max_retries = 5` | how often a failed job is retried |
/// | `retry = "quick"` | the delays of the retries: `exponential`, `quick`, a list such as `["1s", "1m"]`, or a [`RetryPolicy`] |
/// | `timeout = "30s"` | the time limit of an attempt |
/// | `grace = "5s"` | how long an attempt may continue after its stop signal |
/// | `delay = "10m"` | the delay before the first attempt |
/// | `expires_in = "1h"` | no attempt starts later; the job is then cancelled |
/// | `deadline_in = "2h"` | no attempt starts or runs later; the job is then a dead letter |
/// | `unique` | no second job while one with the same payload has not ended |
/// | `unique = "order"` | no second job while one with the same value of this field has not ended; also a list of fields |
/// | `on_duplicate = "replace"` | what an enqueue does with the other job: `keep`, `replace`, `push_back` |
/// | `unique_while = "waiting"` | which jobs count: `unfinished`, `waiting` |
/// | `max_crashes = 3`, `max_deferrals = 1000` | the other two budgets |
/// | `concurrency = 5` | so many jobs of the type run at once, over all processes; see [`limits`] |
/// | `rate = "100/1m"`, `burst = 10` | so many attempts start in a span, and at once after a pause |
/// | `key = "/tenant"` | where the payload has the key of a job, as a JSON pointer; keys take turns |
/// | `key_concurrency = 2`, `key_rate = "5/1s"` | the same for each key |
/// | `weights = { acme = 3 }` | turns of a key, where others have one |
///
/// Durations may also be expressions of type [`Duration`](std::time::Duration), numbers constants. A mistake is a
/// compile error that names the setting:
///
/// ```compile_fail
/// #[derive(longshore::Job, serde::Serialize, serde::Deserialize)]
/// #[job(max_retry = 5)] // unknown setting `max_retry`: did you mean `max_retries`?
/// struct SendReceipt;
/// ```
#[cfg(feature = "derive")]
pub use longshore_derive::Job;

// Short paths of the names in the modules. They are hidden so that the front page shows what most users need.
#[doc(hidden)]
pub use error::*;
#[doc(hidden)]
pub use handler::*;
#[doc(hidden)]
pub use job::*;
#[doc(hidden)]
#[cfg(feature = "sqlite")]
pub use sqlite::*;

#[doc(hidden)]
pub use backend::DatabaseUrl;
#[cfg(unix)]
pub use worker::stop_signals;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/handlers.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/checkpoints.md")]
struct CheckpointGuide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/limits.md")]
struct LimitGuide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/tracing.md")]
struct TracingGuide;

//! When schedules are due, and what becomes of each tick.
//!
//! This crate is arithmetic: it reads no clock and knows no store. [`check`] says whether a definition is valid, [`Ticks`]
//! are the instants of a timing, and [`TickPlanner`] decides. Start with [`Ticks`], then read `zone_segment.rs`, which
//! says how a wall-clock time becomes an instant.

mod check;
mod cron_expression;
mod findings;
mod planner;
mod ticks;
mod time_of_day;
mod time_zone;
mod words;
mod zone_segment;

pub use check::{InvalidSchedule, NAME_BYTES_MAX, check};
pub use cron_expression::{CronExpression, InvalidCron};
pub use findings::{Finding, FindingKind, MISSED_ROWS_MAX, findings, is_ahead_of_clock};
pub use planner::TickPlanner;
pub use ticks::{InvalidTiming, LostTicks, Ticks};
pub use time_zone::{InvalidTimeZone, find_time_zone};

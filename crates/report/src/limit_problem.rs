use std::fmt;
use std::time::Duration;

use longshore_core::{Health, LimitRow, LimitScope};

use crate::relative_time::span;

/// A limit that keeps jobs waiting for long. Its text is one sentence without a capital and without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitProblem {
    /// The limit.
    pub limit: LimitRow,
    /// What is wrong with it.
    pub kind: LimitProblemKind,
}

/// What is wrong with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitProblemKind {
    /// It opens only after this time.
    Closed(Duration),
    /// Its oldest job has waited this long.
    FallsBehind(Duration),
}

/// A limit is there to make jobs wait; this long means that more arrive than it lets through.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// No rate and no honest request to slow down closes a limit for longer.
const CLOSED_MAX: Duration = Duration::from_secs(86_400);

impl LimitProblem {
    /// What is wrong with the limits where nothing can start now: first those that are closed, then those that fall
    /// behind; of a kind the longest first.
    pub fn all_of(saturated: &[LimitRow], health: &Health) -> Vec<Self> {
        let mut problems: Vec<Self> = saturated.iter().filter_map(|row| Self::of(row, health)).collect();
        problems.sort_by_key(|problem| match problem.kind {
            LimitProblemKind::Closed(closed) => (0, std::cmp::Reverse(closed)),
            LimitProblemKind::FallsBehind(waited) => (1, std::cmp::Reverse(waited)),
        });
        problems
    }

    fn of(row: &LimitRow, health: &Health) -> Option<Self> {
        let closed = row.opens_at.map(|at| at.since(health.now)).filter(|closed| *closed > CLOSED_MAX);
        let kind = match closed {
            Some(closed) => LimitProblemKind::Closed(closed),
            None => LimitProblemKind::FallsBehind(waited(row, health)?),
        };
        Some(Self { limit: row.clone(), kind })
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self.kind {
            LimitProblemKind::Closed(_) => "limit_closed",
            LimitProblemKind::FallsBehind(_) => "limit_saturated",
        }
    }
}

/// How long the oldest job has waited, if that is long.
fn waited(row: &LimitRow, health: &Health) -> Option<Duration> {
    let oldest = match row.scope {
        // How long the jobs of one key wait is not known.
        LimitScope::Key => None,
        LimitScope::Queue => {
            let mut queues = health.queues.iter();
            queues.find(|queue| queue.queue == row.name && queue.paused_at.is_none())?.oldest_waiting_at
        }
        LimitScope::Type => {
            let of_type = health.backlog.iter().filter(|backlog| backlog.job_type == row.name);
            of_type.map(|backlog| backlog.oldest_ready_at).min()
        }
    }?;
    let waited = health.now.since(oldest);
    (waited > WAIT_MAX && row.waiting > 0).then_some(waited)
}

impl fmt::Display for LimitProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.limit.name;
        match (self.limit.scope, &self.limit.key) {
            (LimitScope::Queue, _) => write!(f, "queue {name} ")?,
            (LimitScope::Key, Some(key)) => write!(f, "key {key} of type {name} ")?,
            _ => write!(f, "type {name} ")?,
        }
        match self.kind {
            LimitProblemKind::Closed(closed) => {
                let closed = span(closed);
                write!(f, "is closed for {closed}, by its rate or because a handler was asked to slow down")
            }
            LimitProblemKind::FallsBehind(waited) => {
                write!(f, "is at its limit, and its oldest job has waited for {}", span(waited))
            }
        }
    }
}

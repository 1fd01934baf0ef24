use std::collections::BTreeMap;

use axum::response::Response;
use longshore_core::{MinuteStats, Timestamp};
use serde::Serialize;

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Parameter;
use crate::error::ApiError;
use crate::input::Query;
use crate::json::json;
use crate::state::State;

/// The store keeps minutes for a week.
const MINUTES_MAX: u32 = 7 * 24 * 60;
const MINUTES: u32 = 60;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/stats", Scope::Read, show)
            .says("What ended as a time series, by queue. Steps in which nothing ended are left out.")
            .query([
                Parameter::number("minutes", "How far back; default 60.", 1..=MINUTES_MAX),
                Parameter::number("step", "How many minutes one point sums up; default 1.", 1..=MINUTES_MAX),
                Parameter::names("queue", "Only these queues."),
            ])
            .answers(200, "StatSeries"),
    ]
}

#[derive(Serialize)]
struct StatSeries {
    minutes: u32,
    step: u32,
    /// By start, then by queue.
    points: Vec<Point>,
}

/// What ended in one step in one queue.
#[derive(Serialize)]
struct Point {
    start: Timestamp,
    queue: String,
    completed: u64,
    failed: u64,
    retried: u64,
    cancelled: u64,
    waited_ms: u64,
    ran_ms: u64,
}

async fn show(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let minutes = query.number("minutes", 1..=MINUTES_MAX)?.unwrap_or(MINUTES);
    let step = query.number("step", 1..=MINUTES_MAX)?.unwrap_or(1);
    let queues = query.names("queue")?;
    query.end()?;
    let stats = state.shown().stats(minutes).await?;
    let wanted = stats.minutes.into_iter().filter(|it| queues.as_ref().is_none_or(|queues| queues.contains(&it.queue)));
    Ok(json(&StatSeries { minutes, step, points: sum(wanted, step) }))
}

/// Sums minutes up to steps, which begin at multiples of the step since 1970.
fn sum(minutes: impl Iterator<Item = MinuteStats>, step: u32) -> Vec<Point> {
    let step = i64::from(step);
    let mut points: BTreeMap<(i64, String), Point> = BTreeMap::new();
    for it in minutes {
        let start = it.minute.minute().div_euclid(step) * step;
        let point = points.entry((start, it.queue.clone())).or_insert_with(|| Point {
            start: Timestamp::from_ms(start * 60_000),
            queue: it.queue,
            completed: 0,
            failed: 0,
            retried: 0,
            cancelled: 0,
            waited_ms: 0,
            ran_ms: 0,
        });
        point.completed += it.completed;
        point.failed += it.failed;
        point.retried += it.retried;
        point.cancelled += it.cancelled;
        point.waited_ms = point.waited_ms.saturating_add(it.waited_ms);
        point.ran_ms = point.ran_ms.saturating_add(it.ran_ms);
    }
    points.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64, queue: &str, completed: u64) -> MinuteStats {
        MinuteStats {
            minute: Timestamp::from_ms(minute * 60_000),
            queue: queue.to_owned(),
            completed,
            failed: 1,
            retried: 0,
            cancelled: 0,
            waited_ms: 10,
            ran_ms: 20,
        }
    }

    #[test]
    fn minutes_are_summed_up_to_steps_for_each_queue() {
        let minutes = [minute(14, "a", 1), minute(15, "a", 2), minute(16, "a", 4), minute(16, "b", 8)];
        let points = sum(minutes.into_iter(), 5);
        let told: Vec<_> =
            points.iter().map(|it| (it.start.minute(), it.queue.as_str(), it.completed, it.failed)).collect();
        assert_eq!(told, [(10, "a", 1, 1), (15, "a", 6, 2), (15, "b", 8, 1)]);
    }
}

use longshore_core::{AttemptOutcome, Job, JobDetail, Status, Timestamp};
use longshore_report::relative_time::short;
use maud::{Markup, html};

use super::attempts;
use crate::pages::view::View;

/// How many events are shown, the newest ones.
const SHOWN_MAX: usize = 24;

/// Something that happened to a job, or will.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    at: Timestamp,
    class: &'static str,
    words: String,
}

/// What happened when, in order.
pub(super) fn panel(view: &View, detail: &JobDetail) -> Markup {
    let events = events(detail);
    let left_out = events.len().saturating_sub(SHOWN_MAX);
    html! {
        section.panel aria-labelledby="timeline" {
            header { h2 #timeline { "Time line" } span.muted { (view.zone.name()) } }
            div.body { ol.timeline {
                @if left_out > 0 { li { span {} span.muted { (left_out) " earlier events" } } }
                @for (place, event) in events.iter().enumerate().skip(left_out) {
                    li class=(event.class) {
                        span { (event.words) }
                        time datetime=(event.at) title=(view.zone.full(event.at)) { (distance(&events, place)) }
                    }
                }
            } }
        }
    }
}

/// How long after the event before.
fn distance(events: &[Event], place: usize) -> String {
    match place.checked_sub(1).and_then(|before| events.get(before)) {
        Some(before) => format!("+{}", short(events[place].at.since(before.at))),
        None => String::new(),
    }
}

fn events(detail: &JobDetail) -> Vec<Event> {
    let job = &detail.job;
    let event = |at, class, words: String| Event { at, class, words };
    let mut events = vec![event(job.created_at, "pending", "enqueued".to_owned())];
    for attempt in &detail.attempts {
        let number = attempts::number(attempt);
        if let Some(at) = attempt.started_at {
            events.push(event(at, "running", format!("attempt {number} started")));
        }
        if let Some(at) = attempt.finished_at {
            let (class, words) = ended(attempt.outcome);
            events.push(event(at, class, format!("attempt {number} {words}")));
        }
    }
    if let Some(at) = job.cancel_requested_at {
        events.push(event(at, "cancelled", "asked to stop".to_owned()));
    }
    events.extend(last(job));
    // Events of one instant stay in the order in which they were added, which is that of their causes.
    events.sort_by_key(|event| event.at);
    events
}

/// What the job's status adds to its attempts.
fn last(job: &Job) -> Option<Event> {
    let event = |at: Option<Timestamp>, class, words: &str| Some(Event { at: at?, class, words: words.to_owned() });
    match job.status {
        Status::DeadLetter => event(job.moved_to_dead_letter_at, "dead_letter", "dead letter"),
        Status::Cancelled => event(job.completed_at, "cancelled", "cancelled"),
        Status::Completed => event(job.completed_at, "completed", "completed"),
        Status::Retrying => event(job.next_retry_at, "pending", "next retry"),
        Status::Pending if job.run_at > job.created_at => event(Some(job.run_at), "pending", "due"),
        Status::Pending | Status::Running | Status::Blocked => None,
    }
}

const fn ended(outcome: AttemptOutcome) -> (&'static str, &'static str) {
    match outcome {
        AttemptOutcome::Running => ("running", "runs"),
        AttemptOutcome::Completed => ("completed", "succeeded"),
        AttemptOutcome::Retrying => ("retrying", "failed"),
        AttemptOutcome::DeadLetter => ("dead_letter", "failed, and the job was given up"),
        AttemptOutcome::Cancelled => ("cancelled", "was cancelled"),
        AttemptOutcome::Deferred => ("pending", "was deferred"),
        AttemptOutcome::Returned => ("pending", "was returned"),
        AttemptOutcome::Crashed => ("crashed", "ended with its worker"),
    }
}

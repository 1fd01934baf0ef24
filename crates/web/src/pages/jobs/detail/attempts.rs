use longshore_core::{Attempt, JobDetail};
use longshore_report::relative_time::short;
use maud::{Markup, html};

use super::failure;
use crate::pages::drawing::instant::{exact, instant};
use crate::pages::drawing::table::outcome_badge;
use crate::pages::drawing::text::{counted, visible};
use crate::pages::view::View;

/// How many attempts are shown. A job may have been deferred a thousand times.
const SHOWN_MAX: usize = 30;

/// The number of an attempt. A number comes again after a retry by hand and after an attempt that did not count; then the
/// claim tells them apart.
pub(super) fn number(attempt: &Attempt) -> String {
    let (number, claim) = (attempt.attempt, attempt.claim_number);
    if i64::from(number) == claim.0 { number.to_string() } else { format!("{number} (claim {claim})") }
}

/// The attempts, newest first, each with its log. `open` is the one whose log is shown.
pub(super) fn panel(view: &View, detail: &JobDetail, open: Option<&Attempt>) -> Markup {
    let attempts = &detail.attempts;
    html! {
        section.panel aria-labelledby="attempts" {
            header { h2 #attempts { "Attempts" } span.muted { (counted(attempts.len() as u64, "attempt")) } }
            @if attempts.is_empty() { p.empty { "It has not run yet." } }
            @for attempt in attempts.iter().rev().take(SHOWN_MAX) { (drawn(view, detail, attempt, open)) }
            @if attempts.len() > SHOWN_MAX { p.empty { (counted((attempts.len() - SHOWN_MAX) as u64, "older attempt")) } }
        }
    }
}

fn drawn(view: &View, detail: &JobDetail, attempt: &Attempt, open: Option<&Attempt>) -> Markup {
    let claim = attempt.claim_number.to_string();
    let log = format!("{}#log", view.link_with(&format!("/jobs/{}", detail.job.id), "log", &claim));
    let is_open = open.is_some_and(|open| open.claim_number == attempt.claim_number);
    html! {
        article.attempt aria-label={ "Attempt " (number(attempt)) } {
            div.line {
                strong { "#" (number(attempt)) }
                (outcome_badge(attempt.outcome))
                @if let Some(kind) = attempt.failure_type { span.tag.bad { (kind.as_str().replace('_', " ")) } }
                span.spacer {}
                @match (attempt.started_at, attempt.finished_at) {
                    (Some(started), Some(finished)) => {
                        span { (short(finished.since(started))) }
                        span.muted { (exact(started, view.now, &view.zone)) }
                    },
                    (Some(started), None) => {
                        span { "for " (short(view.now.since(started))) }
                        span.muted { "since " (instant(started, &view.zone)) }
                    },
                    (None, _) => {},
                }
                @if let Some(worker) = &attempt.worker_id { span.muted.mono { (visible(worker.as_str())) } }
                a href=(log) aria-current=[is_open.then_some("true")] { "log" }
            }
            (failure(attempt.error_message.as_deref(), attempt.traceback.as_deref(), &format!("traceback-{}", attempt.claim_number)))
        }
    }
}

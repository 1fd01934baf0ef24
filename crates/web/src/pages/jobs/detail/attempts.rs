use longshore_core::{Attempt, JobDetail};
use longshore_report::relative_time::short;
use maud::{Markup, html};

use super::failure;
use crate::pages::drawing::instant::exact;
use crate::pages::drawing::table::outcome_badge;
use crate::pages::drawing::text::{counted, visible};
use crate::pages::view::View;

/// How many attempts are shown. A job may have been deferred a thousand times.
const SHOWN_MAX: usize = 30;

/// The attempts, newest first.
pub(super) fn panel(view: &View, detail: &JobDetail) -> Markup {
    let attempts = &detail.attempts;
    html! {
        section.panel aria-labelledby="attempts" {
            header { h2 #attempts { "Attempts" } span.muted { (counted(attempts.len() as u64, "attempt")) } }
            @if attempts.is_empty() { p.empty { "It has not run yet." } }
            @for attempt in attempts.iter().rev().take(SHOWN_MAX) { (drawn(view, attempt)) }
            @if attempts.len() > SHOWN_MAX { p.empty { (counted((attempts.len() - SHOWN_MAX) as u64, "older attempt")) } }
        }
    }
}

fn drawn(view: &View, attempt: &Attempt) -> Markup {
    let ran = attempt.started_at.zip(attempt.finished_at.or(Some(view.now)));
    html! {
        article.attempt aria-label={ "Attempt " (attempt.attempt) } {
            div.line {
                strong { "#" (attempt.attempt) }
                (outcome_badge(attempt.outcome))
                @if let Some(kind) = attempt.failure_type { span.tag.bad { (kind.as_str().replace('_', " ")) } }
                span.spacer {}
                @if let Some((started, finished)) = ran { span { (short(finished.since(started))) } }
                @if let Some(started) = attempt.started_at { span.muted { (exact(started, view.now, &view.zone)) } }
                @if let Some(worker) = &attempt.worker_id { span.muted.mono { (visible(worker.as_str())) } }
            }
            (failure(attempt.error_message.as_deref(), attempt.traceback.as_deref(), &format!("traceback-{}", attempt.claim_number)))
        }
    }
}

use longshore_core::{AttemptOutcome, JobId, Status};
use maud::{Markup, html};

use super::text::{number, visible};
use crate::pages::view::View;

/// A status as a coloured word with a shape of its own.
pub(in crate::pages) fn badge(status: Status) -> Markup {
    html! { span class={ "badge " (status.as_str()) } { (status_in_words(status)) } }
}

/// How an attempt ended, in the colours of the status that it led to.
pub(in crate::pages) fn outcome_badge(outcome: AttemptOutcome) -> Markup {
    let (class, words) = match outcome {
        AttemptOutcome::Running => ("running", "running"),
        AttemptOutcome::Completed => ("completed", "completed"),
        AttemptOutcome::Retrying => ("retrying", "failed, retried"),
        AttemptOutcome::DeadLetter => ("dead_letter", "failed, given up"),
        AttemptOutcome::Cancelled => ("cancelled", "cancelled"),
        AttemptOutcome::Deferred => ("pending", "deferred"),
        AttemptOutcome::Returned => ("pending", "returned"),
        AttemptOutcome::Crashed => ("retrying", "worker died"),
    };
    html! { span class={ "badge " (class) } { (words) } }
}

pub(in crate::pages) const fn status_in_words(status: Status) -> &'static str {
    match status {
        Status::DeadLetter => "dead letter",
        status => status.as_str(),
    }
}

/// A number that leads to what was counted. None of it leads nowhere, so it is no link.
pub(in crate::pages) fn count_link(href: &str, count: u64) -> Markup {
    html! { @if count == 0 { (zero()) } @else { a href=(href) { (number(count)) } } }
}

/// A number that leads nowhere.
pub(in crate::pages) fn count(count: u64) -> Markup {
    html! { @if count == 0 { (zero()) } @else { (number(count)) } }
}

/// None, in the same look in every column.
pub(in crate::pages) fn zero() -> Markup {
    html! { span.muted { "0" } }
}

/// A link to a job.
pub(in crate::pages) fn job_link(view: &View, id: JobId) -> Markup {
    html! { a.mono href=(view.link(&format!("/jobs/{id}"))) { (id) } }
}

/// A link to the jobs of a type.
pub(in crate::pages) fn type_link(view: &View, job_type: &str) -> Markup {
    html! { a href=(view.link_with("/jobs", "type", job_type)) title=(visible(job_type)) { (link_words(job_type)) } }
}

/// A link to the jobs of a queue.
pub(in crate::pages) fn queue_link(view: &View, queue: &str) -> Markup {
    html! { a href=(view.link_with("/jobs", "queue", queue)) title=(visible(queue)) { (link_words(queue)) } }
}

/// The words of a link to a name. One of spaces alone is in quotes, or nobody could see or hear the link.
fn link_words(name: &str) -> String {
    let name = visible(name);
    if name.trim().is_empty() { format!("\"{name}\"") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_blank_name_can_be_seen() {
        assert_eq!([" ", "mail"].map(link_words), ["\" \"", "mail"]);
    }
}

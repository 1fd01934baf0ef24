use longshore_core::{DeadLetterCode, Job, Status};
use maud::{Markup, html};

use super::filter::JobFilter;
use crate::pages::drawing::instant::{ago, ago_or_dash, lasting};
use crate::pages::drawing::table::{badge, job_link, queue_link, type_link};
use crate::pages::drawing::text::{counted, line, number};
use crate::pages::layout::hidden;
use crate::pages::view::View;

/// What can be done with the rows of a table, or with all jobs that its filter selects.
pub(in crate::pages) struct Bulk<'a> {
    pub(in crate::pages) filter: &'a JobFilter,
    /// How many jobs the filter selects, if that is known without counting.
    pub(in crate::pages) count: Option<u64>,
    pub(in crate::pages) actions: &'static [(&'static str, &'static str)],
}

impl Bulk<'_> {
    pub(in crate::pages) const FOR_JOBS: &'static [(&'static str, &'static str)] =
        &[("retry", "Retry"), ("cancel", "Cancel"), ("delete", "Delete")];
    pub(in crate::pages) const FOR_DEAD_LETTERS: &'static [(&'static str, &'static str)] =
        &[("retry", "Retry"), ("discard", "Discard")];
}

/// Jobs in rows. One form holds all of them, so that actions work without a script.
pub(in crate::pages) fn job_table(view: &View, bulk: &Bulk<'_>, jobs: &[Job]) -> Markup {
    if jobs.is_empty() {
        return html! { p.empty { "No job matches." } };
    }
    html! {
        form method="post" action=(view.link("/jobs/act")) {
            (hidden(view))
            @for (name, value) in bulk.filter.fields() {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            @if view.may_operate() { (bulk_bar(bulk, jobs.len())) }
            div.scroll { table {
                thead { tr {
                    @if view.may_operate() { th.check { input #every type="checkbox" aria-label="Select all rows of this page"; } }
                    th scope="col" { "Id" }
                    th scope="col" { "Type" }
                    th scope="col" { "Status" }
                    th scope="col" { "Queue" }
                    th.number scope="col" { "Attempt" }
                    th scope="col" { "When" }
                    th scope="col" { "" }
                } }
                tbody { @for job in jobs { (row(view, job)) } }
            } }
        }
    }
}

fn bulk_bar(bulk: &Bulk<'_>, rows: usize) -> Markup {
    let all = match bulk.count {
        Some(count) => format!("all {} that match", number(count)),
        None => "all that match".to_owned(),
    };
    let here = format!("{} on this page", counted(rows as u64, "job"));
    html! {
        div.bulk {
            label.sr for="scope" { "Which jobs" }
            select #scope name="scope" {
                option value="selected" { "selected jobs" }
                option value="all" { (all) }
            }
            @for (place, (action, words)) in bulk.actions.iter().enumerate() {
                button.small.danger[place > 0] name="action" value=(action) data-key-r[*action == "retry"] { (words) }
            }
            span.what data-chosen=(here) { (here) }
        }
    }
}

fn row(view: &View, job: &Job) -> Markup {
    html! {
        tr data-key=(job.id) {
            @if view.may_operate() {
                td.check { input type="checkbox" name="id" value=(job.id) aria-label={ "Select job " (job.id) }; }
            }
            td { (job_link(view, job.id)) }
            td.name { (type_link(view, &job.job_type)) }
            td { (badge(job.status)) }
            td.name { (queue_link(view, &job.queue)) }
            td.number { (job.retry_count.saturating_add(u32::from(job.status != Status::Retrying))) " / " (job.max_retries.saturating_add(1)) }
            td.nowrap { (when(view, job)) }
            td.wide { (what(job)) }
        }
    }
}

/// The instant that matters in the job's status.
fn when(view: &View, job: &Job) -> Markup {
    let (now, zone) = (view.now, &view.zone);
    html! {
        @match job.status {
            Status::Pending if job.run_at > now => (ago(job.run_at, now, zone)),
            Status::Pending | Status::Blocked => (ago(job.created_at, now, zone)),
            Status::Running => {
                @match job.started_at {
                    Some(since) => (lasting(since, now, zone)),
                    None => (ago_or_dash(None, now, zone)),
                }
            },
            Status::Retrying => (ago_or_dash(job.next_retry_at, now, zone)),
            Status::Completed | Status::Cancelled => (ago_or_dash(job.completed_at, now, zone)),
            Status::DeadLetter => (ago_or_dash(job.moved_to_dead_letter_at, now, zone)),
        }
    }
}

/// What there is to say of the job: its error, or how far it is.
fn what(job: &Job) -> Markup {
    let is_failed = matches!(job.status, Status::Retrying | Status::DeadLetter);
    html! {
        @if let Some(message) = job.error_message.as_deref().filter(|_| is_failed) {
            span.error title=(line(message)) { (line(message)) }
        } @else if let Some(reason) = job.dead_letter_reason.as_deref().filter(|_| job.status.is_ended()) {
            span.error { (line(DeadLetterCode::sentence_of(reason))) }
        } @else if let Some(progress) = job.progress.filter(|_| job.status == Status::Running) {
            span.muted { (percent(progress)) "% " (line(job.progress_message.as_deref().unwrap_or_default())) }
        } @else if let Some(parent) = job.parent_job_id.filter(|_| job.status == Status::Blocked) {
            span.muted { "waits for job " (parent) }
        }
    }
}

/// A share as whole percent. Another program may have written any number.
pub(in crate::pages) fn percent(share: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is from 0 to 100")]
    let percent = (share.clamp(0.0, 1.0) * 100.0).round() as u32;
    percent
}

mod act;
mod drawing;
mod graph;
mod shown;

use axum::http::Uri;
use longshore_core::{BatchCounts, BatchId, BatchJob, BatchRecord, BatchStatus, BatchesRequest};
use maud::{Markup, html};

pub(super) use self::act::act;
pub(super) use self::shown::{show, target};
use super::drawing::chart;
use super::drawing::instant::{ago, ago_or_dash};
use super::drawing::text::{line, number};
use super::layout::{Page, Section, framed};
use super::view::View;
use crate::error::ApiError;
use crate::input::pairs::{Pairs, query};
use crate::state::State;

/// How many batches a page lists.
const PAGE: u32 = 50;

/// All batches, newest first, with how far each is.
pub(super) async fn list(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let status: Option<BatchStatus> = parsed(&asked, "status")?;
    let before: Option<BatchId> = parsed(&asked, "before")?;
    // One more says whether there are others.
    let request = BatchesRequest { statuses: status.map(|status| vec![status]), before, limit: PAGE + 1 };
    let mut batches = state.shown().batches(request).await?;
    let has_more = batches.len() > PAGE as usize;
    batches.truncate(PAGE as usize);
    let next = batches.last().map(|batch| batch.id).filter(|_| has_more);
    let content = html! {
        (tabs(&view, status))
        div #batches data-live[before.is_none()] {
            section.panel aria-label="Batches" {
                (table(&view, &batches, status))
                (pager(&view, status, before, next))
            }
        }
    };
    let page = Page { title: "Batches", section: Section::Batches, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(asked: &Pairs, name: &str) -> Result<Option<T>, ApiError> {
    asked.get(name).map(str::parse).transpose().map_err(|error: T::Err| ApiError::invalid(error.to_string()))
}

fn path(status: Option<BatchStatus>, before: Option<BatchId>) -> String {
    let before = before.map(|before| before.to_string());
    format!("/batches{}", query([("status", status.map(BatchStatus::as_str)), ("before", before.as_deref())]))
}

fn tabs(view: &View, chosen: Option<BatchStatus>) -> Markup {
    let all = [None].into_iter().chain(BatchStatus::ALL.map(Some));
    html! {
        nav.tabs aria-label="Status" {
            @for status in all {
                a href=(view.link(&path(status, None))) aria-current=[(status == chosen).then_some("page")] {
                    (status.map_or("All", BatchStatus::as_str))
                }
            }
        }
    }
}

fn table(view: &View, batches: &[BatchRecord], status: Option<BatchStatus>) -> Markup {
    if batches.is_empty() {
        return html! {
            p.empty {
                @match status {
                    Some(status) => { "No batch is " (status) "." },
                    None => { "There is no batch. " code { "longshore enqueue --batch FILE" } " makes one." },
                }
            }
        };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th.number scope="col" { "Id" }
                th scope="col" { "Name" }
                th scope="col" { "Status" }
                th scope="col" { "Progress" }
                th.number scope="col" { "Ended" }
                th.number scope="col" { "Dead letters" }
                th.number scope="col" { "Callbacks" }
                th scope="col" { "Created" }
                th scope="col" { "Finished" }
            } }
            tbody { @for batch in batches { (row(view, batch)) } }
        } }
    }
}

fn row(view: &View, batch: &BatchRecord) -> Markup {
    let counts = &batch.counts;
    let link = view.link(&format!("/batches/{}", batch.id));
    html! {
        tr data-key=(batch.id) {
            td.number { a.mono href=(link) { (batch.id) } }
            td.name { a href=(link) title=(line(&batch.name)) { (line(&batch.name)) } }
            td { (badge(batch.status)) }
            td { (progress(counts)) }
            td.number { (number(counts.members - counts.unended())) " / " (number(counts.members)) }
            td.number { @if counts.dead_letter > 0 { span.error { (number(counts.dead_letter)) } } @else { span.muted { "0" } } }
            td.number { @if batch.callbacks > 0 { (number(batch.callbacks)) } @else { span.muted { "0" } } }
            td.nowrap { (ago(batch.created_at, view.now, &view.zone)) }
            td.nowrap { (ago_or_dash(batch.ended_at, view.now, &view.zone)) }
        }
    }
}

fn pager(view: &View, status: Option<BatchStatus>, before: Option<BatchId>, next: Option<BatchId>) -> Markup {
    html! {
        @if before.is_some() || next.is_some() {
            nav.pager aria-label="Pages of batches" {
                @if before.is_some() { a.button.small href=(view.link(&path(status, None))) { "Newest" } }
                span.spacer {}
                @match next {
                    Some(next) => a.button.small rel="next" href=(view.link(&path(status, Some(next)))) { "Older" },
                    None => span { "These are the oldest." },
                }
            }
        }
    }
}

/// The status of a batch in the colours of jobs.
fn badge(status: BatchStatus) -> Markup {
    let class = match status {
        BatchStatus::Open => "pending",
        BatchStatus::Running => "running",
        BatchStatus::Completed => "completed",
        BatchStatus::Failed => "dead_letter",
    };
    html! { span class={ "badge " (class) } { (status) } }
}

/// The name that a workflow gave to a job. A step without one is named by its number, which says nothing to people.
fn given_name(job: &BatchJob) -> Option<&str> {
    job.reference.as_deref().filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many members have ended, and how.
fn progress(counts: &BatchCounts) -> Markup {
    let parts = [
        ("completed", "fill-completed", counts.completed),
        ("cancelled", "fill-cancelled", counts.cancelled),
        ("dead letters", "fill-failed", counts.dead_letter),
    ];
    chart::progress(&parts, counts.members)
}

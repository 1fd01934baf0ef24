use longshore_core::WorkerRecord;
use maud::{Markup, html};

use super::drawing::chart;
use super::drawing::instant::{ago, lasting};
use super::drawing::table::{job_link, queue_link, type_link};
use super::drawing::text::{counted, visible};
use super::layout::{Page, Section, framed};
use super::view::View;
use crate::error::ApiError;
use crate::shown::OTHERS;
use crate::state::State;

/// How many workers the page lists.
const SHOWN_MAX: usize = 500;
/// How many jobs, queues or types a row names.
const NAMED_MAX: usize = 5;

/// Who is alive, since when, running what.
pub(super) async fn show(State(state): State, view: View) -> Result<Markup, ApiError> {
    let workers = state.shown().workers().await?;
    let shown = &workers[..workers.len().min(SHOWN_MAX)];
    let content = html! {
        div #workers data-live {
            section.panel aria-label="Workers" {
                (worker_table(&view, shown))
                @if workers.len() > SHOWN_MAX { p.empty { (counted((workers.len() - SHOWN_MAX) as u64, "more worker")) } }
            }
        }
    };
    let page = Page { title: "Workers", section: Section::Workers, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// Workers in rows, with the jobs that they run.
pub(super) fn worker_table(view: &View, workers: &[WorkerRecord]) -> Markup {
    if workers.is_empty() {
        return html! { p.empty { "No worker is registered. Start one with " code { "longshore work" } "." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Worker" }
                th scope="col" { "State" }
                th scope="col" { "Host" }
                th scope="col" { "Busy" }
                th scope="col" { "Running" }
                th scope="col" { "Queues" }
                th scope="col" { "Types" }
                th scope="col" { "Started" }
                th scope="col" { "Heartbeat" }
            } }
            tbody { @for worker in workers { (row(view, worker)) } }
        } }
    }
}

fn row(view: &View, worker: &WorkerRecord) -> Markup {
    let (busy, slots) = (worker.running.len() as u64, u64::from(worker.concurrency));
    html! {
        tr data-key=(worker.worker_id) {
            td { span.mono { (visible(worker.worker_id.as_str())) } }
            td data-label="State" { @if worker.is_alive { span.badge.completed { "alive" } } @else { span.badge.dead_letter { "dead" } } }
            td.nowrap data-label="Host" { (visible(&worker.host)) " " span.muted { (worker.pid) } }
            td.nowrap data-label="Busy" { (chart::meter(busy, slots, &format!("{busy} of {slots} slots are busy"))) " " (busy) " / " (slots) }
            td data-label="Running" {
                @for job in worker.running.iter().take(NAMED_MAX) {
                    div.nowrap { (job_link(view, job.id)) " " (type_link(view, &job.job_type)) " " span.muted { (lasting(job.started_at, view.now, &view.zone)) } }
                }
                @if worker.running.len() > NAMED_MAX { div.muted { "and " (worker.running.len() - NAMED_MAX) " more" } }
                @if worker.running.is_empty() { span.muted { "nothing" } }
            }
            td data-label="Queues" { (names(view, &worker.queues, "all", queue_link)) }
            td data-label="Types" { (names(view, &worker.job_types, "none", type_link)) }
            td.nowrap data-label="Started" { (ago(worker.started_at, view.now, &view.zone)) }
            td.nowrap data-label="Heartbeat" { (ago(worker.heartbeat_at, view.now, &view.zone)) }
        }
    }
}

/// A link to the jobs of a name.
type Link = fn(&View, &str) -> Markup;

/// A few of the names; all of them behind a fold.
fn names(view: &View, names: &[String], none: &str, link: Link) -> Markup {
    let (shown, folded) = names.split_at(names.len().min(NAMED_MAX));
    html! {
        @if names.is_empty() {
            span.muted { (none) }
        } @else {
            (listed(view, shown, link))
            @if !folded.is_empty() {
                details { summary { "and " (folded.len()) " more" } (listed(view, folded, link)) }
            }
        }
    }
}

fn listed(view: &View, names: &[String], link: Link) -> Markup {
    html! {
        @for (place, name) in names.iter().enumerate() {
            @if place > 0 { ", " }
            @if name == OTHERS { (name) } @else { (link(view, name)) }
        }
    }
}

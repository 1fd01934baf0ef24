mod runs;

use std::collections::HashMap;

use longshore::limits::{LimitRow, LimitScope};
use longshore_core::{Filter, JobPageRequest, Status};
use longshore_report::relative_time::measured;
use maud::{Markup, html};

use self::runs::{TypeRuns, runs_by_type};
use super::drawing::table::{count, count_link, type_link, zero};
use super::drawing::text::number;
use super::jobs::listing::{self, LOOKED_MAX};
use super::layout::{Page, Section, framed};
use super::limits;
use super::view::View;
use crate::error::ApiError;
use crate::input::pairs::query;
use crate::state::State;

/// How many of the newest jobs that have run count.
const JOBS_MAX: u32 = 500;
/// A retried job has not ended, but its attempts have.
const RAN: [Status; 3] = [Status::Retrying, Status::Completed, Status::DeadLetter];

/// Job types: what waits, how often attempts fail and how long they take, by the newest jobs that have run.
pub(super) async fn show(State(state): State, view: View) -> Result<Markup, ApiError> {
    let shown = state.shown();
    let request = JobPageRequest {
        selection: Filter::all().statuses(RAN).into(),
        after: None,
        limit: JOBS_MAX,
        looked_max: Some(LOOKED_MAX),
    };
    let read = listing::read(&state, request).await?;
    let is_given_up = read.is_none();
    let jobs = read.map(|page| page.jobs).unwrap_or_default();
    let workers = shown.workers().await?;
    let diagnosis = state.diagnosis().await?;
    let backlog = diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.health.backlog.as_slice());
    let types = runs_by_type(&jobs, &workers, backlog);
    let limits = limits::beside(&state, LimitScope::Type).await?;
    let content = html! {
        div #types data-live data-gap="10000" {
            @if is_given_up { (listing::gave_up()) }
            section.panel aria-labelledby="by-type" {
                header { h2 #by-type { "By type" } span.muted { "of the newest " (number(jobs.len() as u64)) " jobs that have run" } }
                (table(&view, &types, &limits, shown.sees_all()))
            }
        }
    };
    Ok(framed(&view, &Page { title: "Types", section: Section::Types, aside: html! {}, content, dead_letters: None }))
}

fn table(view: &View, types: &[TypeRuns], limits: &HashMap<String, LimitRow>, sees_workers: bool) -> Markup {
    if types.is_empty() {
        return html! {
            p.empty {
                @if sees_workers { "No job has run yet, none waits, and no worker runs." }
                @else { "No job of your queues has run yet, and none waits." }
            }
        };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Type" }
                @if sees_workers { th.number scope="col" { "Workers" } }
                @if !limits.is_empty() { th.number scope="col" { "Limit" } }
                th.number scope="col" title="Those that could run now if there were room" { "Waiting" }
                th.number scope="col" { "Running" }
                th.number scope="col" { "Ended" }
                th.number scope="col" { "A minute" }
                th.number scope="col" title="Of the attempts of these jobs" { "Failed attempts" }
                th.number scope="col" title="Of the ended jobs" { "Dead letters" }
                th.number scope="col" { "p50" }
                th.number scope="col" { "p95" }
                th.number scope="col" { "p99" }
            } }
            tbody { @for of_type in types { (row(view, of_type, limits, sees_workers)) } }
        } }
    }
}

fn row(view: &View, of_type: &TypeRuns, limits: &HashMap<String, LimitRow>, sees_workers: bool) -> Markup {
    let percentile =
        |share| html! { @match of_type.percentile(share) { Some(ran) => (measured(ran)), None => span.muted { "–" } } };
    let name = of_type.job_type.as_str();
    html! {
        tr data-key=(name) {
            td.name { (type_link(view, name)) }
            @if sees_workers {
                td.number data-label="Workers" { @if of_type.workers == 0 { span.error { "0" } } @else { (of_type.workers) } }
            }
            @if !limits.is_empty() { td.number data-label="Limit" { (limits::in_cell(view, limits.get(name))) } }
            td.number data-label="Waiting" { (waiting(view, of_type)) }
            td.number data-label="Running" { (count(of_type.running)) }
            td.number data-label="Ended" { (count(of_type.ended)) }
            td.number data-label="A minute" { @match of_type.per_minute() { Some(rate) => (format!("{rate:.1}")), None => span.muted { "–" } } }
            td.number data-label="Failed attempts" { @match of_type.failed_percent() { Some(0) => span.muted { "0%" }, Some(share) => span.error { (share) "%" }, None => span.muted { "–" } } }
            td.number data-label="Dead letters" { (count_link(&view.link(&format!("/dead{}", query([("type", Some(name))]))), of_type.given_up)) }
            td.number data-label="p50" { (percentile(50)) }
            td.number data-label="p95" { (percentile(95)) }
            td.number data-label="p99" { (percentile(99)) }
        }
    }
}

fn waiting(view: &View, of_type: &TypeRuns) -> Markup {
    let jobs = query([("status", Some("pending")), ("type", Some(of_type.job_type.as_str()))]);
    html! {
        @match of_type.waiting {
            Some(waiting) => a href=(view.link(&format!("/jobs{jobs}"))) { (number(waiting.jobs)) @if waiting.is_at_least { "+" } },
            None => (zero()),
        }
    }
}

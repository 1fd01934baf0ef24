mod runs;

use std::collections::HashMap;

use longshore::limits::{LimitRow, LimitScope};
use longshore_core::{Filter, JobPageRequest, Status};
use longshore_report::relative_time::short;
use maud::{Markup, html};

use self::runs::{TypeRuns, runs_by_type};
use super::drawing::table::type_link;
use super::drawing::text::number;
use super::jobs::listing::{self, LOOKED_MAX};
use super::layout::{Page, Section, framed};
use super::limits;
use super::view::View;
use crate::error::ApiError;
use crate::input::pairs::query;
use crate::state::State;

/// How many of the newest ended jobs count.
const JOBS_MAX: u32 = 500;
const ENDED: [Status; 2] = [Status::Completed, Status::DeadLetter];

/// Job types: how often they fail and how long they take, by the newest ended jobs.
pub(super) async fn show(State(state): State, view: View) -> Result<Markup, ApiError> {
    let shown = state.shown();
    let request = JobPageRequest {
        selection: Filter::all().statuses(ENDED).into(),
        after: None,
        limit: JOBS_MAX,
        looked_max: Some(LOOKED_MAX),
    };
    let read = listing::read(&state, request).await?;
    let is_given_up = read.is_none();
    let jobs = read.map(|page| page.jobs).unwrap_or_default();
    let workers = shown.workers().await?;
    let types = runs_by_type(&jobs, &workers);
    let limits = limits::beside(&state, LimitScope::Type).await?;
    let content = html! {
        div #types data-live data-gap="10000" {
            @if is_given_up { (listing::gave_up()) }
            section.panel aria-labelledby="by-type" {
                header { h2 #by-type { "By type" } span.muted { "of the newest " (number(jobs.len() as u64)) " ended jobs" } }
                (table(&view, &types, &limits))
            }
        }
    };
    Ok(framed(&view, &Page { title: "Types", section: Section::Types, aside: html! {}, content, dead_letters: None }))
}

fn table(view: &View, types: &[TypeRuns], limits: &HashMap<String, LimitRow>) -> Markup {
    if types.is_empty() {
        return html! { p.empty { "No job has ended yet, and no worker runs." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Type" }
                th.number scope="col" { "Workers" }
                @if !limits.is_empty() { th.number scope="col" { "Limit" } }
                th.number scope="col" { "Ended" }
                th.number scope="col" { "A minute" }
                th.number scope="col" { "Failed" }
                th.number scope="col" { "p50" }
                th.number scope="col" { "p95" }
                th.number scope="col" { "p99" }
                th scope="col" {}
            } }
            tbody { @for of_type in types { (row(view, of_type, limits)) } }
        } }
    }
}

fn row(view: &View, of_type: &TypeRuns, limits: &HashMap<String, LimitRow>) -> Markup {
    let percentile =
        |share| html! { @match of_type.percentile(share) { Some(ran) => (short(ran)), None => span.muted { "–" } } };
    let name = of_type.job_type.as_str();
    html! {
        tr data-key=(name) {
            td.name { (type_link(view, name)) }
            td.number { @if of_type.workers == 0 { span.error { "0" } } @else { (of_type.workers) } }
            @if !limits.is_empty() { td.number { (limits::in_cell(view, limits.get(name))) } }
            td.number { (number(of_type.ended)) }
            td.number { @match of_type.per_minute() { Some(rate) => (format!("{rate:.1}")), None => span.muted { "–" } } }
            td.number { @match of_type.failed_percent() { Some(0) => span.muted { "0%" }, Some(share) => span.error { (share) "%" }, None => span.muted { "–" } } }
            td.number { (percentile(50)) }
            td.number { (percentile(95)) }
            td.number { (percentile(99)) }
            td.number { a href=(view.link(&format!("/dead{}", query([("type", Some(name))])))) { "Dead letters" } }
        }
    }
}

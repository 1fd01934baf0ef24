mod groups;

use std::time::Duration;

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use longshore_core::{Action, JobId, JobPage, JobPageRequest, Selection, Status};
use maud::{Markup, html};

use self::groups::{ErrorGroup, groups};
use super::drawing::chart;
use super::drawing::instant::ago;
use super::drawing::table::type_link;
use super::drawing::text::{counted, line, number};
use super::form::{CheckedForm, done, in_words};
use super::jobs::filter::JobFilter;
use super::jobs::listing;
use super::jobs::table::{Bulk, job_table};
use super::layout::{Page, Section, framed, hidden};
use super::overview::total;
use super::view::View;
use crate::access::csrf;
use crate::audit::Audit;
use crate::error::ApiError;
use crate::input::pairs::query;
use crate::state::{State, WebState};

/// How many of the newest dead letters are looked at, and how many of those that a filter means are grouped.
const LOOKED_MAX: u32 = 3_000;
const GROUPED_MAX: u32 = 500;
/// How many groups are shown, and how many single jobs.
const GROUPS_MAX: usize = 30;
const JOBS_MAX: usize = 50;
/// How many of a group are retried first, to see whether the cause is gone.
const FIRST: usize = 3;
/// The trend of a group is that of a day.
const TREND: Duration = Duration::from_secs(86_400);

/// Jobs that were given up, grouped by their error.
pub(super) async fn show(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let filter = of_query(&uri)?;
    let JobPage { jobs, next } = newest(&state, &filter).await?;
    let queues = state.shown().stats(0).await?.queues;
    let groups = groups(&jobs, view.now, TREND);
    let is_short = next.is_some() && jobs.len() < GROUPED_MAX as usize;
    let content = html! {
        div #dead data-live data-gap="5000" {
            @if !is_short || !groups.is_empty() { (grouped(&view, &filter, &groups, &extent(jobs.len(), is_short))) }
            @if is_short {
                p.notice { "None but the newest " (number(u64::from(LOOKED_MAX))) " dead letters were looked at. " a href=(view.link(&filter.path())) { "Look further in pages" } "." }
            }
            section.panel aria-labelledby="newest" {
                header { h2 #newest { "Newest dead letters" } a href=(view.link(&filter.path())) { "All in pages" } }
                @let bulk = Bulk { filter: &filter, count: filter.count_of(&queues), actions: Bulk::FOR_DEAD_LETTERS };
                (job_table(&view, &bulk, &jobs[..jobs.len().min(JOBS_MAX)]))
            }
        }
    };
    let dead_letters = Some(total(&queues, Status::DeadLetter));
    let page = Page { title: "Dead letters", section: Section::DeadLetters, aside: html! {}, content, dead_letters };
    Ok(framed(&view, &page))
}

/// `POST /dead/act`: retries or discards the jobs of one error.
pub(super) async fn act(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let asked = JobFilter::of_pairs(form.fields())?.without_contents();
    let filter = JobFilter { status: Some(Status::DeadLetter), ..asked };
    let key = form.required("group")?;
    let jobs = newest(&state, &filter).await?.jobs;
    let groups = groups(&jobs, view.now, TREND);
    let Some(group) = groups.iter().find(|group| group.key == key) else {
        return Ok(done(&view, form.back(), "No dead letter has this error any more, so nothing was changed."));
    };
    let (action, word, past, ids) = match form.required("action")? {
        "retry_first" => (Action::Retry, "Retry", "Retried", &group.ids[..group.ids.len().min(FIRST)]),
        "retry" => (Action::Retry, "Retry", "Retried", &group.ids[..]),
        "discard" => (Action::Discard, "Discard", "Discarded", &group.ids[..]),
        _ => return Err(ApiError::invalid("the action must be retry_first, retry or discard")),
    };
    let is_asked = form.get("action") != Some("retry_first") && form.get("confirmed").is_none();
    if is_asked {
        return Ok(ask(&view, &form, group, word, ids).into_response());
    }
    let actioned = audit.act(Selection::Jobs(ids.to_vec()), action).await?;
    Ok(done(&view, form.back(), &in_words(past, &actioned)))
}

fn of_query(uri: &Uri) -> Result<JobFilter, ApiError> {
    let asked = JobFilter::of_query(uri.query().unwrap_or_default())?.without_contents();
    Ok(JobFilter { status: Some(Status::DeadLetter), after: None, ..asked })
}

async fn newest(state: &WebState, filter: &JobFilter) -> Result<JobPage, ApiError> {
    let request =
        JobPageRequest { selection: filter.selection(), after: None, limit: GROUPED_MAX, looked_max: Some(LOOKED_MAX) };
    let page = listing::read(state, request).await?;
    page.ok_or_else(|| ApiError::timed_out("the dead letters were not read in time"))
}

/// Of how many dead letters the groups are.
fn extent(found: usize, is_short: bool) -> String {
    match found {
        found if found >= GROUPED_MAX as usize => format!("of the newest {}", number(u64::from(GROUPED_MAX))),
        found if is_short => {
            let looked = number(u64::from(LOOKED_MAX));
            format!("{} among the newest {looked}", counted(found as u64, "dead letter"))
        }
        found => counted(found as u64, "dead letter"),
    }
}

fn grouped(view: &View, filter: &JobFilter, groups: &[ErrorGroup<'_>], extent: &str) -> Markup {
    html! {
        section.panel aria-labelledby="errors" {
            header {
                h2 #errors { "By error" }
                span.muted { (extent) }
            }
            @if groups.is_empty() {
                p.empty { "There is no dead letter." }
            } @else {
                div.scroll { table {
                    thead { tr {
                        th.number scope="col" { "Jobs" }
                        th scope="col" { "Error" }
                        th scope="col" { "Type" }
                        th scope="col" { "Last 24 h" }
                        th scope="col" { "Newest" }
                        @if view.may_operate() { th scope="col" { span.sr { "Actions" } } }
                    } }
                    tbody { @for group in groups.iter().take(GROUPS_MAX) { (row(view, filter, group)) } }
                } }
                @if groups.len() > GROUPS_MAX { p.empty { (counted((groups.len() - GROUPS_MAX) as u64, "rarer error")) } }
            }
        }
    }
}

fn row(view: &View, filter: &JobFilter, group: &ErrorGroup<'_>) -> Markup {
    let newest = group.newest;
    let recent: u64 = group.trend.iter().sum();
    html! {
        tr data-key=(group.key) {
            td.number data-label="Jobs" { (number(group.ids.len() as u64)) }
            td.wide title=(line(group.message())) {
                a.error href=(view.link(&format!("/jobs/{}", newest.id))) { (line(group.message())) }
                div.sub { @if let Some(kind) = &newest.failure_type { (line(&kind.replace('_', " "))) } }
            }
            td.name data-label="Type" { (type_link(view, &newest.job_type)) @if group.types > 1 { div.sub { "and " (group.types - 1) " more" } } }
            td data-label="Last 24 h" { (chart::trend(&group.trend, &format!("{} in the last 24 hours", counted(recent, "job")))) }
            td.nowrap data-label="Newest" { @if let Some(at) = newest.moved_to_dead_letter_at { (ago(at, view.now, &view.zone)) } }
            @if view.may_operate() { td.number { (buttons(view, filter, group)) } }
        }
    }
}

fn buttons(view: &View, filter: &JobFilter, group: &ErrorGroup<'_>) -> Markup {
    let count = group.ids.len();
    html! {
        form.inline method="post" action=(view.link("/dead/act")) {
            (hidden(view))
            (fields(filter))
            input type="hidden" name="group" value=(group.key);
            @if count > FIRST { button.small name="action" value="retry_first" title="See whether the cause is gone" { "Retry " (FIRST) } }
            button.small name="action" value="retry" { "Retry all" }
            button.small.danger name="action" value="discard" { "Discard" }
        }
    }
}

fn fields(filter: &JobFilter) -> Markup {
    html! { @for (name, value) in filter.fields() { @if let Some(value) = value { input type="hidden" name=(name) value=(value); } } }
}

fn ask(view: &View, form: &CheckedForm, group: &ErrorGroup<'_>, word: &str, ids: &[JobId]) -> Markup {
    let title = format!("{word} {}?", counted(ids.len() as u64, "dead letter"));
    let action = form.get("action").unwrap_or_default();
    let content = html! {
        section.panel aria-label="Error" { div.body.form {
            p.error { (line(group.message())) }
            @if action == "discard" { p { "They are removed with their attempts and logs. This cannot be taken back." } }
            form.actions method="post" action=(view.link("/dead/act")) {
                input type="hidden" name=(csrf::FIELD) value=(view.csrf);
                input type="hidden" name="back" value=(form.back());
                input type="hidden" name="confirmed" value="yes";
                input type="hidden" name="group" value=(group.key);
                @for name in ["type", "queue", "failure_type"] {
                    @if let Some(value) = form.get(name) { input type="hidden" name=(name) value=(value); }
                }
                button.primary.danger[action == "discard"] #confirm name="action" value=(action) { (word) " " (counted(ids.len() as u64, "job")) }
                a.button href=(view.link(form.back())) { "Keep things as they are" }
            }
            p.muted { a href=(view.link(&format!("/dead{}", query([("type", Some(group.newest.job_type.as_str()))])))) { "Dead letters of this type" } }
        } }
    };
    framed(view, &Page { title: &title, section: Section::DeadLetters, aside: html! {}, content, dead_letters: None })
}

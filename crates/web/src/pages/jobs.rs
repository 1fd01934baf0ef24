pub(super) mod act;
pub(super) mod detail;
pub(super) mod edit;
pub(super) mod filter;
pub(super) mod listing;
pub(super) mod search;
pub(super) mod table;

use std::collections::BTreeSet;

use axum::http::Uri;
use longshore_core::{FailureType, Job, JobPage, JobPageRequest, QueueStats, Status, WorkerRecord};
use maud::{Markup, html};

use self::filter::JobFilter;
use self::table::{Bulk, job_table};
use super::drawing::table::status_in_words;
use super::drawing::text::{number, visible};
use super::layout::{Page, Section, framed};
use super::overview::total;
use super::view::View;
use crate::error::ApiError;
use crate::search::{Field, Found};
use crate::state::State;

/// How many queues, and how many types of workers, the filter suggests.
const SUGGESTED_MAX: usize = 200;
/// How many jobs a page lists.
pub(super) const PAGE: u32 = 50;

/// The jobs that a filter selects, newest first.
pub(super) async fn show(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let filter = JobFilter::of_query(uri.query().unwrap_or_default())?;
    let queues = state.shown().stats(0).await?.queues;
    // They only make suggestions, so the page does without them.
    let workers = state.shown().workers().await.unwrap_or_default();
    if !filter.contents.is_empty() {
        let found = listing::find(&state, &filter).await?;
        let known = Known::new(&queues, &workers, &found.jobs);
        let content = draw_found(&view, &filter, &found, &queues, &known);
        return Ok(page(&view, content, &queues));
    }
    let jobs = match filter.count_of(&queues) {
        // The counts know that there is none, and a search for it would look at every job.
        Some(0) => Some(JobPage { jobs: Vec::new(), next: None }),
        _ => {
            let looked_max = Some(filter.reach.looked_max());
            let after = filter.after.clone();
            let request = JobPageRequest { selection: filter.selection(), after, limit: PAGE, looked_max };
            listing::read(&state, request).await?
        }
    };
    let known = Known::new(&queues, &workers, jobs.as_ref().map_or(&[][..], |jobs| jobs.jobs.as_slice()));
    let content = draw(&view, &filter, jobs.as_ref(), &queues, &known);
    Ok(page(&view, content, &queues))
}

fn page(view: &View, content: Markup, queues: &[QueueStats]) -> Markup {
    let aside = html! {
        @if view.may_enqueue() { a.button href=(view.link("/jobs/new")) { "Enqueue a job" } }
    };
    let dead_letters = Some(total(queues, Status::DeadLetter));
    framed(view, &Page { title: "Jobs", section: Section::Jobs, aside, content, dead_letters })
}

fn draw(view: &View, filter: &JobFilter, jobs: Option<&JobPage>, queues: &[QueueStats], known: &Known<'_>) -> Markup {
    // Only the first page is live: on a later one, rows would move from page to page.
    let is_live = filter.after.is_none();
    html! {
        (tabs(view, filter, queues))
        (filters(view, filter, known))
        div #jobs data-live[is_live] {
            @match jobs {
                None => (listing::gave_up()),
                Some(jobs) => {
                    (listing::extent(view, filter, jobs, PAGE))
                    section.panel aria-label="Jobs" {
                        @let bulk = Bulk { filter, count: filter.count_of(queues), actions: Bulk::FOR_JOBS };
                        (job_table(view, &bulk, &jobs.jobs))
                        (pager(view, filter, jobs))
                    }
                },
            }
        }
    }
}

/// The jobs of a search. It is not live, because each look reads many jobs.
fn draw_found(view: &View, filter: &JobFilter, found: &Found, queues: &[QueueStats], known: &Known<'_>) -> Markup {
    // Only a search that has seen all jobs knows the number.
    let is_all = filter.after.is_none() && found.next.is_none();
    let bulk = Bulk { filter, count: is_all.then_some(found.jobs.len() as u64), actions: Bulk::FOR_JOBS };
    html! {
        (tabs(view, filter, queues))
        (filters(view, filter, known))
        (listing::extent_of_search(view, filter, found))
        div #jobs { section.panel aria-label="Jobs" { (job_table(view, &bulk, &found.jobs)) } }
    }
}

/// Names that the filter suggests: those that the page has read anyway, and the types of the workers.
struct Known<'a> {
    queues: BTreeSet<&'a str>,
    job_types: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn new(queues: &'a [QueueStats], workers: &'a [WorkerRecord], jobs: &'a [Job]) -> Self {
        let of_workers = workers.iter().flat_map(|worker| &worker.job_types).map(String::as_str);
        let of_jobs = jobs.iter().map(|job| job.job_type.as_str());
        Self {
            queues: queues.iter().map(|queue| queue.queue.as_str()).take(SUGGESTED_MAX).filter(is_plain).collect(),
            job_types: of_jobs.chain(of_workers.take(SUGGESTED_MAX)).filter(is_plain).collect(),
        }
    }
}

/// Whether a list of a browser shows a name as it is: it has no place for escapes.
fn is_plain(name: &&str) -> bool {
    visible(name) == **name
}

fn suggestions(id: &str, names: &BTreeSet<&str>) -> Markup {
    html! { datalist id=(id) { @for name in names { option value=(name) {} } } }
}

/// The statuses with their counts, which the store keeps for each queue.
fn tabs(view: &View, filter: &JobFilter, queues: &[QueueStats]) -> Markup {
    let of_queue: Vec<QueueStats> = match &filter.queue {
        Some(queue) => queues.iter().filter(|stats| &stats.queue == queue).cloned().collect(),
        None => queues.to_vec(),
    };
    // A filter by type or failure has no kept count.
    let is_counted = filter.count_of(&[]).is_some();
    let all: u64 = Status::ALL.into_iter().map(|status| total(&of_queue, status)).sum();
    let tab = |status: Option<Status>, name: &str, count: u64| {
        let path = JobFilter { status, ..filter.clone().without_place() }.path();
        html! {
            a href=(view.link(&path)) aria-current=[(filter.status == status).then_some("page")] {
                (name)
                @if is_counted { span.count { (number(count)) } }
            }
        }
    };
    html! {
        nav #tabs.tabs data-live aria-label="Status" {
            (tab(None, "All", all))
            @for status in Status::ALL { (tab(Some(status), status_in_words(status), total(&of_queue, status))) }
        }
    }
}

/// The form of the filter. A script folds it on a small screen, so that the list is on the first one.
fn filters(view: &View, filter: &JobFilter, known: &Known<'_>) -> Markup {
    let is_filtered = JobFilter { status: None, ..filter.clone().without_place() } != JobFilter::default();
    html! {
        details.fold #filter open data-fold {
            summary { "Filter" @if is_filtered { " (set)" } }
            (filter_form(view, filter, is_filtered))
            (suggestions("known-types", &known.job_types))
            (suggestions("known-queues", &known.queues))
        }
    }
}

fn filter_form(view: &View, filter: &JobFilter, is_filtered: bool) -> Markup {
    let clear = JobFilter { status: filter.status, ..JobFilter::default() };
    html! {
        form.filters method="get" action=(view.link("/jobs")) aria-label="Filter" {
            @if let Some(status) = filter.status { input type="hidden" name="status" value=(status); }
            label.sr for="filter-type" { "Type" }
            input #filter-type name="type" placeholder="Type" list="known-types" value=(filter.job_type.as_deref().unwrap_or_default()) maxlength="200";
            label.sr for="filter-queue" { "Queue" }
            input #filter-queue name="queue" placeholder="Queue" list="known-queues" value=(filter.queue.as_deref().unwrap_or_default()) maxlength="200";
            label.sr for="filter-failure" { "Last failure" }
            select #filter-failure name="failure_type" {
                option value="" { "Any failure" }
                @for kind in FailureType::ALL {
                    option value=(kind) selected[filter.failure_type == Some(kind)] { (kind.as_str().replace('_', " ")) }
                }
            }
            label.sr for="filter-error" { "Words of the error" }
            input #filter-error name="error" placeholder="Error contains" value=(filter.contents.error.as_deref().unwrap_or_default()) maxlength="500";
            label.sr for="filter-tag" { "Tag" }
            input #filter-tag name="tag" placeholder="Tag" value=(filter.contents.tag.as_deref().unwrap_or_default()) maxlength="500";
            label.sr for="filter-field" { "Field of the payload" }
            input #filter-field name="field" placeholder="/order/id=7" title="A JSON pointer into the payload and a value" value=(filter.contents.field.as_ref().map_or("", Field::as_str)) maxlength="500";
            button { "Filter" }
            @if is_filtered { a href=(view.link(&clear.path())) { "Clear" } }
        }
    }
}

fn pager(view: &View, filter: &JobFilter, jobs: &JobPage) -> Markup {
    html! {
        @if filter.after.is_some() || jobs.next.is_some() {
            nav.pager aria-label="Pages of jobs" {
                @if filter.after.is_some() {
                    a.button.small href=(view.link(&filter.clone().without_place().path())) { "Newest" }
                }
                span.spacer {}
                @match &jobs.next {
                    Some(next) => a.button.small rel="next" href=(view.link(&JobFilter { after: Some(next.clone()), ..filter.clone() }.path())) { "Older" },
                    None => span { "These are the oldest." },
                }
            }
        }
    }
}

/// The name of a filter for people, such as `dead letters of type mail`.
pub(super) fn filter_in_words(filter: &JobFilter) -> String {
    let mut words = match filter.status {
        None => "jobs".to_owned(),
        Some(Status::DeadLetter) => "dead letters".to_owned(),
        Some(status) => format!("{status} jobs"),
    };
    if let Some(job_type) = &filter.job_type {
        words += &format!(" of type {}", visible(job_type));
    }
    if let Some(queue) = &filter.queue {
        words += &format!(" in queue {}", visible(queue));
    }
    if let Some(kind) = filter.failure_type {
        words += &format!(" whose last failure was a {}", kind.as_str().replace('_', " "));
    }
    if !filter.contents.is_empty() {
        words += &format!(" with {}", visible(&act::looked_for(&filter.contents)));
    }
    words
}

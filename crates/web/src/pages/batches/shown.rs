use axum::http::Uri;
use longshore_core::{
    BatchId, BatchJob, BatchJobsRequest, BatchRecord, BatchRole, BatchStatus, Dependency, DependencyTarget, JobId,
    Needs,
};
use maud::{Markup, html};

use super::drawing::drawn;
use super::graph::Graph;
use super::{badge, given_name, parsed, progress};
use crate::api::batches::no_such;
use crate::error::ApiError;
use crate::input::PathId;
use crate::input::pairs::Pairs;
use crate::pages::drawing::instant::exact;
use crate::pages::drawing::table::{badge as job_badge, job_link, type_link};
use crate::pages::drawing::text::{counted, line, number};
use crate::pages::layout::{Page, Section, framed, hidden};
use crate::pages::view::View;
use crate::state::State;

/// How many jobs the graph is made of, and how many a page lists.
const GRAPH_MAX: u32 = 1000;
const LISTED: usize = 100;

/// One batch: its counts, its jobs as a graph and as a list, what its callbacks are.
pub(in crate::pages) async fn show(
    State(state): State,
    view: View,
    PathId(id): PathId<BatchId>,
    uri: Uri,
) -> Result<Markup, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let after: Option<JobId> = parsed(&asked, "after")?;
    let batch = state.shown().batch(id).await?.ok_or_else(|| no_such(id))?;
    let request = BatchJobsRequest { id, after, limit: GRAPH_MAX };
    let jobs = state.shown().batch_jobs(request).await?;
    let title = format!("Batch {id}");
    let content = html! {
        div #batch data-live {
            (head(&view, &batch))
            (tiles(&batch))
            @if after.is_none() { (graph_panel(&view, &batch, &jobs)) (callbacks(&view, &jobs)) }
            (jobs_panel(&view, &batch, &jobs, after))
        }
    };
    let aside = actions(&view, &batch);
    let page = Page { title: &title, section: Section::Batches, aside, content, dead_letters: None };
    Ok(framed(&view, &page))
}

fn actions(view: &View, batch: &BatchRecord) -> Markup {
    let counts = &batch.counts;
    html! {
        @if view.may_operate() {
            form.actions method="post" action=(view.link("/batches/act")) {
                (hidden(view))
                input type="hidden" name="id" value=(batch.id);
                @if counts.dead_letter + counts.cancelled > 0 { button.primary name="action" value="retry" data-key-r { "Retry" } }
                @if batch.status == BatchStatus::Open { button name="action" value="close" { "Close" } }
                @if counts.unended() > 0 { button.danger name="action" value="cancel" { "Cancel" } }
            }
        }
    }
}

fn head(view: &View, batch: &BatchRecord) -> Markup {
    let at = |instant| exact(instant, view.now, &view.zone);
    html! {
        p.head { span.title { span.title-line {
            (badge(batch.status))
            strong { (line(&batch.name)) }
            (progress(&batch.counts))
            span.muted { "created " (at(batch.created_at)) }
            @if let Some(ended) = batch.ended_at { span.muted { "finished " (at(ended)) } }
        } } }
    }
}

fn tiles(batch: &BatchRecord) -> Markup {
    let counts = &batch.counts;
    let tile = |label: &str, value: u64, note: &str| {
        html! {
            div.tile {
                div.label { (label) }
                div.value { (number(value)) }
                @if !note.is_empty() { div.note { (note) } }
            }
        }
    };
    let members = if batch.closed_at.is_some() { "" } else { "open: more may come" };
    html! {
        div.tiles {
            (tile("Members", counts.members, members))
            (tile("Not ended", counts.unended(), ""))
            (tile("Completed", counts.completed, ""))
            (tile("Cancelled", counts.cancelled, ""))
            (tile("Dead letters", counts.dead_letter, ""))
            (tile("Callbacks", batch.callbacks, ""))
        }
    }
}

fn graph_panel(view: &View, batch: &BatchRecord, jobs: &[BatchJob]) -> Markup {
    let graph = Graph::new(jobs);
    let all = batch.counts.members.saturating_add(batch.callbacks);
    html! {
        @if !jobs.is_empty() {
            section.panel aria-labelledby="graph" {
                header {
                    h2 #graph { "Graph" }
                    span.muted { "from left to right: a job waits for what its lines come from" }
                }
                div.body { (drawn(view, &graph)) }
                @if graph.later > 0 { p.empty { "and " (number(graph.later as u64)) " more in later steps" } }
                @if jobs.len() == GRAPH_MAX as usize && all > u64::from(GRAPH_MAX) {
                    p.empty { "These are the first " (number(u64::from(GRAPH_MAX))) " of " (counted(all, "job")) "." }
                }
            }
        }
    }
}

/// The jobs that wait for the batch itself, among those that were read.
fn callbacks(view: &View, jobs: &[BatchJob]) -> Markup {
    let callbacks: Vec<&BatchJob> = jobs.iter().filter(|job| job.role == BatchRole::Callback).take(LISTED).collect();
    html! {
        @if !callbacks.is_empty() {
            section.panel aria-labelledby="callbacks" {
                header { h2 #callbacks { "Callbacks" } span.muted { "run once, after the batch" } }
                (job_table(view, &callbacks))
            }
        }
    }
}

fn jobs_panel(view: &View, batch: &BatchRecord, jobs: &[BatchJob], after: Option<JobId>) -> Markup {
    let members: Vec<&BatchJob> = jobs.iter().filter(|job| job.role == BatchRole::Member).take(LISTED).collect();
    let is_more = jobs.len() == GRAPH_MAX as usize
        || jobs.iter().filter(|job| job.role == BatchRole::Member).count() > members.len();
    let next = members.last().map(|job| job.id).or(jobs.last().map(|job| job.id)).filter(|_| is_more);
    let path = format!("/batches/{}", batch.id);
    html! {
        section.panel aria-labelledby="members" {
            header { h2 #members { "Members" } span.muted { "by id" } }
            @if members.is_empty() {
                p.empty { @if jobs.is_empty() && after.is_none() { "No member is kept." } @else { "There are no other members." } }
            } @else {
                (job_table(view, &members))
            }
            @if after.is_some() || next.is_some() {
                nav.pager aria-label="Pages of members" {
                    @if after.is_some() { a.button.small href=(view.link(&path)) { "First" } }
                    span.spacer {}
                    @if let Some(next) = next { a.button.small rel="next" href=(view.link_with(&path, "after", &next.to_string())) { "Next" } }
                }
            }
        }
    }
}

fn job_table(view: &View, jobs: &[&BatchJob]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Id" } th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Status" } th scope="col" { "Waits for" }
            } }
            tbody {
                @for job in jobs {
                    tr data-key=(job.id) {
                        td { (job_link(view, job.id)) }
                        td.name { @match given_name(job) { Some(name) => (line(name)), None => span.muted { "–" } } }
                        td.name { (type_link(view, &job.job_type)) }
                        td { (job_badge(job.status)) }
                        td.wide { (waits(view, job)) }
                    }
                }
            }
        } }
    }
}

fn waits(view: &View, job: &BatchJob) -> Markup {
    html! {
        @for (place, dependency) in job.dependencies.iter().enumerate() {
            @if place > 0 { ", " }
            (target(view, dependency))
        }
        @if job.dependencies.len() == BatchJob::DEPENDENCIES_MAX as usize { " …" }
    }
}

/// What is waited for, with a link.
pub(in crate::pages) fn target(view: &View, dependency: &Dependency) -> Markup {
    html! {
        @match dependency.needs {
            Needs::Completed => {},
            Needs::Ended => "the end of ",
            Needs::Failed => "the failure of ",
        }
        @match &dependency.on {
            DependencyTarget::Job { job_id, .. } => {
                (job_link(view, *job_id))
                @if let Some(name) = &dependency.reference { " " span.muted { (line(name)) } }
            },
            DependencyTarget::Batch { batch_id, .. } => { "batch " a.mono href=(view.link(&format!("/batches/{batch_id}"))) { (batch_id) } },
            DependencyTarget::Signal { signal } => { "signal " (line(signal)) },
        }
    }
}

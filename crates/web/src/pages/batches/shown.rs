use std::collections::BTreeSet;

use axum::http::Uri;
use longshore_core::{
    BatchId, BatchJob, BatchJobPage, BatchJobsRequest, BatchRecord, BatchRole, BatchStatus, Dependency,
    DependencyState, DependencyTarget, JobId, Needs, Status, UnknownStatus,
};
use maud::{Markup, html};

use super::drawing::drawn;
use super::graph::Graph;
use super::{badge, given_name, parsed, progress};
use crate::api::batches::no_such;
use crate::error::ApiError;
use crate::input::PathId;
use crate::input::pairs::{Pairs, query};
use crate::pages::drawing::instant::exact;
use crate::pages::drawing::table::{badge as job_badge, job_link, status_in_words, type_link};
use crate::pages::drawing::text::{counted, line, number};
use crate::pages::layout::{Page, Section, framed, hidden};
use crate::pages::view::View;
use crate::state::State;

/// How many jobs the graph is made of, and how many a page lists.
const GRAPH_MAX: u32 = 1000;
const LISTED: u32 = 100;

/// Which members a page lists.
#[derive(Clone, Debug, Default)]
struct Part {
    statuses: Option<Vec<Status>>,
    after: Option<JobId>,
}

impl Part {
    fn of_query(asked: &Pairs) -> Result<Self, ApiError> {
        let words = asked.get("status").map(|words| words.split(',').map(str::parse).collect());
        let statuses = words.transpose().map_err(|error: UnknownStatus| ApiError::invalid(error.to_string()))?;
        Ok(Self { statuses, after: parsed(asked, "after")? })
    }

    /// Whether the page begins with the first member and leaves none out.
    const fn is_whole(&self) -> bool {
        self.statuses.is_none() && self.after.is_none()
    }

    fn of_statuses(statuses: &[Status]) -> Self {
        Self { statuses: Some(statuses.to_vec()), after: None }
    }

    /// The page of this part.
    fn path(&self, batch: BatchId) -> String {
        let words =
            self.statuses.as_ref().map(|all| all.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(","));
        let after = self.after.map(|after| after.to_string());
        format!("/batches/{batch}{}", query([("status", words.as_deref()), ("after", after.as_deref())]))
    }
}

/// One batch: its counts, its jobs as a graph and as a list, what its callbacks are.
pub(in crate::pages) async fn show(
    State(state): State,
    view: View,
    PathId(id): PathId<BatchId>,
    uri: Uri,
) -> Result<Markup, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let part = Part::of_query(&asked)?;
    let batch = state.shown().batch(id).await?.ok_or_else(|| no_such(id))?;
    let limit = if part.is_whole() { GRAPH_MAX } else { LISTED };
    let request = BatchJobsRequest { id, statuses: part.statuses.clone(), after: part.after, limit };
    let page = state.shown().batch_jobs(request).await?;
    let title = format!("Batch {id}");
    let content = html! {
        div #batch data-live {
            (head(&view, &batch))
            (tiles(&view, &batch, &part))
            @if view.may_operate() { (signals(&view, &batch, &page.jobs)) }
            @if part.is_whole() { (graph_panel(&view, &batch, &page.jobs)) (callbacks(&view, &page.jobs)) }
            (jobs_panel(&view, &batch, &page, &part))
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

/// The counts of the batch. Those of a status lead to its members.
fn tiles(view: &View, batch: &BatchRecord, part: &Part) -> Markup {
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
    let linked = |label: &str, value: u64, statuses: &[Status]| {
        let there = Part::of_statuses(statuses);
        let is_here = part.statuses == there.statuses;
        html! {
            a.tile href=(view.link(&there.path(batch.id))) aria-current=[is_here.then_some("true")] {
                div.label { (label) }
                div.value { (number(value)) }
            }
        }
    };
    let members = if batch.closed_at.is_some() { "" } else { "open: more may come" };
    let unended: Vec<Status> = Status::ALL.into_iter().filter(|status| !status.is_ended()).collect();
    html! {
        div.tiles {
            (tile("Members", counts.members, members))
            (linked("Not ended", counts.unended(), &unended))
            (linked("Completed", counts.completed, &[Status::Completed]))
            (linked("Cancelled", counts.cancelled, &[Status::Cancelled]))
            (linked("Dead letters", counts.dead_letter, &[Status::DeadLetter]))
            (tile("Callbacks", batch.callbacks, ""))
        }
    }
}

/// The signals that these jobs wait for, each with a button that sends it.
fn signals(view: &View, batch: &BatchRecord, jobs: &[BatchJob]) -> Markup {
    let awaited: BTreeSet<&str> = jobs
        .iter()
        .filter(|job| job.status == Status::Blocked)
        .flat_map(|job| &job.dependencies)
        .filter_map(awaited_signal)
        .collect();
    html! {
        @if !awaited.is_empty() {
            section.panel #signals aria-labelledby="signals-title" {
                header { h2 #signals-title { "Awaited signals" } }
                @for name in awaited.into_iter().take(LISTED as usize) {
                    form.bulk method="post" action=(view.link("/batches/act")) {
                        (hidden(view))
                        input type="hidden" name="id" value=(batch.id);
                        input type="hidden" name="name" value=(name);
                        span.what { (line(name)) }
                        button.small name="action" value="signal" { "Send" }
                    }
                }
            }
        }
    }
}

fn awaited_signal(dependency: &Dependency) -> Option<&str> {
    match &dependency.on {
        DependencyTarget::Signal { signal } if dependency.state == DependencyState::Waiting => Some(signal.as_str()),
        _ => None,
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
    let callbacks: Vec<&BatchJob> =
        jobs.iter().filter(|job| job.role == BatchRole::Callback).take(LISTED as usize).collect();
    html! {
        @if !callbacks.is_empty() {
            section.panel aria-labelledby="callbacks" {
                header { h2 #callbacks { "Callbacks" } span.muted { "run once, after the batch" } }
                (job_table(view, &callbacks))
            }
        }
    }
}

fn jobs_panel(view: &View, batch: &BatchRecord, page: &BatchJobPage, part: &Part) -> Markup {
    let is_member = |job: &&BatchJob| job.role == BatchRole::Member;
    let members: Vec<&BatchJob> = page.jobs.iter().filter(is_member).take(LISTED as usize).collect();
    // A page that is read for the graph has more members than are listed.
    let is_cut = page.jobs.iter().filter(is_member).count() > members.len();
    let next = if is_cut { members.last().map(|job| job.id) } else { page.next };
    let further = next.map(|next| Part { after: Some(next), ..part.clone() });
    html! {
        section.panel aria-labelledby="members" {
            header {
                h2 #members { "Members" }
                @match &part.statuses {
                    None => span.muted { "by id" },
                    Some(statuses) => {
                        span.muted { @for (place, status) in statuses.iter().enumerate() { @if place > 0 { ", " } (status_in_words(*status)) } }
                        a href=(view.link(&Part::default().path(batch.id))) { "All" }
                    },
                }
            }
            @if !members.is_empty() {
                (job_table(view, &members))
            } @else if next.is_some() && part.statuses.is_some() {
                p.empty { "None among the " @if part.after.is_some() { "next " } @else { "first " } (counted(u64::from(BatchJobPage::LOOKED_MAX), "job")) "." }
            } @else if part.is_whole() {
                p.empty { "No member is kept." }
            } @else if part.after.is_none() {
                p.empty { "No kept member has this status." }
            } @else {
                p.empty { "There are no others." }
            }
            @if part.after.is_some() || further.is_some() {
                nav.pager aria-label="Pages of members" {
                    @if part.after.is_some() {
                        a.button.small href=(view.link(&Part { after: None, ..part.clone() }.path(batch.id))) { "First" }
                    }
                    span.spacer {}
                    @if let Some(further) = further { a.button.small rel="next" href=(view.link(&further.path(batch.id))) { "Next" } }
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

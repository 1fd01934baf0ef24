use longshore_core::{
    BatchRole, Dependency, DependencyState, DependencyTarget, Dependents as Kind, DependentsRequest, JobDetail, JobId,
    Status, StoreError,
};
use longshore_report::DependentList;
use maud::{Markup, html};

use crate::pages::batches::target;
use crate::pages::drawing::instant::ago;
use crate::pages::drawing::table::{badge, job_link, type_link};
use crate::pages::drawing::text::line;
use crate::pages::view::View;
use crate::shown::Shown;

/// How many jobs that wait for this one are shown, and how many children.
const DEPENDENTS_MAX: u32 = 50;
/// How many of the things that a job waits for are shown.
const DEPENDENCIES_SHOWN: usize = 50;

/// The first jobs that depend on a job.
pub(super) struct Dependents {
    waiting: DependentList,
    /// Those that no longer wait for it.
    children: DependentList,
}

impl Dependents {
    pub(super) async fn read(shown: &Shown, id: JobId) -> Result<Self, StoreError> {
        let request = |which| DependentsRequest { id, which, after: None, limit: DEPENDENTS_MAX };
        let waiting = shown.dependents(request(Kind::Waiting)).await?;
        let mut children = shown.dependents(request(Kind::Children)).await?;
        children.jobs.retain(|child| child.status != Status::Blocked);
        Ok(Self { waiting, children })
    }
}

/// The batch of a job, what it waits or waited for, who waits for it, and its children. Nothing for a job that is alone.
pub(super) fn panel(view: &View, detail: &JobDetail, dependents: &Dependents) -> Markup {
    let place = &detail.place;
    let Dependents { waiting, children } = dependents;
    let has_none = waiting.jobs.is_empty() && children.jobs.is_empty();
    let is_alone = place.batch_id.is_none() && detail.dependencies.is_empty() && has_none;
    html! {
        @if !is_alone {
            section.panel #workflow aria-labelledby="workflow-title" {
                header {
                    h2 #workflow-title { "Workflow" }
                    @if let Some(batch) = place.batch_id {
                        span {
                            @if place.batch_role == Some(BatchRole::Callback) { "callback of " }
                            a href=(view.link(&format!("/batches/{batch}"))) { "batch " (batch) }
                        }
                    }
                    @if let Some(name) = &place.reference { span.tag { (line(name)) } }
                }
                @if !detail.dependencies.is_empty() { (waits(view, detail)) }
                @if !waiting.jobs.is_empty() { (table(view, "Waited for by", waiting)) }
                @if !children.jobs.is_empty() { (table(view, "Children", children)) }
            }
        }
    }
}

fn waits(view: &View, detail: &JobDetail) -> Markup {
    let left_out = detail.dependencies.len().saturating_sub(DEPENDENCIES_SHOWN);
    html! {
        div.scroll { table aria-label="What it waits for" {
            thead { tr { th scope="col" { "Waits for" } th scope="col" { "State" } th scope="col" { "It is" } } }
            tbody {
                @for dependency in detail.dependencies.iter().take(DEPENDENCIES_SHOWN) {
                    tr {
                        td {
                            (target(view, dependency))
                            @if is_parent(detail, dependency) { " " span.tag { "parent" } }
                            @if let Some(until) = dependency.timeout_at { div.sub { "until " (ago(until, view.now, &view.zone)) } }
                        }
                        td { (state(dependency.state)) }
                        td { (is_now(dependency)) }
                    }
                }
            }
        } }
        @if left_out > 0 { p.empty { "and " (left_out) " more" } }
    }
}

fn is_parent(detail: &JobDetail, dependency: &Dependency) -> bool {
    matches!(dependency.on, DependencyTarget::Job { job_id, .. } if detail.job.parent_job_id == Some(job_id))
}

fn state(state: DependencyState) -> Markup {
    let class = match state {
        DependencyState::Waiting => "pending",
        DependencyState::Met => "completed",
        DependencyState::Passed => "cancelled",
        DependencyState::Failed => "dead_letter",
    };
    html! { span class={ "badge " (class) } { (state.as_str()) } }
}

fn is_now(dependency: &Dependency) -> Markup {
    html! {
        @match &dependency.on {
            DependencyTarget::Job { status: Some(status), .. } => (badge(*status)),
            DependencyTarget::Batch { batch_status: Some(status), .. } => (status.as_str()),
            DependencyTarget::Job { .. } | DependencyTarget::Batch { .. } => span.muted { "deleted" },
            DependencyTarget::Signal { .. } => span.muted { "–" },
        }
    }
}

fn table(view: &View, name: &str, dependents: &DependentList) -> Markup {
    html! {
        div.scroll { table aria-label=(name) {
            thead { tr { th scope="col" { (name) } th scope="col" { "Type" } th scope="col" { "Status" } } }
            tbody {
                @for dependent in &dependents.jobs {
                    tr {
                        td { (job_link(view, dependent.id)) @if dependent.is_child && dependent.status == Status::Blocked { " " span.tag { "child" } } }
                        td.name { (type_link(view, &dependent.job_type)) }
                        td { (badge(dependent.status)) }
                    }
                }
            }
        } }
        @if dependents.next.is_some() { p.empty { "and more" } }
    }
}

mod drawing;
mod fields;

use std::collections::BTreeSet;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use longshore_core::{Deed, Enqueued, InvalidId, Job, JobEdit, JobId, Status};
use maud::{Markup, html};

use self::fields::{Fields, Problem, version};
use crate::audit::Audit;
use crate::error::ApiError;
use crate::input::PathId;
use crate::input::pairs::Pairs;
use crate::pages::drawing::json;
use crate::pages::form::{CheckedForm, done};
use crate::pages::layout::{Page, Section, framed};
use crate::pages::view::View;
use crate::state::{State, WebState};

/// The form for a new job, filled in like another job if the query says so.
pub(in crate::pages) async fn new(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let query = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let fields = match query.get("like") {
        Some(id) => {
            let id: JobId = id.parse().map_err(|error: InvalidId| ApiError::invalid(error.to_string()))?;
            Fields { like: Some(id), ..Fields::of(&job(&state, id).await?) }
        }
        None => Fields::empty(),
    };
    let types = known_types(&state).await?;
    Ok(framed(&view, &page("Enqueue a job", drawing::of_new(&view, &fields, &types, None))))
}

/// `POST /jobs/new`: makes the job.
pub(in crate::pages) async fn create(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let fields = Fields::of_form(&form)?;
    match enqueue(&state, &audit, &fields).await {
        Ok(enqueued) => {
            let words = said(&state, &fields.job_type, enqueued).await;
            Ok(done(&view, &format!("/jobs/{}", enqueued.id), &words))
        }
        Err(problem) if problem.is_of_the_form() => {
            let types = known_types(&state).await?;
            let form = drawing::of_new(&view, &fields, &types, Some(&problem));
            Ok((problem.status(), framed(&view, &page("Enqueue a job", form))).into_response())
        }
        Err(problem) => Err(problem.error),
    }
}

async fn enqueue(state: &WebState, audit: &Audit, fields: &Fields) -> Result<Enqueued, Problem> {
    let mut job_data = fields.payload()?;
    if let Some(id) = fields.like {
        let restored = state.shown().restored(job_data, id).await;
        job_data = restored.map_err(|error| Problem::at("job_data", error))?;
    }
    let job = fields.new_job((state.settings().defaults)(&fields.job_type), job_data)?;
    let deed = Deed::new("enqueue", format!("a job of type {}", job.job_type));
    Ok(audit.change(deed, state.shown().enqueue(job, None)).await?)
}

/// What was done, and whether a worker can run it.
async fn said(state: &WebState, job_type: &str, enqueued: Enqueued) -> String {
    let id = enqueued.id;
    if enqueued.is_duplicate {
        return format!("Job {id} has this unique key and has not ended, so no second job was made.");
    }
    // A user of some queues does not see all that workers know. And the job is made, whatever the answer is.
    let is_unknown = state.shown().sees_all() && known_types(state).await.is_ok_and(|types| !types.contains(job_type));
    let warning = if is_unknown { " No running worker knows its type." } else { "" };
    format!("Enqueued job {id}.{warning}")
}

/// The types that living workers know.
async fn known_types(state: &WebState) -> Result<BTreeSet<String>, ApiError> {
    let workers = state.shown().workers().await?;
    Ok(workers.into_iter().filter(|worker| worker.is_alive).flat_map(|worker| worker.job_types).collect())
}

/// The form that changes a job.
pub(in crate::pages) async fn show(State(state): State, view: View, PathId(id): PathId) -> Result<Markup, ApiError> {
    let job = job(&state, id).await?;
    Ok(edit_page(&view, &job, &Fields::of(&job), None))
}

/// `POST /jobs/{id}/edit`: changes what differs.
pub(in crate::pages) async fn save(
    State(state): State,
    audit: Audit,
    view: View,
    PathId(id): PathId,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let (old, fields) = (job(&state, id).await?, Fields::of_form(&form)?);
    match change(&state, &audit, &old, &fields).await {
        Ok(words) => Ok(done(&view, &format!("/jobs/{id}"), &words)),
        Err(problem) if problem.is_of_the_form() => {
            Ok((problem.status(), edit_page(&view, &old, &fields, Some(&problem))).into_response())
        }
        Err(problem) => Err(problem.error),
    }
}

async fn change(state: &WebState, audit: &Audit, old: &Job, fields: &Fields) -> Result<String, Problem> {
    let id = old.id;
    if fields.made_from.as_deref() != Some(version(old).as_str()) {
        let message = format!("job {id} has changed since this form was made");
        let error = ApiError::new(StatusCode::CONFLICT, "changed_meanwhile", message);
        return Err(error.hint("compare the two, then save again: your text replaces what the job has now").into());
    }
    let job_data = fields.payload()?;
    let mut edit = JobEdit::new();
    edit.job_type = (fields.job_type != old.job_type).then(|| fields.job_type.clone());
    edit.queue = (fields.queue != old.queue).then(|| fields.queue.clone());
    // White space alone is no change, because the form shows the document with its own.
    let is_same = json::indented(job_data.as_str()) == json::indented(old.job_data.as_str());
    if !is_same {
        let restored = state.shown().restored(job_data, id).await;
        edit.job_data = Some(restored.map_err(|error| Problem::at("job_data", error))?);
    }
    if edit == JobEdit::default() {
        return Ok("Nothing differs, so nothing was changed.".to_owned());
    }
    let deed = Deed::edit(id, &edit);
    let actioned = audit.change(deed, state.shown().edit(id, edit)).await?;
    if let Some(refusal) = actioned.refused.first() {
        return Err(ApiError::from(*refusal).into());
    }
    Ok(format!("Changed job {id}."))
}

async fn job(state: &WebState, id: JobId) -> Result<Job, ApiError> {
    let detail = state.shown().job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    Ok(detail.job)
}

fn edit_page(view: &View, job: &Job, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let content = html! {
        @if job.status == Status::DeadLetter {
            p.notice { "The job stays a dead letter until it is retried." }
        }
        (drawing::of_job(view, job, fields, problem))
    };
    framed(view, &page(&format!("Edit job {}", job.id), content))
}

fn page(title: &str, content: Markup) -> Page<'_> {
    Page { title, section: Section::Jobs, aside: html! {}, content, dead_letters: None }
}

use axum::http::Uri;
use axum::response::Response;
use longshore_core::{Deed, InvalidId, Job, JobData, JobEdit, JobId, NewJob, Status};
use maud::{Markup, html};

use crate::audit::Audit;
use crate::error::ApiError;
use crate::input::PathId;
use crate::input::pairs::Pairs;
use crate::pages::drawing::json;
use crate::pages::drawing::text::visible;
use crate::pages::form::{CheckedForm, done};
use crate::pages::layout::{Page, Section, framed, hidden};
use crate::pages::view::View;
use crate::state::{State, WebState};

/// The values of the fields of a form about one job.
struct Fields {
    job_type: String,
    queue: String,
    job_data: String,
    /// The job whose hidden values the placeholders of the payload stand for, if the form makes another one.
    like: Option<JobId>,
}

impl Default for Fields {
    fn default() -> Self {
        Self { job_type: String::new(), queue: "default".to_owned(), job_data: "{}".to_owned(), like: None }
    }
}

impl Fields {
    fn of(job: &Job) -> Self {
        let job_data = json::indented(job.job_data.as_str());
        Self { job_type: job.job_type.clone(), queue: job.queue.clone(), job_data, like: None }
    }
}

/// The form for a new job, filled in like another job if the query says so.
pub(in crate::pages) async fn new(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let query = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let fields = match query.get("like") {
        Some(id) => {
            let id: JobId = id.parse().map_err(|error: InvalidId| ApiError::invalid(error.to_string()))?;
            Fields { like: Some(id), ..Fields::of(&job(&state, id).await?) }
        }
        None => Fields::default(),
    };
    let content = form(&view, "/jobs/new", &fields, "Enqueue", true);
    let page = Page { title: "Enqueue a job", section: Section::Jobs, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// `POST /jobs/new`: makes the job.
pub(in crate::pages) async fn create(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let mut job_data = data(&form)?;
    if let Some(id) = form.get("like") {
        let id: JobId = id.parse().map_err(|error: InvalidId| ApiError::invalid(error.to_string()))?;
        job_data = state.shown().restored(job_data, id).await?;
    }
    let mut job = NewJob::new(form.required("job_type")?, job_data);
    job.queue = form.required("queue")?.to_owned();
    if let Some(priority) = form.get("priority") {
        job.priority =
            priority.parse().map_err(|error: longshore_core::InvalidPriority| ApiError::invalid(error.to_string()))?;
    }
    let deed = Deed::new("enqueue", format!("a job of type {}", job.job_type));
    let id = audit.change(deed, state.shown().enqueue(job, None)).await?.id;
    Ok(done(&view, &format!("/jobs/{id}"), &format!("Enqueued job {id}.")))
}

/// The form that changes a job.
pub(in crate::pages) async fn show(State(state): State, view: View, PathId(id): PathId) -> Result<Markup, ApiError> {
    let job = job(&state, id).await?;
    let title = format!("Edit job {}", job.id);
    let content = form(&view, &format!("/jobs/{}/edit", job.id), &Fields::of(&job), "Save", false);
    let content = html! {
        @if job.status == Status::DeadLetter {
            p.notice { "The job stays a dead letter until it is retried." }
        }
        (content)
    };
    let page = Page { title: &title, section: Section::Jobs, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// `POST /jobs/{id}/edit`: changes what differs.
pub(in crate::pages) async fn save(
    State(state): State,
    audit: Audit,
    view: View,
    PathId(id): PathId,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let old = job(&state, id).await?;
    let (job_type, queue, job_data) = (form.required("job_type")?, form.required("queue")?, data(&form)?);
    let mut edit = JobEdit::new();
    edit.job_type = (job_type != old.job_type).then(|| job_type.to_owned());
    edit.queue = (queue != old.queue).then(|| queue.to_owned());
    // White space alone is no change, because the form shows the document with its own.
    let is_same = json::indented(job_data.as_str()) == json::indented(old.job_data.as_str());
    if !is_same {
        edit.job_data = Some(state.shown().restored(job_data, id).await?);
    }
    let back = format!("/jobs/{}", old.id);
    if edit == JobEdit::default() {
        return Ok(done(&view, &back, "Nothing differs, so nothing was changed."));
    }
    let deed = Deed::edit(old.id, &edit);
    let actioned = audit.change(deed, state.shown().edit(old.id, edit)).await?;
    if let Some(refusal) = actioned.refused.first() {
        return Err(ApiError::from(*refusal));
    }
    Ok(done(&view, &back, &format!("Changed job {}.", old.id)))
}

async fn job(state: &WebState, id: JobId) -> Result<Job, ApiError> {
    let detail = state.shown().job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    Ok(detail.job)
}

fn data(form: &CheckedForm) -> Result<JobData, ApiError> {
    // A browser sends line breaks as CR LF.
    let text = form.required("job_data")?.replace("\r\n", "\n");
    JobData::parse(text).map_err(|error| {
        ApiError::invalid(format!("the payload is {error}")).hint("go back: the browser has kept what you wrote")
    })
}

fn form(view: &View, path: &str, fields: &Fields, button: &str, is_new: bool) -> Markup {
    html! {
        section.panel aria-label="Job" { div.body {
            form.form method="post" action=(view.link(path)) {
                (hidden(view))
                @if let Some(like) = fields.like { input type="hidden" name="like" value=(like); }
                div.field { label for="job_type" { "Type" } input #job_type name="job_type" required maxlength="200" value=(fields.job_type); }
                div.field { label for="queue" { "Queue" } input #queue name="queue" required maxlength="200" value=(fields.queue); }
                @if is_new {
                    div.field {
                        label for="new-priority" { "Priority" }
                        select #new-priority name="priority" {
                            @for name in ["low", "normal", "high", "urgent", "critical"] { option selected[name == "normal"] { (name) } }
                        }
                    }
                }
                div.field {
                    label for="job_data" { "Payload, one JSON document" }
                    textarea #job_data name="job_data" required spellcheck="false" { (fields.job_data) }
                }
                @if fields.job_data != visible(&fields.job_data) {
                    p.muted { "The payload has characters that cannot be seen." }
                }
                div.actions { button.primary { (button) } }
            }
        } }
    }
}

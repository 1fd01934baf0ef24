mod attempts;
mod timeline;
mod workflow;

use axum::http::Uri;
use longshore_core::{
    Attempt, ClaimNumber, DeadLetterCode, Explanation, Job, JobDetail, JobId, LogEndRequest, LogEntry, Priority,
    Status, StoreError, explain_with,
};
use maud::{Markup, html};

use super::table::percent;
use crate::error::ApiError;
use crate::input::PathId;
use crate::input::pairs::Pairs;
use crate::pages::drawing::instant::exact;
use crate::pages::drawing::json;
use crate::pages::drawing::table::{badge, job_link, queue_link, type_link};
use crate::pages::drawing::text::{SHOWN_BYTES_MAX, boxed, bytes, tail, visible};
use crate::pages::layout::{Page, Section, framed, hidden};
use crate::pages::view::View;
use crate::shown::Shown;
use crate::state::State;

/// One job: why it does not run, its time line, its attempts, what it was given and what came of it.
pub(in crate::pages) async fn show(
    State(state): State,
    view: View,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Markup, ApiError> {
    let shown = state.shown();
    let detail = shown.job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    let facts = shown.waiting_facts(id).await?;
    let explanation = facts.as_ref().map(|facts| explain_with(facts, &|at| view.zone.full(at)));
    let log = match attempt_of(&uri, &detail)? {
        Some(attempt) => Some(AttemptLog { attempt, entries: log_end(shown, id, attempt.claim_number).await? }),
        None => None,
    };
    let dependents = workflow::Dependents::read(shown, id).await?;
    let title = format!("Job {id}");
    let workflow = workflow::panel(&view, &detail, &dependents);
    let content = draw(&view, &detail, explanation.as_ref(), &workflow, log.as_ref());
    let page =
        Page { title: &title, section: Section::Jobs, aside: actions(&view, &detail.job), content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// What is shown of the log of an attempt.
struct AttemptLog<'a> {
    attempt: &'a Attempt,
    entries: Vec<LogEntry>,
}

async fn log_end(shown: &Shown, id: JobId, claim_number: ClaimNumber) -> Result<Vec<LogEntry>, StoreError> {
    let request = LogEndRequest { id, claim_number, bytes_max: SHOWN_BYTES_MAX };
    Ok(shown.log_end(request).await?.entries)
}

/// The attempt whose log is shown: the newest one, unless the query names the claim of another. None before the first.
fn attempt_of<'a>(uri: &Uri, detail: &'a JobDetail) -> Result<Option<&'a Attempt>, ApiError> {
    let query = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let Some(word) = query.get("log") else { return Ok(detail.newest_attempt()) };
    let named = detail.attempts.iter().find(|attempt| attempt.claim_number.0.to_string() == word);
    let named = named.ok_or_else(|| ApiError::invalid("the log must be the claim number of an attempt of this job"));
    named.map(Some)
}

fn draw(
    view: &View,
    detail: &JobDetail,
    why: Option<&Explanation>,
    workflow: &Markup,
    log: Option<&AttemptLog<'_>>,
) -> Markup {
    let job = &detail.job;
    html! {
        div #job data-live data-every=[(job.status == Status::Running).then_some("3000")] {
            (head(view, job))
            @if let Some(why) = why { (explanation(why)) }
            div.columns {
                div {
                    (attempts::panel(view, detail, log.map(|log| log.attempt)))
                    @if let Some(log) = log { (log_panel(detail, log)) }
                    (document_panel("Payload", job.job_data.as_str()))
                    @if let Some(result) = &job.result { (document_panel("Result", result.as_str())) }
                    @if let Some(metadata) = &job.metadata { (document_panel("Metadata", metadata.as_str())) }
                    @if let Some(checkpoint) = &detail.checkpoints.checkpoint { (document_panel("Checkpoint", checkpoint.as_str())) }
                }
                div {
                    (facts(view, job))
                    (workflow)
                    (timeline::panel(view, detail))
                    @if !detail.checkpoints.steps.is_empty() { (steps(view, detail)) }
                }
            }
        }
    }
}

fn head(view: &View, job: &Job) -> Markup {
    html! {
        p.head { span.title { span.title-line {
            (badge(job.status))
            strong { (type_link(view, &job.job_type)) }
            span.muted { "in queue " (queue_link(view, &job.queue)) }
            @if let Some(progress) = job.progress.filter(|_| job.status == Status::Running) {
                span { (percent(progress)) "% " (visible(job.progress_message.as_deref().unwrap_or_default())) }
            }
        } } }
    }
}

/// The sentence of `longshore jobs explain`.
fn explanation(why: &Explanation) -> Markup {
    let class = match why.status {
        Status::Completed | Status::Running => "good",
        Status::DeadLetter => "bad",
        _ => "warn",
    };
    let status = if why.status == Status::DeadLetter { "a dead letter" } else { why.status.as_str() };
    html! {
        div class={ "notice " (class) } #why {
            p.why { "Job " (why.id) " is " (status) ": " (visible(&why.reason.message)) "." }
            @for cause in &why.also { p.muted { "Then: " (visible(&cause.message)) "." } }
        }
    }
}

fn actions(view: &View, job: &Job) -> Markup {
    let retries = job.status.is_retryable();
    // They follow the job, as the rest of the page does.
    html! { div.actions #actions data-live {
        @if view.may_operate() {
            form.actions method="post" action=(view.link("/jobs/act")) {
                (hidden(view))
                input type="hidden" name="id" value=(job.id);
                @if retries { button.primary name="action" value="retry" data-key-r { "Retry" } }
                @if !job.status.is_ended() { button name="action" value="cancel" { "Cancel" } }
                @if job.status != Status::Running { button.danger name="action" value="delete" { "Delete" } }
            }
        }
        @if view.may_enqueue() {
            @if !matches!(job.status, Status::Running | Status::Completed | Status::Cancelled) {
                a.button href=(view.link(&format!("/jobs/{}/edit", job.id))) { "Edit" }
            }
            a.button href=(view.link_with("/jobs/new", "like", &job.id.to_string())) { "Duplicate" }
        }
    } }
}

fn facts(view: &View, job: &Job) -> Markup {
    let at = |instant| exact(instant, view.now, &view.zone);
    let fact = |name: &str, value: Markup| html! { dt { (name) } dd { (value) } };
    let text = |value: &str| html! { (visible(value)) };
    html! {
        section.panel aria-labelledby="facts" {
            header { h2 #facts { "Facts" } }
            div.body {
                dl.facts {
                    (fact("Priority", priority(view, job)))
                    (fact("Retries", html! { (job.retry_count) " of " (job.max_retries) }))
                    @if job.crash_count > 0 { (fact("Crashes", html! { (job.crash_count) " of " (job.max_crashes) })) }
                    @if job.deferral_count > 0 { (fact("Deferrals", html! { (job.deferral_count) " of " (job.max_deferrals) })) }
                    (fact("Enqueued", at(job.created_at)))
                    @if job.run_at > job.created_at { (fact("Due", at(job.run_at))) }
                    @if let Some(next) = job.next_retry_at { (fact("Next retry", at(next))) }
                    @if let Some(expires) = job.expires_at { (fact("Expires", at(expires))) }
                    @if let Some(deadline) = job.deadline_at { (fact("Deadline", at(deadline))) }
                    @if let Some(timeout) = job.timeout { (fact("Timeout", html! { (longshore_report::relative_time::short(timeout)) })) }
                    @if let Some(worker) = &job.worker_id { (fact("Worker", html! { span.mono { (visible(worker.as_str())) } })) }
                    @if let Some(parent) = job.parent_job_id { (fact("Parent", job_link(view, parent))) }
                    @if let Some(key) = &job.unique_key { (fact("Unique key", text(key))) }
                    @if let Some(kind) = &job.failure_type { (fact("Last failure", text(&kind.replace('_', " ")))) }
                    @if let Some(reason) = &job.dead_letter_reason { (fact("Given up", text(DeadLetterCode::sentence_of(reason)))) }
                    @if let Some(path) = &job.log_file_path { (fact("Log file", text(path))) }
                    (fact("Payload", html! { (bytes(job.job_data.len() as u64)) }))
                }
            }
        }
    }
}

fn priority(view: &View, job: &Job) -> Markup {
    html! {
        @if view.may_operate() && !job.status.is_ended() && job.status != Status::Running {
            form.inline method="post" action=(view.link("/jobs/act")) {
                (hidden(view))
                input type="hidden" name="id" value=(job.id);
                input type="hidden" name="action" value="priority";
                label.sr for="priority" { "Priority" }
                select #priority name="priority" {
                    @for (name, known) in Priority::NAMES { option value=(known.0) selected[known == job.priority] { (name) " (" (known.0) ")" } }
                    @if Priority::NAMES.into_iter().all(|(_, known)| known != job.priority) {
                        option value=(job.priority.0) selected { (job.priority.0) }
                    }
                }
                button.small { "Set" }
            }
        } @else {
            (job.priority.0)
        }
    }
}

fn document_panel(name: &str, text: &str) -> Markup {
    html! {
        section.panel aria-label=(name) { header { h2 { (name) } } div.body { (json::document(text)) } }
    }
}

fn log_panel(detail: &JobDetail, log: &AttemptLog<'_>) -> Markup {
    let text: String = log.entries.iter().map(|entry| entry.text.as_str()).collect();
    let shown = tail(&text, SHOWN_BYTES_MAX);
    let dropped = log.entries.last().map_or(0, |entry| entry.cut_bytes);
    // The first piece has the number 0.
    let is_end = shown.len() < text.len() || log.entries.first().is_some_and(|first| first.chunk_number > 0);
    html! {
        section.panel aria-labelledby="log" {
            header { h2 #log { "Log of attempt " (attempts::number(log.attempt)) } }
            @if text.is_empty() {
                p.empty { "This attempt has logged nothing." }
            } @else {
                div.body {
                    @if is_end {
                        p.muted #log-cut {
                            "These are the last " (bytes(shown.len() as u64)) ". "
                            code { "longshore jobs logs " (detail.job.id) } " prints all that is kept."
                        }
                    }
                    @if dropped > 0 { p.muted { (bytes(dropped)) " from the middle of the log are not kept." } }
                    pre.box #log-text tabindex="0" data-follow { (visible(shown)) }
                }
            }
        }
    }
}

fn steps(view: &View, detail: &JobDetail) -> Markup {
    html! {
        section.panel aria-labelledby="steps" {
            header { h2 #steps { "Finished steps" } }
            div.body { dl.facts {
                @for step in detail.checkpoints.steps.iter().rev().take(100) {
                    dt { (visible(&step.name)) }
                    dd {
                        (exact(step.finished_at, view.now, &view.zone)) " in attempt " (step.attempt)
                        @match &step.result {
                            Some(result) => details { summary { "Result" } (json::document(result.as_str())) },
                            None => p.muted { "Its result has " (bytes(step.result_bytes)) "." },
                        }
                    }
                }
            } }
        }
    }
}

/// The text of an error with its traceback behind a fold.
pub(super) fn failure(message: Option<&str>, traceback: Option<&str>, id: &str) -> Markup {
    html! {
        @if let Some(message) = message { p.message.error { (visible(crate::pages::drawing::text::cut(message, 4096).0)) } }
        @if let Some(traceback) = traceback.filter(|text| !text.trim().is_empty()) {
            details id=(id) { summary { "Traceback" } (boxed(traceback)) }
        }
    }
}

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use longshore_core::{Action, Actioned, InvalidPriority, JobId, Priority, Selection, StoreError};
use maud::{Markup, html};

use super::filter::JobFilter;
use super::filter_in_words;
use crate::access::csrf;
use crate::audit::Audit;
use crate::error::ApiError;
use crate::pages::drawing::text::counted;
use crate::pages::form::{CheckedForm, done, in_words};
use crate::pages::layout::{Page, Section, framed};
use crate::pages::view::View;
use crate::state::{State, WebState};

/// How long a page waits for an action. A longer one goes on without it.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How many jobs a page may name one by one.
const IDS_MAX: usize = 1000;

/// An action of the pages with its words.
#[derive(Clone, Copy, Debug)]
struct Verb {
    action: Action,
    word: &'static str,
    done: &'static str,
    /// Whether it cannot be taken back, so that it is confirmed even for one job.
    is_final: bool,
}

/// `POST /jobs/act`: changes the selected jobs, or all that a filter selects. What cannot be taken back, and all of a
/// filter, is confirmed first, with the number said.
pub(in crate::pages) async fn act(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let verb = verb(&form)?;
    let is_all = form.get("scope") == Some("all");
    let (selection, filter) = if is_all { of_filter(&form, &verb)? } else { (of_ids(&form)?, None) };
    if selection == Selection::Jobs(Vec::new()) {
        return Ok(done(&view, form.back(), "No job is selected, so nothing was changed."));
    }
    if form.get("confirmed").is_none() && (is_all || verb.is_final) {
        let jobs = match &selection {
            Selection::Jobs(ids) => ids.len() as u64,
            Selection::Matching(_) => count(&state, filter.as_ref(), &selection).await?,
        };
        return Ok(ask(&view, &form, &verb, jobs, filter.as_ref()).into_response());
    }
    let words = run(audit, selection, &verb).await?;
    Ok(done(&view, form.back(), &words))
}

fn verb(form: &CheckedForm) -> Result<Verb, ApiError> {
    let verb = |action, word, done, is_final| Verb { action, word, done, is_final };
    Ok(match form.required("action")? {
        "retry" => verb(Action::Retry, "Retry", "Retried", false),
        "cancel" => verb(Action::Cancel, "Cancel", "Cancelled", true),
        "delete" => verb(Action::Delete, "Delete", "Deleted", true),
        "discard" => verb(Action::Discard, "Discard", "Discarded", true),
        "priority" => {
            let priority: Priority = form
                .required("priority")?
                .parse()
                .map_err(|error: InvalidPriority| ApiError::invalid(error.to_string()))?;
            verb(Action::Reprioritise(priority), "Change the priority of", "Changed the priority of", false)
        }
        _ => return Err(ApiError::invalid("the action is not one that these pages have")),
    })
}

fn of_ids(form: &CheckedForm) -> Result<Selection, ApiError> {
    let ids = form.fields().all("id").map(str::parse::<JobId>).collect::<Result<Vec<JobId>, _>>();
    let mut ids = ids.map_err(|error| ApiError::invalid(error.to_string()))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > IDS_MAX {
        return Err(ApiError::invalid(format!("at most {IDS_MAX} jobs can be named at once")).hint("use a filter"));
    }
    Ok(Selection::Jobs(ids))
}

/// All that the filter of the form selects. Without a status, only jobs that permit the action.
fn of_filter(form: &CheckedForm, verb: &Verb) -> Result<(Selection, Option<JobFilter>), ApiError> {
    let filter = JobFilter { after: None, ..JobFilter::of_pairs(form.fields())? };
    if !filter.contents.is_empty() {
        return Err(ApiError::invalid("an action on all jobs of a filter cannot look into the jobs")
            .hint("select jobs, or filter by status, type, queue and failure"));
    }
    let Selection::Matching(mut selected) = filter.selection() else { return Ok((filter.selection(), Some(filter))) };
    selected.statuses.get_or_insert_with(|| verb.action.usual_statuses().to_vec());
    Ok((Selection::Matching(selected), Some(filter)))
}

/// How many jobs an action on a filter means: by the kept counts if they know, else counted.
async fn count(state: &WebState, filter: Option<&JobFilter>, selection: &Selection) -> Result<u64, ApiError> {
    if let Some(filter) = filter.filter(|filter| filter.status.is_some())
        && let Some(jobs) = filter.count_of(&state.shown().stats(0).await?.queues)
    {
        return Ok(jobs);
    }
    Ok(state.shown().count(selection.clone()).await?)
}

/// Runs an action to its end, even if the browser does not wait for it.
async fn run(audit: Audit, selection: Selection, verb: &Verb) -> Result<String, ApiError> {
    let action = verb.action;
    let acting = tokio::spawn(async move {
        let acted = audit.act(selection, action).await;
        if let Err(error) = &acted {
            tracing::warn!(code = error.code(), error = %error, "an action of the pages failed");
        }
        acted
    });
    let (actioned, done): (Result<Actioned, StoreError>, _) = match tokio::time::timeout(WAIT_MAX, acting).await {
        Ok(joined) => (joined.map_err(|_| ApiError::internal())?, verb.done),
        Err(_) => return Ok(format!("{} goes on. The counts show how far it is.", verb.word)),
    };
    Ok(in_words(done, &actioned?))
}

fn ask(view: &View, form: &CheckedForm, verb: &Verb, jobs: u64, filter: Option<&JobFilter>) -> Markup {
    let what = match filter {
        Some(filter) => format!("{} ({})", counted(jobs, "job"), filter_in_words(filter)),
        None => counted(jobs, "job"),
    };
    let title = format!("{} {what}?", verb.word);
    let content = html! {
        div.panel { div.body.form {
            p { (consequence(verb.action)) }
            form.actions method="post" action=(view.link("/jobs/act")) {
                input type="hidden" name=(csrf::FIELD) value=(view.csrf);
                input type="hidden" name="confirmed" value="yes";
                input type="hidden" name="back" value=(after(form, verb));
                input type="hidden" name="action" value=(form.get("action").unwrap_or_default());
                @if let Some(priority) = form.get("priority") { input type="hidden" name="priority" value=(priority); }
                @match filter {
                    Some(filter) => {
                        input type="hidden" name="scope" value="all";
                        @for (name, value) in filter.fields() {
                            @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
                        }
                    },
                    None => @for id in form.fields().all("id") { input type="hidden" name="id" value=(id); },
                }
                button.primary.danger[verb.is_final] #confirm disabled[jobs == 0] { (verb.word) " " (counted(jobs, "job")) }
                a.button href=(view.link(form.back())) { "Keep things as they are" }
            }
        } }
    };
    let page = Page { title: &title, section: Section::Jobs, aside: html! {}, content, dead_letters: None };
    framed(view, &page)
}

/// Where to go afterwards: not to a job that is gone.
fn after<'a>(form: &'a CheckedForm, verb: &Verb) -> &'a str {
    let is_gone = matches!(verb.action, Action::Delete | Action::Discard) && form.back().starts_with("/jobs/");
    if is_gone { "/jobs" } else { form.back() }
}

const fn consequence(action: Action) -> &'static str {
    match action {
        Action::Cancel => "Waiting jobs end as cancelled. Running jobs are asked to stop.",
        Action::Retry => {
            "They run again with new budgets. Their history stays. Children that became dead letters because of them \
             wait again."
        }
        Action::RetryAlone => {
            "They run again with new budgets. Their history stays, and their children stay dead letters."
        }
        Action::RetryFromStart | Action::RetryAloneFromStart => {
            "They run again with new budgets, and forget their checkpoints and the results of their steps."
        }
        Action::Delete | Action::Discard => {
            "They are removed with their attempts and logs. Children that wait for them become dead letters. This cannot \
             be taken back."
        }
        Action::Reprioritise(_) => "Jobs that have not ended get the new priority.",
    }
}

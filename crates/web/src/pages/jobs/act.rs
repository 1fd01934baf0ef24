mod found_jobs;

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use longshore_core::{Action, InvalidPriority, JobId, Priority, Selection};
use maud::{Markup, html};

pub(super) use self::found_jobs::looked_for;
use self::found_jobs::{Acted, FoundJobs, JobCount};
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

/// Which jobs an action means.
struct Chosen {
    selection: Selection,
    /// None for jobs that were selected one by one.
    filter: Option<JobFilter>,
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
    let chosen = if is_all { of_filter(&form, &verb)? } else { of_ids(&form)? };
    if chosen.selection == Selection::Jobs(Vec::new()) {
        return Ok(done(&view, form.back(), "No job is selected, so nothing was changed."));
    }
    if form.get("confirmed").is_none() && (is_all || verb.is_final) {
        let count = chosen.count(&state).await?;
        return Ok(ask(&view, &form, &verb, &count, chosen.filter.as_ref()).into_response());
    }
    let words = run(state, audit, chosen, &verb).await?;
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

fn of_ids(form: &CheckedForm) -> Result<Chosen, ApiError> {
    let ids = form.fields().all("id").map(str::parse::<JobId>).collect::<Result<Vec<JobId>, _>>();
    let mut ids = ids.map_err(|error| ApiError::invalid(error.to_string()))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > IDS_MAX {
        return Err(ApiError::invalid(format!("at most {IDS_MAX} jobs can be named at once")).hint("use a filter"));
    }
    Ok(Chosen { selection: Selection::Jobs(ids), filter: None })
}

/// All that the filter of the form selects. Without a status, only jobs that permit the action.
fn of_filter(form: &CheckedForm, verb: &Verb) -> Result<Chosen, ApiError> {
    let filter = JobFilter::of_pairs(form.fields())?.without_place();
    let mut selection = filter.selection();
    if let Selection::Matching(selected) = &mut selection {
        selected.statuses.get_or_insert_with(|| verb.action.usual_statuses().to_vec());
    }
    Ok(Chosen { selection, filter: Some(filter) })
}

impl Chosen {
    /// The jobs that only a look at each of them finds; none if a store can select them.
    fn found(&self) -> Option<FoundJobs<'_>> {
        let filter = self.filter.as_ref().filter(|filter| !filter.contents.is_empty())?;
        Some(FoundJobs { selection: &self.selection, contents: &filter.contents })
    }

    /// How many there are: by a search, by the kept counts if they know, else counted.
    async fn count(&self, state: &WebState) -> Result<JobCount, ApiError> {
        if let Some(found) = self.found() {
            return found.count(state.shown()).await;
        }
        let filter = self.filter.as_ref().filter(|filter| filter.status.is_some());
        let jobs = match (&self.selection, filter) {
            (Selection::Jobs(ids), _) => Some(ids.len() as u64),
            (_, Some(filter)) => filter.count_of(&state.shown().stats(0).await?.queues),
            (_, None) => None,
        };
        match jobs {
            Some(jobs) => Ok(JobCount::of_all(jobs)),
            None => Ok(JobCount::of_all(state.shown().count(self.selection.clone()).await?)),
        }
    }

    async fn act(&self, state: &WebState, audit: &Audit, action: Action) -> Result<Acted, ApiError> {
        if let Some(found) = self.found() {
            return found.act(state.shown(), audit, action).await;
        }
        let actioned = audit.act(self.selection.clone(), action).await?;
        Ok(Acted { actioned, note: String::new() })
    }
}

/// Runs an action to its end, even if the browser does not wait for it.
async fn run(state: WebState, audit: Audit, chosen: Chosen, verb: &Verb) -> Result<String, ApiError> {
    let action = verb.action;
    let acting = tokio::spawn(async move {
        let acted = chosen.act(&state, &audit, action).await;
        if let Err(error) = &acted {
            tracing::warn!(code = error.code(), error = %error, "an action of the pages failed");
        }
        acted
    });
    let acted = match tokio::time::timeout(WAIT_MAX, acting).await {
        Ok(joined) => joined.map_err(|_| ApiError::internal())??,
        Err(_) => return Ok(format!("{} goes on. The counts show how far it is.", verb.word)),
    };
    Ok(in_words(verb.done, &acted.actioned) + &acted.note)
}

fn ask(view: &View, form: &CheckedForm, verb: &Verb, count: &JobCount, filter: Option<&JobFilter>) -> Markup {
    let least = if count.is_at_least() { "at least " } else { "" };
    let jobs = format!("{least}{}", counted(count.jobs, "job"));
    let what = match filter {
        Some(filter) => format!("{jobs} ({})", filter_in_words(filter)),
        None => jobs.clone(),
    };
    // Where the search for the number was too slow, there may be some although it has found none.
    let is_none = count.jobs == 0 && !count.is_late;
    let title = format!("{} {what}?", verb.word);
    let content = html! {
        div.panel { div.body.form {
            p { (consequence(verb.action)) }
            @if let Some(extent) = count.extent() { p.muted #extent { (extent) } }
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
                button.primary.danger[verb.is_final] #confirm disabled[is_none] { (verb.word) " " (jobs) }
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

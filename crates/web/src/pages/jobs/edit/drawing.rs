use std::collections::BTreeSet;

use longshore_core::{Job, Priority};
use maud::{Markup, html};

use super::fields::{Fields, Problem, version};
use crate::pages::drawing::json;
use crate::pages::drawing::text::visible;
use crate::pages::layout::hidden;
use crate::pages::view::View;

/// How many types are suggested.
const TYPES_MAX: usize = 500;

/// The form of a new job.
pub(super) fn of_new(view: &View, fields: &Fields, types: &BTreeSet<String>, problem: Option<&Problem>) -> Markup {
    html! {
        (refusal(problem))
        section.panel aria-label="Job" { div.body {
            form.form method="post" action=(view.link("/jobs/new")) {
                (hidden(view))
                @if let Some(like) = fields.like { input type="hidden" name="like" value=(like); }
                (input(&Input { list: Some("types"), is_required: true, ..Input::new("job_type", "Type", &fields.job_type) }, problem))
                datalist #types { @for job_type in types.iter().take(TYPES_MAX) { option value=(job_type) {} } }
                (input(&Input { about: "what its type says, else default", ..Input::new("queue", "Queue", &fields.queue) }, problem))
                div.field {
                    label for="new-priority" { "Priority" }
                    select #new-priority name="priority" {
                        option value="" { "what its type says, else normal" }
                        @for (name, _) in Priority::NAMES { option selected[name == fields.priority] { (name) } }
                    }
                    (at("priority", problem))
                }
                (input(&Input { about: "now, or after 10m, or at 2026-05-04T12:30:00Z", ..Input::new("due", "Due", &fields.due) }, problem))
                (input(&Input { about: "how often it is tried again", ..Input::new("max_retries", "Retries", &fields.max_retries) }, problem))
                (input(&Input { about: "no second job is made while one with the key has not ended", ..Input::new("unique_key", "Unique key", &fields.unique_key) }, problem))
                (input(&Input { about: "words with commas between", ..Input::new("tags", "Tags", &fields.tags) }, problem))
                (payload(fields, problem))
                div.actions { button.primary { "Enqueue" } }
            }
        } }
    }
}

/// The form of a job that exists.
pub(super) fn of_job(view: &View, job: &Job, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let version = version(job);
    let is_stale = fields.made_from.as_ref().is_some_and(|made_from| *made_from != version);
    html! {
        (refusal(problem))
        @if is_stale {
            section.panel #now aria-labelledby="now-title" {
                header { h2 #now-title { "What the job has now" } span.muted { (visible(&job.job_type)) " in queue " (visible(&job.queue)) } }
                div.body { (json::document(job.job_data.as_str())) }
            }
        }
        section.panel aria-label="Job" { div.body {
            form.form method="post" action=(view.link(&format!("/jobs/{}/edit", job.id))) {
                (hidden(view))
                input type="hidden" name="made_from" value=(version);
                (input(&Input { is_required: true, ..Input::new("job_type", "Type", &fields.job_type) }, problem))
                (input(&Input { is_required: true, ..Input::new("queue", "Queue", &fields.queue) }, problem))
                (payload(fields, problem))
                div.actions { button.primary { "Save" } }
            }
        } }
    }
}

/// A field of one line.
struct Input<'a> {
    name: &'static str,
    label: &'static str,
    value: &'a str,
    about: &'static str,
    is_required: bool,
    /// The list of suggestions.
    list: Option<&'static str>,
}

impl<'a> Input<'a> {
    const fn new(name: &'static str, label: &'static str, value: &'a str) -> Self {
        Self { name, label, value, about: "", is_required: false, list: None }
    }
}

fn input(of: &Input<'_>, problem: Option<&Problem>) -> Markup {
    html! {
        div.field {
            label for=(of.name) { (of.label) }
            input id=(of.name) name=(of.name) value=(of.value) list=[of.list] required[of.is_required] maxlength="1024" autocomplete="off" aria-invalid=[is_at(of.name, problem).then_some("true")];
            @if !of.about.is_empty() { span.muted { (of.about) } }
            (at(of.name, problem))
        }
    }
}

fn payload(fields: &Fields, problem: Option<&Problem>) -> Markup {
    html! {
        div.field {
            label for="job_data" { "Payload, one JSON document" }
            textarea #job_data name="job_data" required spellcheck="false" aria-invalid=[is_at("job_data", problem).then_some("true")] { (fields.job_data) }
            (at("job_data", problem))
        }
        @if fields.job_data != visible(&fields.job_data) {
            p.muted { "The payload has characters that cannot be seen." }
        }
    }
}

fn is_at(name: &str, problem: Option<&Problem>) -> bool {
    problem.is_some_and(|problem| problem.field == Some(name))
}

/// What is wrong with a field, below it.
fn at(name: &str, problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem.filter(|problem| problem.field == Some(name)) {
            span.error role="alert" { (visible(problem.error.message())) }
        }
    }
}

/// What is wrong with all of a form, above it.
fn refusal(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem.filter(|problem| problem.field.is_none()) {
            div.notice.bad role="alert" {
                p.why { (visible(problem.error.message())) "." }
                @if let Some(hint) = problem.error.hint_words() { p.muted { (visible(hint)) "." } }
            }
        }
    }
}

use std::collections::HashMap;

use axum::http::StatusCode;
use longshore::limits::{LimitRow, LimitScope, LimitSubject};
use maud::{Markup, html};

use super::weights;
use crate::error::ApiError;
use crate::input::pairs::Pairs;
use crate::pages::drawing::text::visible;
use crate::pages::form::CheckedForm;
use crate::pages::layout::hidden;
use crate::pages::view::View;
use crate::state::WebState;

/// The longest name of a queue or a type.
const NAME_BYTES_MAX: usize = 1024;

/// The fields of the form that are written by hand.
const FIELDS: [&str; 8] = ["name", "concurrency", "rate", "burst", "key", "key_concurrency", "key_rate", "weights"];

/// What the form shows.
#[derive(Debug, Default)]
pub(super) struct Edited {
    is_of_queue: bool,
    /// The text of each field.
    texts: HashMap<&'static str, String>,
    /// Why the form was not accepted as it is.
    pub(super) refusal: Option<LimitRefusal>,
}

/// Why a limit was not set.
#[derive(Clone, Debug)]
pub(super) struct LimitRefusal {
    /// The field that is wrong, if it is one.
    pub(super) field: Option<&'static str>,
    pub(super) error: ApiError,
}

impl LimitRefusal {
    pub(super) const fn at(field: &'static str, error: ApiError) -> Self {
        Self { field: Some(field), error }
    }

    /// Whether other values can help.
    pub(super) fn is_of_the_form(&self) -> bool {
        matches!(self.error.status(), StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
    }
}

impl From<ApiError> for LimitRefusal {
    fn from(error: ApiError) -> Self {
        Self { field: None, error }
    }
}

impl Edited {
    /// What was sent, and why it was refused.
    pub(super) fn refused(form: &CheckedForm, refusal: LimitRefusal) -> Self {
        let texts = FIELDS.into_iter().filter_map(|name| Some((name, form.get(name)?.to_owned()))).collect();
        Self { is_of_queue: form.get("scope") == Some("queue"), texts, refusal: Some(refusal) }
    }

    /// The limit that a query asks to change, as it is now.
    pub(super) async fn of_query(state: &WebState, asked: &Pairs) -> Result<Self, ApiError> {
        let (Some(scope), Some(name)) = (asked.get("scope"), asked.get("name")) else { return Ok(Self::default()) };
        let subject = subject_of(scope, name)?;
        let is_of_queue = subject.scope() == LimitScope::Queue;
        let limits = state.shown().limits_of(subject, 1).await?;
        let mut texts = limits.first().map(texts_of).unwrap_or_default();
        texts.insert("name", name.to_owned());
        Ok(Self { is_of_queue, texts, refusal: None })
    }

    fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }
}

fn texts_of(limit: &LimitRow) -> HashMap<&'static str, String> {
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let texts = [
        ("concurrency", number(limit.concurrency)),
        ("rate", limit.rate.map(|rate| rate.to_string())),
        ("burst", number(limit.burst.filter(|burst| *burst > 1))),
        ("key", limit.key_pointer.as_ref().map(ToString::to_string)),
        ("key_concurrency", number(limit.key_concurrency)),
        ("key_rate", limit.key_rate.map(|rate| rate.to_string())),
        ("weights", Some(weights::written(&limit.weights))),
    ];
    texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// The queue or the type that a form or a query names.
pub(super) fn subject_of(scope: &str, name: &str) -> Result<LimitSubject, ApiError> {
    if name.len() > NAME_BYTES_MAX || name.contains('\0') {
        return Err(ApiError::invalid(format!("a name has at most {NAME_BYTES_MAX} bytes, none of them zero")));
    }
    match scope {
        "queue" => Ok(LimitSubject::Queue(name.to_owned())),
        "type" => Ok(LimitSubject::Type(name.to_owned())),
        _ => Err(ApiError::invalid("the scope must be queue or type")),
    }
}

/// The form that sets a limit by hand.
pub(super) fn panel(view: &View, edited: &Edited) -> Markup {
    html! {
        section.panel #set aria-labelledby="set-title" {
            header { h2 #set-title { "Set a limit by hand" } span.muted { "it wins over the configuration until it is unset" } }
            div.body {
                form.limit-form method="post" action=(view.link("/limits/change")) {
                    (hidden(view))
                    @if let Some(refusal) = edited.refusal.as_ref().filter(|refusal| refusal.field.is_none()) {
                        div.notice.bad role="alert" { (words(&refusal.error)) }
                    }
                    div.fields {
                        div.field {
                            label for="limit-scope" { "Of a" }
                            select #limit-scope name="scope" {
                                option value="type" { "type" }
                                option value="queue" selected[edited.is_of_queue] { "queue" }
                            }
                        }
                        (field(edited, "name", "Name", "sync", ""))
                        (field(edited, "concurrency", "At once", "50", "over all processes and hosts"))
                    }
                    fieldset {
                        legend { "Of a type alone" }
                        div.fields {
                            (field(edited, "rate", "Rate", "1000/1m", "starts, retries included"))
                            (field(edited, "burst", "Burst", "1", "starts at once after a pause"))
                            (field(edited, "key", "Key", "/tenant_id", "JSON pointer into the payload"))
                            (field(edited, "key_concurrency", "At once for each key", "2", ""))
                            (field(edited, "key_rate", "Rate of each key", "100/1m", ""))
                            (field(edited, "weights", "Weights", "acme=3, other=2", "jobs of the key for each job of another one; default 1"))
                        }
                    }
                    div.actions { button.primary name="action" value="set" { "Set" } span.muted { "What is not given is not limited." } }
                }
            }
        }
    }
}

fn field(edited: &Edited, name: &str, label: &str, example: &str, about: &str) -> Markup {
    let id = format!("limit-{name}");
    let refusal = edited.refusal.as_ref().filter(|refusal| refusal.field == Some(name));
    html! {
        div.field {
            label for=(id) { (label) }
            input id=(id) name=(name) value=(edited.text(name)) placeholder=(example) maxlength=[(name != "weights").then_some("2000")] required[name == "name"] autocomplete="off" aria-invalid=[refusal.map(|_| "true")];
            @if let Some(refusal) = refusal {
                span.wrong role="alert" { (words(&refusal.error)) }
            } @else if !about.is_empty() {
                span.muted { (about) }
            }
        }
    }
}

fn words(error: &ApiError) -> Markup {
    html! { (visible(error.message())) @if let Some(hint) = error.hint_words() { ": " (visible(hint)) } "." }
}

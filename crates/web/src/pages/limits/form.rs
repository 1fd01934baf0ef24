use longshore::limits::{LimitRow, LimitScope, LimitSubject};
use maud::{Markup, html};

use super::weights;
use crate::error::ApiError;
use crate::input::pairs::Pairs;
use crate::pages::layout::hidden;
use crate::pages::view::View;
use crate::state::WebState;

/// The longest name of a queue or a type.
const NAME_BYTES_MAX: usize = 1024;

/// What the form begins with.
#[derive(Debug, Default)]
pub(super) struct Edited {
    scope: Option<LimitScope>,
    name: String,
    limit: Option<LimitRow>,
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

/// The limit that a query asks to change, as it is now.
pub(super) async fn of_query(state: &WebState, asked: &Pairs) -> Result<Edited, ApiError> {
    let (Some(scope), Some(name)) = (asked.get("scope"), asked.get("name")) else { return Ok(Edited::default()) };
    let subject = subject_of(scope, name)?;
    let (scope, name) = (Some(subject.scope()), name.to_owned());
    let limits = state.shown().limits_of(subject, 1).await?;
    Ok(Edited { scope, name, limit: limits.into_iter().next() })
}

/// The form that sets a limit by hand.
pub(super) fn panel(view: &View, edited: &Edited) -> Markup {
    let Edited { scope, name, limit } = edited;
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let limit = limit.as_ref();
    let concurrency = number(limit.and_then(|limit| limit.concurrency));
    let rate = limit.and_then(|limit| limit.rate).map(|rate| rate.to_string()).unwrap_or_default();
    let burst = number(limit.and_then(|limit| limit.burst).filter(|burst| *burst > 1));
    let key = limit.and_then(|limit| limit.key_pointer.as_ref()).map(ToString::to_string).unwrap_or_default();
    let key_concurrency = number(limit.and_then(|limit| limit.key_concurrency));
    let key_rate = limit.and_then(|limit| limit.key_rate).map(|rate| rate.to_string()).unwrap_or_default();
    let weights = limit.map(|limit| weights::written(&limit.weights)).unwrap_or_default();
    html! {
        section.panel #set aria-labelledby="set-title" {
            header { h2 #set-title { "Set a limit by hand" } span.muted { "it wins over the configuration until it is unset" } }
            div.body {
                form.limit-form method="post" action=(view.link("/limits/change")) {
                    (hidden(view))
                    div.fields {
                        div.field {
                            label for="limit-scope" { "Of a" }
                            select #limit-scope name="scope" {
                                option value="type" { "type" }
                                option value="queue" selected[*scope == Some(LimitScope::Queue)] { "queue" }
                            }
                        }
                        (field("name", "Name", name, "sync", "", true))
                        (field("concurrency", "At once", &concurrency, "50", "over all processes and hosts", false))
                    }
                    fieldset {
                        legend { "Of a type alone" }
                        div.fields {
                            (field("rate", "Rate", &rate, "1000/1m", "starts, retries included", false))
                            (field("burst", "Burst", &burst, "1", "starts at once after a pause", false))
                            (field("key", "Key", &key, "/tenant_id", "JSON pointer into the payload", false))
                            (field("key_concurrency", "At once for each key", &key_concurrency, "2", "", false))
                            (field("key_rate", "Rate of each key", &key_rate, "100/1m", "", false))
                            (field("weights", "Weights", &weights, "acme=3, other=2", "jobs of the key for each job of another one; default 1", false))
                        }
                    }
                    div.actions { button.primary name="action" value="set" { "Set" } span.muted { "What is not given is not limited." } }
                }
            }
        }
    }
}

fn field(name: &str, label: &str, value: &str, example: &str, about: &str, is_required: bool) -> Markup {
    let id = format!("limit-{name}");
    html! {
        div.field {
            label for=(id) { (label) }
            input id=(id) name=(name) value=(value) placeholder=(example) maxlength=[(name != "weights").then_some("2000")] required[is_required] autocomplete="off";
            @if !about.is_empty() { span.muted { (about) } }
        }
    }
}

use std::fmt::Display;
use std::str::FromStr;

use axum::response::{IntoResponse, Response};
use longshore::limits::{LimitRule, LimitSource, LimitSubject};

use super::form::{Edited, LimitRefusal, subject_of};
use super::{draw, weights};
use crate::audit::Audit;
use crate::error::ApiError;
use crate::pages::form::{CheckedForm, done};
use crate::pages::view::View;
use crate::state::{State, WebState};
use longshore_core::Deed;

/// `POST /limits/change`: sets or unsets a limit by hand.
pub(in crate::pages) async fn change(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let words = match form.required("action")? {
        "set" => match set(&state, &audit, &form).await {
            Ok(words) => words,
            Err(refusal) if refusal.is_of_the_form() => {
                let status = refusal.error.status();
                let edited = Edited::refused(&form, refusal);
                return Ok((status, draw(&state, &view, None, false, &edited).await?).into_response());
            }
            Err(refusal) => return Err(refusal.error),
        },
        "unset" => {
            let (subject, shown) = (subject(&form)?, state.shown());
            let is_changed = audit.change(Deed::unset_limit(&subject), shown.unset_limit(subject.clone())).await?;
            let rest = shown.limits_of(subject.clone(), 1).await?;
            match (is_changed, rest.first().and_then(|row| row.source)) {
                (false, _) => format!("{subject} has no limit, so nothing was changed."),
                (true, Some(LimitSource::Config)) => format!("The configured limit of {subject} holds again."),
                (true, _) => format!("The limit of {subject} is unset."),
            }
        }
        _ => return Err(ApiError::invalid("the action must be set or unset")),
    };
    Ok(done(&view, "/limits", &words))
}

async fn set(state: &WebState, audit: &Audit, form: &CheckedForm) -> Result<String, LimitRefusal> {
    let subject = subject(form).map_err(|error| LimitRefusal::at("name", error))?;
    let shown = state.shown();
    let mut rule = rule(form)?;
    shown.keep_hidden_weights(&subject, &mut rule).await.map_err(ApiError::from)?;
    let deed = Deed::set_limit(&subject, &rule);
    let is_new = audit.change(deed, shown.set_limit(subject.clone(), rule)).await?;
    let what = if is_new { "is set" } else { "was set before" };
    Ok(format!("The limit of {subject} {what}. It holds until it is unset."))
}

fn subject(form: &CheckedForm) -> Result<LimitSubject, ApiError> {
    subject_of(form.required("scope")?, form.required("name")?.trim())
}

fn rule(form: &CheckedForm) -> Result<LimitRule, LimitRefusal> {
    Ok(LimitRule {
        concurrency: parsed(form, "concurrency")?,
        rate: parsed(form, "rate")?,
        burst: parsed(form, "burst")?,
        key: parsed(form, "key")?,
        key_concurrency: parsed(form, "key_concurrency")?,
        key_rate: parsed(form, "key_rate")?,
        weights: weights::parse(form.get("weights").unwrap_or_default())
            .map_err(|error| LimitRefusal::at("weights", error))?,
    })
}

fn parsed<T: FromStr<Err: Display>>(form: &CheckedForm, name: &'static str) -> Result<Option<T>, LimitRefusal> {
    let word = form.get(name).map(str::trim).filter(|word| !word.is_empty());
    word.map(str::parse).transpose().map_err(|error: T::Err| {
        let message = longshore_report::in_plain_words(&error.to_string(), "an object");
        LimitRefusal::at(name, ApiError::invalid(message))
    })
}

use std::fmt::Display;
use std::str::FromStr;

use axum::response::Response;
use longshore::limits::{LimitRule, LimitSource};

use super::form::subject_of;
use super::weights;
use crate::audit::Audit;
use crate::error::ApiError;
use crate::pages::form::{CheckedForm, done};
use crate::pages::view::View;
use crate::state::State;
use longshore_core::Deed;

/// `POST /limits/change`: sets or unsets a limit by hand.
pub(in crate::pages) async fn change(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let subject = subject_of(form.required("scope")?, form.required("name")?.trim())?;
    let shown = state.shown();
    let words = match form.required("action")? {
        "set" => {
            let mut rule = rule(&form)?;
            shown.keep_hidden_weights(&subject, &mut rule).await?;
            let deed = Deed::set_limit(&subject, &rule);
            let is_new = audit.change(deed, shown.set_limit(subject.clone(), rule)).await?;
            let what = if is_new { "is set" } else { "was set before" };
            format!("The limit of {subject} {what}. It holds until it is unset.")
        }
        "unset" => {
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

fn rule(form: &CheckedForm) -> Result<LimitRule, ApiError> {
    Ok(LimitRule {
        concurrency: parsed(form, "concurrency")?,
        rate: parsed(form, "rate")?,
        burst: parsed(form, "burst")?,
        key: parsed(form, "key")?,
        key_concurrency: parsed(form, "key_concurrency")?,
        key_rate: parsed(form, "key_rate")?,
        weights: weights::parse(form.get("weights").unwrap_or_default())?,
    })
}

fn parsed<T: FromStr<Err: Display>>(form: &CheckedForm, name: &str) -> Result<Option<T>, ApiError> {
    let word = form.get(name).map(str::trim).filter(|word| !word.is_empty());
    word.map(str::parse)
        .transpose()
        .map_err(|error: T::Err| ApiError::invalid(format!("the field {}: {error}", name.replace('_', " "))))
}

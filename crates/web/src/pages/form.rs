use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use longshore_core::{Actioned, Refusal};

use super::cookies;
use super::drawing::text::{counted, cut};
use super::view::View;
use crate::Access;
use crate::access::csrf;
use crate::error::ApiError;
use crate::input::pairs::Pairs;
use crate::state::Mounted;

/// The fields of a form that was sent by a page of this log-in. There is no other way to read a form, so no change is
/// made without that check.
#[derive(Clone, Debug)]
pub(super) struct CheckedForm {
    fields: Pairs,
}

impl CheckedForm {
    /// The first value of a field that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The first value of a field that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::invalid(format!("the form has no {name}")))
    }

    pub(super) fn fields(&self) -> &Pairs {
        &self.fields
    }

    /// The page to go back to: only one of these pages.
    pub(super) fn back(&self) -> &str {
        let is_own =
            |path: &&str| path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n', '\r']);
        self.get("back").filter(is_own).unwrap_or("/")
    }
}

impl FromRequest<Mounted> for CheckedForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, mounted: &Mounted) -> Result<Self, ApiError> {
        let state = mounted.seen_by(request.extensions());
        let access = request.extensions().get::<Access>().cloned().ok_or_else(ApiError::unauthenticated)?;
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            return Err(ApiError::invalid("a page expects the content type application/x-www-form-urlencoded"));
        }
        let body = Bytes::from_request(request, mounted)
            .await
            .map_err(|rejection| ApiError::new(rejection.status(), "invalid_request", rejection.body_text()))?;
        let fields = Pairs::parse(&body).map_err(ApiError::invalid)?;
        csrf::check(&state, &access, fields.get(csrf::FIELD).unwrap_or_default())?;
        Ok(Self { fields })
    }
}

/// Goes back to a page, which says what was done.
pub(super) fn done(view: &View, back: &str, words: &str) -> Response {
    let mut response = Redirect::to(&view.link(back)).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookies::notice(view.base(), words));
    response
}

/// What an action on jobs did, in words.
pub(super) fn in_words(done: &str, actioned: &Actioned) -> String {
    let mut words = format!("{done} {}.", counted(actioned.touched, "job"));
    let refused = actioned.refused.len();
    if refused > 0 {
        let told: Vec<String> = actioned.refused.iter().take(3).map(Refusal::to_string).collect();
        let more = if refused > told.len() { format!("; and {} more", refused - told.len()) } else { String::new() };
        words.push_str(&format!(" Left alone: {}{more}.", told.join("; ")));
    }
    cut(&words, 900).0.to_owned()
}

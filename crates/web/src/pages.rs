//! The pages, which work without a script. A page is an [`Endpoint`](crate::endpoint::Endpoint) whose handler reads and
//! then calls a pure function that draws.

mod layout;
mod log_in;
mod problem;
mod workers;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::state::WebState;

/// The pages that need a right.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/workers", Scope::Read, workers::show),
        Endpoint::get("/api", Scope::Read, api_page),
        log_in::endpoint(),
    ]
}

/// Every path of the API, for people.
async fn api_page(State(state): State<WebState>) -> Markup {
    layout::page(&state, "API", &crate::api::openapi::readable(&state))
}

/// The pages for those who are not known yet.
pub(crate) fn open_routes(state: &WebState) -> Router<WebState> {
    log_in::open_routes(state)
}

/// Shows an error as a page, and sends whoever is not known to the log-in.
pub(crate) async fn show_errors(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let is_read = request.method().is_safe();
    let wanted = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    if error.status() == StatusCode::UNAUTHORIZED && is_read && state.settings().has_log_in() {
        let query: String = wanted.bytes().map(escaped).collect();
        return Redirect::to(&state.path(&format!("/login?to={query}"))).into_response();
    }
    let mut page = (error.status(), problem::draw(&state, &error)).into_response();
    if let Some(value) = response.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, value.clone());
    }
    page
}

/// The answer for a path that does not exist: a page for a browser, else the error of the API.
pub(crate) async fn no_such_path(State(state): State<WebState>, uri: Uri, headers: HeaderMap) -> Response {
    let error = ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        .hint("GET /api/v1/openapi.json lists every path of the API");
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") && !uri.path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, problem::draw(&state, &error)).into_response();
    }
    error.into_response()
}

/// A byte in a query.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

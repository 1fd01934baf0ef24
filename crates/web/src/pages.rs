//! The pages, which work without a script. A page is an [`Endpoint`](crate::endpoint::Endpoint) whose handler reads and
//! then calls a pure function that draws.

mod audit;
mod batches;
mod cookies;
mod dead_letters;
mod drawing;
mod form;
mod jobs;
mod layout;
mod limits;
mod log_in;
mod migrations;
mod overview;
mod preferences;
mod problem;
mod queues;
mod schedules;
mod types;
mod view;
mod workers;

use axum::Router;
use axum::extract::{self, Request};
use axum::http::{Extensions, HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

pub(crate) use self::drawing::text::with_code;
use self::layout::{Page, Section, bare, framed};
use self::view::View;
use crate::Access;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::pairs::query;
use crate::input::query::check_length;
use crate::state::{Mounted, State, WebState};

/// The pages that need a right, each with the parameters that its query may have.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    use Scope::{Enqueue, Operate, Read};
    let pages: [(Endpoint, &'static [&'static str]); 29] = [
        (Endpoint::get("/", Read, overview::show), &["span"]),
        (Endpoint::get("/jobs", Read, jobs::show), jobs::filter::PARAMETERS),
        (Endpoint::post("/jobs/act", Operate, jobs::act::act), &[]),
        (Endpoint::get("/jobs/new", Enqueue, jobs::edit::new), &["like"]),
        (Endpoint::post("/jobs/new", Enqueue, jobs::edit::create), &[]),
        (Endpoint::get("/jobs/{id}", Read, jobs::detail::show), &["log"]),
        (Endpoint::get("/jobs/{id}/edit", Enqueue, jobs::edit::show), &[]),
        (Endpoint::post("/jobs/{id}/edit", Enqueue, jobs::edit::save), &[]),
        (Endpoint::get("/search", Read, jobs::search::go), &["q"]),
        (Endpoint::get("/dead", Read, dead_letters::show), &["type", "queue", "failure_type"]),
        (Endpoint::post("/dead/act", Operate, dead_letters::act), &[]),
        (Endpoint::get("/queues", Read, queues::show), &[]),
        (Endpoint::post("/queues/change", Operate, queues::change), &[]),
        (Endpoint::get("/workers", Read, workers::show), &[]),
        (Endpoint::get("/types", Read, types::show), &[]),
        (Endpoint::get("/schedules", Read, schedules::list), &["after"]),
        (Endpoint::post("/schedules/act", Operate, schedules::act), &[]),
        (Endpoint::get("/schedules/{name}", Read, schedules::show), &[]),
        (Endpoint::get("/limits", Read, limits::show), &["saturated", "after", "scope", "name"]),
        (Endpoint::post("/limits/change", Operate, limits::change), &[]),
        (Endpoint::get("/batches", Read, batches::list), &["status", "before"]),
        (Endpoint::post("/batches/act", Operate, batches::act), &[]),
        (Endpoint::get("/batches/{id}", Read, batches::show), &["status", "after"]),
        (Endpoint::get("/migrations", Read, migrations::show), &[]),
        (Endpoint::get("/audit", Read, audit::show), &["actor", "action", "after"]),
        (Endpoint::get("/api", Read, api_page).without_scope(), &[]),
        (Endpoint::get("/preferences", Read, preferences::show), &[]),
        (Endpoint::post("/preferences", Read, preferences::save), &[]),
        (log_in::endpoint(), &[]),
    ];
    pages.into_iter().map(|(page, parameters)| page.takes(parameters)).collect()
}

/// Every path of the API, for people.
async fn api_page(State(state): State, view: View) -> Markup {
    let content =
        html! { section.panel aria-label="Paths" { div.body.scroll { (crate::api::openapi::readable(&state)) } } };
    // A menu would lead to pages that this user may not read.
    if !view.access.may(Scope::Read) {
        return bare(&view, "API", &content);
    }
    framed(&view, &Page { title: "API", section: Section::Api, aside: html! {}, content, dead_letters: None })
}

/// The pages for those who are not known yet.
pub(crate) fn open_routes(state: &WebState) -> Router<Mounted> {
    log_in::open_routes(state)
}

/// What every page of a known user passes: an error becomes a page, whoever is not known is sent to the log-in, and a
/// notice that was shown is taken back.
pub(crate) async fn show_errors(
    extract::State(state): extract::State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = request.method().is_safe();
    let wanted = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let had_notice = is_read && cookies::read(request.headers(), cookies::NOTICE).is_some();
    let (parts, body) = request.into_parts();
    let mut response = next.run(Request::from_parts(parts.clone(), body)).await;
    let mut view = View::of_request(&state, &parts, response.extensions_mut().remove::<Access>());
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if error.status() == StatusCode::UNAUTHORIZED && is_read && state.settings().has_log_in() {
            let to = query([("to", Some(wanted.as_str()))]);
            // A log-in that leads to no page is better than an address that is too long for one.
            let to = if check_length(&to).is_ok() { to } else { String::new() };
            return Redirect::to(&view.link(&format!("/login{to}"))).into_response();
        }
        // Where the database is the trouble, it would only be waited for again.
        if view.access.may(Scope::Read) && !error.status().is_server_error() {
            view = counted(view, &state).await;
        }
        let retry_after = response.headers().get(header::RETRY_AFTER).cloned();
        response = (error.status(), problem::draw(&view, &error)).into_response();
        response.headers_mut().extend(retry_after.map(|value| (header::RETRY_AFTER, value)));
    }
    if had_notice && response.status().is_success() {
        response.headers_mut().append(header::SET_COOKIE, cookies::shown(view.base()));
    }
    response
}

/// The view with the number of its menu, as its own user sees it.
async fn counted(view: View, state: &WebState) -> View {
    let mut extensions = Extensions::new();
    extensions.insert(view.access.clone());
    view.counted(&Mounted::new(state.clone()).seen_by(&extensions)).await
}

/// The answer for a path that does not exist: a page for a browser, else the error of the API.
pub(crate) async fn no_such_path(State(state): State, uri: Uri, headers: HeaderMap) -> Response {
    let error = ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        .hint("GET /api/v1/openapi.json lists every path of the API");
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") && !uri.path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, problem::draw(&View::of_stranger(&state), &error)).into_response();
    }
    error.into_response()
}

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use axum::Router;
use axum::extract::{Form, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::bare;
use super::view::View;
use crate::Access;
use crate::access::log_ins::{LASTS, LogIns, WINDOW};
use crate::access::secret::Secret;
use crate::access::tokens::{COOKIE, session};
use crate::access::{Scope, csrf};
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::guard;
use crate::input::Query;
use crate::server::Peer;
use crate::state::{Mounted, State, WebState};

/// The log-in, which needs no right.
pub(super) fn open_routes(state: &WebState) -> Router<Mounted> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .layer(from_fn(guard::refuse_other_sites))
        .layer(from_fn_with_state(state.clone(), super::show_errors))
}

/// The log-out, for whoever is logged in.
pub(super) fn endpoint() -> Endpoint {
    Endpoint::post("/logout", Scope::Read, log_out)
}

async fn show(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let to: Option<String> = query.one("to")?;
    query.end()?;
    if !state.settings().has_log_in() {
        return Err(ApiError::not_found("log-in: this server has no tokens of its own"));
    }
    Ok(draw(&state, to.as_deref().unwrap_or("/"), None).into_response())
}

/// The page. A failed attempt says why.
fn draw(state: &WebState, to: &str, problem: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(problem) = problem { p.notice.bad role="alert" { (problem) } }
        section.panel aria-label="Log in" { div.body {
            form.form method="post" action=(state.path("/login")) {
                div.field {
                    label for="token" { "Token" }
                    input #token name="token" type="password" autocomplete="current-password" required autofocus;
                }
                input type="hidden" name="to" value=(to);
                div.actions { button.primary type="submit" { "Log in" } }
                p.muted { "A token is made with " code { "longshore token add NAME --scope operate" } "." }
            }
        } }
    };
    bare(&View::of_stranger(state), "Log in", &content)
}

#[derive(Deserialize)]
struct LogInForm {
    token: String,
    #[serde(default)]
    to: String,
}

/// The largest form: a token and a path.
const FORM_BYTES_MAX: usize = 16 * 1024;

async fn log_in(State(state): State, request: Request) -> Result<Response, ApiError> {
    let Some(tokens) = state.settings().tokens.clone() else {
        return Err(ApiError::not_found("log-in: this server has no tokens of its own"));
    };
    // Without an address, as in an application's own server, all attempts count together.
    let address = request.extensions().get::<Peer>().map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let is_secure = is_secure(request.headers());
    let request = request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, FORM_BYTES_MAX)));
    let form = <Form<LogInForm> as axum::extract::FromRequest<()>>::from_request(request, &()).await;
    let Form(LogInForm { token, to }) = form.map_err(|_| ApiError::invalid("the form is not as expected"))?;
    let hash = Secret::sent(token.trim()).map(|secret| secret.hash());
    let owner = match hash {
        Some(hash) => tokens.owner(hash).await?.map(|access| (access, hash)),
        None => None,
    };
    let Some((access, hash)) = owner else {
        return Ok(refuse_unknown(&state, &tokens.log_ins, address, &to));
    };
    if !access.may(Scope::Read) {
        let why = "This token does not have the scope read, which the pages need. Use one that has read or operate.";
        return Ok((StatusCode::FORBIDDEN, draw(&state, &to, Some(why))).into_response());
    }
    let id = Secret::random().map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_random_bytes", "the system gives no random bytes now")
    })?;
    tokens.log_ins.begin(&id, hash, Instant::now());
    tracing::info!(user = access.name(), %address, "logged in");
    let mut response = Redirect::to(&state.path(local(&to))).into_response();
    set_cookie(&mut response, &cookie(&state, id.as_str(), LASTS.as_secs(), is_secure));
    Ok(response)
}

/// Answers a wrong token. Only these are counted: behind a proxy all users have one address, and somebody who guesses
/// must not keep the others out.
fn refuse_unknown(state: &WebState, log_ins: &LogIns, address: IpAddr, to: &str) -> Response {
    let now = Instant::now();
    if !log_ins.may_fail(address, now) {
        let page = draw(state, to, Some("Too many attempts have failed. Wait a minute, then try again."));
        let retry_after = [(header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()))];
        return (StatusCode::TOO_MANY_REQUESTS, retry_after, page).into_response();
    }
    log_ins.note_failure(address, now);
    tracing::warn!(%address, "a log-in with an unknown token was refused");
    let page = draw(state, to, Some("This token is unknown or was revoked."));
    (StatusCode::UNAUTHORIZED, page).into_response()
}

/// Another site must not get the browser by a link to our log-in.
fn local(to: &str) -> &str {
    let is_local = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains('\\')
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { to } else { "/" }
}

/// Browsers send the origin with a form, so behind a proxy that ends TLS it says `https`.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn cookie(state: &WebState, value: &str, seconds: u64, is_secure: bool) -> String {
    let path = state.path("/");
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn set_cookie(response: &mut Response, cookie: &str) {
    let value = HeaderValue::from_str(cookie).expect("the base path was checked and the rest is ours");
    response.headers_mut().insert(header::SET_COOKIE, value);
}

#[derive(Deserialize)]
struct LogOutForm {
    csrf: String,
}

async fn log_out(
    State(state): State,
    access: Access,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let request = request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, FORM_BYTES_MAX)));
    let form = <Form<LogOutForm> as axum::extract::FromRequest<()>>::from_request(request, &()).await;
    let Form(LogOutForm { csrf }) = form.map_err(|_| ApiError::invalid("the form is not as expected"))?;
    csrf::check(&state, &access, &csrf)?;
    if let (Some(tokens), Some(id)) = (&state.settings().tokens, session(&headers)) {
        tokens.log_ins.end(&id);
    }
    let mut response = Redirect::to(&state.path("/login")).into_response();
    set_cookie(&mut response, &cookie(&state, "", 0, is_secure(&headers)));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_leads_only_to_a_page_of_this_server() {
        assert_eq!(local("/jobs?status=running"), "/jobs?status=running");
        for to in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a b", "/a\r\nx: y"] {
            assert_eq!(local(to), "/", "{to:?}");
        }
    }
}

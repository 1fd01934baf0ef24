pub(crate) mod document;

use axum::Router;
use axum::extract::{FromRequest, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

use self::document::{Body, Parameter, Words};
use crate::access::Scope;
use crate::error::ApiError;
use crate::guard;
use crate::input::json_body::NoFields;
use crate::input::{OptionalBody, query};
use crate::state::{Mounted, WebState};

/// One route: method, path, the right that it needs, its handler, and what the document of the API says of it. There is
/// no other way to add a route that shows or changes something, so none can be without a right or undocumented.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// None if every known user may.
    pub(crate) scope: Option<Scope>,
    pub(crate) words: Words,
    handler: MethodRouter<Mounted>,
}

impl Endpoint {
    pub(crate) fn get<H: Handler<T, Mounted>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of("get", MethodFilter::GET, path, scope, handler)
    }

    pub(crate) fn post<H: Handler<T, Mounted>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of("post", MethodFilter::POST, path, scope, handler)
    }

    pub(crate) fn put<H: Handler<T, Mounted>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of("put", MethodFilter::PUT, path, scope, handler)
    }

    pub(crate) fn patch<H: Handler<T, Mounted>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of("patch", MethodFilter::PATCH, path, scope, handler)
    }

    pub(crate) fn delete<H: Handler<T, Mounted>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of("delete", MethodFilter::DELETE, path, scope, handler)
    }

    fn of<H: Handler<T, Mounted>, T: 'static>(
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        scope: Scope,
        handler: H,
    ) -> Self {
        Self { method, path, scope: Some(scope), words: Words::default(), handler: on(filter, handler) }
    }

    /// Open to every known user: it shows nothing of the queue.
    pub(crate) const fn without_scope(mut self) -> Self {
        self.scope = None;
        self
    }

    /// What it does, in a sentence.
    pub(crate) const fn says(mut self, summary: &'static str) -> Self {
        self.words.summary = summary;
        self
    }

    /// The parameters of its query.
    pub(crate) fn query(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.words.query.extend(parameters);
        self
    }

    /// The headers that it reads.
    pub(crate) fn headers(mut self, headers: impl IntoIterator<Item = Parameter>) -> Self {
        self.words.headers.extend(headers);
        self
    }

    /// Its body.
    pub(crate) fn body(mut self, body: Body) -> Self {
        self.words.body = Some(body);
        self
    }

    /// The status and the schema of its answer.
    pub(crate) const fn answers(mut self, status: u16, schema: &'static str) -> Self {
        self.words.status = status;
        self.words.answer = schema;
        self
    }

    /// When its answer has the status 200 instead.
    pub(crate) const fn or_200(mut self, about: &'static str) -> Self {
        self.words.otherwise_200 = Some(about);
        self
    }

    /// The statuses of errors that do not follow from its method and its path.
    pub(crate) const fn fails(mut self, errors: &'static [&'static str]) -> Self {
        self.words.errors = errors;
        self
    }

    /// A page with these parameters in its query. Others are an error, as they are for the API.
    pub(crate) fn takes(mut self, parameters: &'static [&'static str]) -> Self {
        let check = from_fn(move |request: Request, next: Next| async move {
            query::check_page(request.uri(), parameters)?;
            Ok::<Response, ApiError>(next.run(request).await)
        });
        self.handler = self.handler.route_layer(check);
        self
    }

    /// Adds the route, behind the check of its right.
    pub(crate) fn add_to(self, router: Router<Mounted>, state: &WebState) -> Router<Mounted> {
        let (scope, state) = (self.scope, state.clone());
        let checked = from_fn(move |request, next| guard::admit(state.clone(), scope, request, next));
        let has_no_body = self.method != "get" && self.words.body.is_none() && self.path.starts_with("/api/");
        let handler = if has_no_body { self.handler.route_layer(from_fn(refuse_fields)) } else { self.handler };
        router.route(self.path, handler.route_layer(checked))
    }
}

/// A field that is sent to a route without fields would be ignored, so it is refused.
async fn refuse_fields(request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let OptionalBody(NoFields {}) = OptionalBody::from_request(Request::from_parts(parts.clone(), body), &()).await?;
    Ok(next.run(Request::from_parts(parts, axum::body::Body::empty())).await)
}

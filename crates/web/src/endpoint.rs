use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::Access;
use crate::access::Scope;
use crate::state::WebState;

/// One route: method, path, the right that it needs, and its handler. There is no other way to add a route that shows or
/// changes something, so no route can be without a right.
pub(crate) struct Endpoint {
    path: &'static str,
    scope: Scope,
    handler: MethodRouter<WebState>,
}

impl Endpoint {
    pub(crate) fn get<H: Handler<T, WebState>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of(MethodFilter::GET, path, scope, handler)
    }

    pub(crate) fn post<H: Handler<T, WebState>, T: 'static>(path: &'static str, scope: Scope, handler: H) -> Self {
        Self::of(MethodFilter::POST, path, scope, handler)
    }

    fn of<H: Handler<T, WebState>, T: 'static>(
        method: MethodFilter,
        path: &'static str,
        scope: Scope,
        handler: H,
    ) -> Self {
        Self { path, scope, handler: on(method, handler) }
    }

    /// Adds the route, behind the check of its right.
    pub(crate) fn add_to(self, router: Router<WebState>) -> Router<WebState> {
        let scope = self.scope;
        let checked = from_fn(move |access: Access, request, next: axum::middleware::Next| async move {
            let answer: Response = match access.check(scope) {
                Ok(()) => next.run(request).await,
                Err(error) => error.into_response(),
            };
            answer
        });
        router.route(self.path, self.handler.route_layer(checked))
    }
}

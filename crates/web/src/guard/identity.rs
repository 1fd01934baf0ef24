use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use longshore_core::StoreError;

use crate::Access;
use crate::access::Scope;
use crate::error::ApiError;
use crate::state::WebState;

/// Asks who makes the request, and passes the [`Access`](crate::Access) on. Without one, or without the right, no handler
/// is reached.
pub(super) async fn run(state: &WebState, scope: Option<Scope>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let access = match access_of(state, &parts).await {
        Ok(Some(access)) => access,
        Ok(None) => return ApiError::unauthenticated().into_response(),
        Err(error) => return ApiError::from(error).into_response(),
    };
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(access.clone());
    let mut response = match scope.map_or(Ok(()), |scope| access.check(scope)) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    // An error becomes a page for this user.
    response.extensions_mut().insert(access);
    response
}

/// Who makes a request, with the rights that this server gives; none if it is not known.
pub(crate) async fn access_of(state: &WebState, parts: &Parts) -> Result<Option<Access>, StoreError> {
    let access = state.settings().users.identify(parts).await?;
    Ok(access.map(|access| if state.settings().is_read_only { access.reading_only() } else { access }))
}

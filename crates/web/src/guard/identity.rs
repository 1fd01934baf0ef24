use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::state::WebState;

/// Asks who makes the request, and passes the [`Access`](crate::Access) on. Without one, no handler is reached.
pub(crate) async fn identify(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let access = match state.settings().users.identify(&parts).await {
        Ok(Some(access)) if state.settings().is_read_only => access.reading_only(),
        Ok(Some(access)) => access,
        Ok(None) => return ApiError::unauthenticated().into_response(),
        Err(error) => return ApiError::from(error).into_response(),
    };
    parts.extensions.insert(access.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // An error becomes a page for this user.
    response.extensions_mut().insert(access);
    response
}

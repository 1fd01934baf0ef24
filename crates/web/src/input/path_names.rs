use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use longshore_core::JobId;

use crate::error::ApiError;

/// The longest name in a path. Names of queues, types and schedules are shorter.
const NAME_BYTES_MAX: usize = 1000;

/// The job that a path names, or another thing with an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathId<T = JobId>(pub(crate) T);

/// The last name in a path. An application may mount the router below names of its own.
#[derive(Clone, Debug)]
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::invalid("the name in the path is not UTF-8"))?;
        let (_, name) = params.iter().last().ok_or_else(|| ApiError::invalid("the path has no name"))?;
        if name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(ApiError::invalid(format!(
                "a name in a path has at most {NAME_BYTES_MAX} bytes, none of them zero"
            )));
        }
        Ok(Self(name.to_owned()))
    }
}

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathName(word) = PathName::from_request_parts(parts, state).await?;
        word.parse().map(Self).map_err(|error: T::Err| ApiError::invalid(error.to_string()))
    }
}

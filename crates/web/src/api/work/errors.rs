use axum::http::StatusCode;
use longshore::remote::RemoteError;

use crate::error::ApiError;

impl From<RemoteError> for ApiError {
    fn from(error: RemoteError) -> Self {
        let message = error.to_string();
        match error {
            RemoteError::Store(error) => error.into(),
            RemoteError::InvalidName(error) => error.into(),
            RemoteError::NoSuchJob { id } => Self::no_such_job(id),
            RemoteError::LeaseLost(_) => Self::new(StatusCode::CONFLICT, "lease_lost", message)
                .hint("stop this attempt and write nothing more; the job runs elsewhere or has ended"),
            RemoteError::EndedOtherwise { .. } => Self::new(StatusCode::CONFLICT, "attempt_ended", message)
                .hint("an attempt ends once; only the same request may be repeated, and the first result stands"),
            RemoteError::Checkpoint(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_checkpoint", message),
            RemoteError::Refused { .. } => Self::new(StatusCode::CONFLICT, "outcome_refused", message)
                .hint("a constraint or a trigger of the application refuses the row"),
            RemoteError::Unanswered { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unreachable", message)
                    .hint("repeat the request: if it was carried out, it answers the same")
            }
            _ => Self::internal(),
        }
    }
}

//! `/metrics` for Prometheus, from what the store keeps: nothing counts rows.

pub(crate) mod counters;
mod histograms;
mod text;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use longshore_core::StoreError;

use self::text::Text;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::Query;
use crate::state::WebState;

/// The format that Prometheus reads.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/metrics", Scope::Read, show).says("The metrics of the queue for Prometheus")]
}

async fn show(State(state): State<WebState>, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let body = match read(&state).await {
        Ok(text) => text,
        // A scrape that fails is told apart from a queue that is down by this one value.
        Err(error) => {
            tracing::warn!(code = error.code(), error = %error, "the metrics could not be read");
            let mut text = Text::default();
            text.gauge("longshore_up", "Whether the database answers and its schema is understood.", &[], 0.0);
            // If the database does not answer, nothing is known of its schema.
            if matches!(error, StoreError::Schema { .. } | StoreError::SchemaChanged { .. }) {
                text.schema(false);
            }
            text.into_string()
        }
    };
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], body).into_response())
}

async fn read(state: &WebState) -> Result<String, StoreError> {
    let backend = state.backend();
    let condition = backend.condition().await?;
    let workers = backend.workers().await?;
    let (queues, counted) = state.counters().read(backend).await?;
    let mut text = Text::default();
    text.gauge("longshore_up", "Whether the database answers and its schema is understood.", &[], 1.0);
    text.schema(true);
    text.queues(&queues, condition.now);
    text.workers(&workers);
    text.database(&condition);
    text.ended(&counted);
    text.attempts(&state.queue().measures().read());
    text.writes(&backend.writes());
    Ok(text.into_string())
}

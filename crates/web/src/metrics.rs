//! `/metrics` for Prometheus, from what the store keeps: nothing counts rows.

pub(crate) mod counters;
mod histograms;
mod text;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use longshore_core::StoreError;

use self::text::Text;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::Query;
use crate::shown::AllQueues;
use crate::state::{State, WebState};

/// The format that Prometheus reads.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/metrics", Scope::Read, show).says("The metrics of the queue for Prometheus")]
}

async fn show(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let all = state.shown().all_queues("the metrics count")?;
    let body = match read(&state, &all).await {
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

async fn read(state: &WebState, all: &AllQueues<'_>) -> Result<String, StoreError> {
    state.shown().check_schema().await?;
    let condition = all.condition().await?;
    let workers = all.workers().await?;
    let (queues, counted) = state.counters().read(all).await?;
    let mut text = Text::default();
    text.gauge("longshore_up", "Whether the database answers and its schema is understood.", &[], 1.0);
    text.schema(true);
    text.queues(&queues, condition.now);
    text.workers(&workers);
    text.database(&condition);
    text.ended(&counted);
    text.attempts(&all.attempts());
    text.writes(&all.writes());
    Ok(text.into_string())
}

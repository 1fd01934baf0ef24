use std::time::Duration;

use axum::response::Response;
use longshore_core::{Deed, Due, JobData, JobEdit, Timestamp, deserialize_duration};
use longshore_report::PlacedDetail;
use serde::{Deserialize, Deserializer};

use crate::Access;
use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Body;
use crate::error::ApiError;
use crate::input::{JsonBody, PathId, Query};
use crate::json::json;
use crate::state::State;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::patch("/api/v1/jobs/{id}", Scope::Operate, edit)
            .says("Changes payload, type, queue or time of a job that is not running. Also needs the scope enqueue.")
            .body(Body { schemas: &["JobEdit"], is_required: true })
            .answers(200, "JobDetail"),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditBody {
    #[serde(default)]
    job_type: Option<String>,
    // Null is a payload, too.
    #[serde(default, deserialize_with = "given")]
    job_data: Option<JobData>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    delay: Option<Duration>,
    #[serde(default)]
    run_at: Option<String>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JobData>, D::Error> {
    JobData::deserialize(deserializer).map(Some)
}

async fn edit(
    State(state): State,
    access: Access,
    audit: Audit,
    PathId(id): PathId,
    query: Query,
    JsonBody(body): JsonBody<EditBody>,
) -> Result<Response, ApiError> {
    query.end()?;
    // A payload or a type decides what code runs with it.
    access.check(Scope::Enqueue)?;
    let instant =
        |word: String| word.parse::<Timestamp>().map_err(|error| ApiError::invalid(format!("run_at: {error}")));
    let due = match (body.run_at.map(instant).transpose()?, body.delay) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("run_at and delay cannot both be given")),
        (Some(at), None) => Some(Due::At(at)),
        (None, delay) => delay.map(Due::After),
    };
    let job_data = match body.job_data {
        Some(edited) => Some(state.shown().restored(edited, id).await?),
        None => None,
    };
    let edit = JobEdit { job_type: body.job_type, job_data, queue: body.queue, due };
    let deed = Deed::edit(id, &edit);
    let actioned = audit.change(deed, state.shown().edit(id, edit)).await?;
    if let Some(refusal) = actioned.refused.first() {
        return Err((*refusal).into());
    }
    let detail = state.shown().job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    Ok(json(&PlacedDetail { detail: &detail, database: state.place_of(id) }))
}

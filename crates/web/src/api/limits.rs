use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use longshore::limits::{KeyPointer, LimitRow, LimitRule, LimitSelection, LimitSubject, Rate};
use longshore_core::{Deed, LimitsRequest};
use longshore_report::{ChangedLimit, LimitCursor, LimitList, LimitListPage};
use serde::Deserialize;

use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Body, Parameter};
use crate::error::ApiError;
use crate::input::{JsonBody, PathName, Query};
use crate::json::json;
use crate::state::{State, WebState};

/// How many limits a page has at most, and how many keys of a type are shown with it.
const PAGE_MAX: u32 = 1000;
const PAGE: u32 = 100;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let queue = "/api/v1/limits/queues/{name}";
    let job_type = "/api/v1/limits/types/{name}";
    vec![
        Endpoint::get("/api/v1/limits", Scope::Read, list)
            .says("Lists limits with what runs and waits under each: queues, then types, then keys that are in use")
            .query([
                Parameter::flag("saturated", "Only those at which nothing can start now."),
                Parameter::number("limit", "How many; default 100.", 1..=PAGE_MAX),
                Parameter::text("after", "The `next` of the page before."),
            ])
            .answers(200, "LimitListPage"),
        Endpoint::get(queue, Scope::Read, show_queue).says("Shows the limit of a queue").answers(200, "LimitList"),
        Endpoint::put(queue, Scope::Operate, set_queue)
            .says("Sets the limit of a queue by hand; it wins over the configuration until it is unset")
            .body(Body { schemas: &["QueueLimit"], is_required: true })
            .answers(200, "ChangedLimit"),
        Endpoint::delete(queue, Scope::Operate, unset_queue)
            .says("Unsets the limit of a queue that was set by hand, so that the configured one holds again")
            .answers(200, "ChangedLimit"),
        Endpoint::get(job_type, Scope::Read, show_type)
            .says("Shows the limit of a type, with its first 1000 keys that are in use")
            .answers(200, "LimitList"),
        Endpoint::put(job_type, Scope::Operate, set_type)
            .says("Sets the limit of a type by hand; it wins over the configuration until it is unset")
            .body(Body { schemas: &["TypeLimit"], is_required: true })
            .answers(200, "ChangedLimit"),
        Endpoint::delete(job_type, Scope::Operate, unset_type)
            .says("Unsets the limit of a type that was set by hand, so that the configured one holds again")
            .answers(200, "ChangedLimit"),
    ]
}

/// A limit. What is not given is not limited.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    #[serde(default)]
    concurrency: Option<u32>,
    #[serde(default)]
    rate: Option<Rate>,
    #[serde(default)]
    burst: Option<u32>,
    #[serde(default)]
    key: Option<KeyPointer>,
    #[serde(default)]
    key_concurrency: Option<u32>,
    #[serde(default)]
    key_rate: Option<Rate>,
    #[serde(default)]
    weights: BTreeMap<String, u32>,
}

impl From<RuleBody> for LimitRule {
    fn from(body: RuleBody) -> Self {
        let RuleBody { concurrency, rate, burst, key, key_concurrency, key_rate, weights } = body;
        Self { concurrency, rate, burst, key, key_concurrency, key_rate, weights }
    }
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let saturated = query.condition("saturated")?.unwrap_or(false);
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    let after = query.one("after")?.map(|LimitCursor(position)| position);
    query.end()?;
    let selection = if saturated { LimitSelection::Saturated } else { LimitSelection::All };
    let page = state.shown().limit_page(LimitsRequest { selection, after, limit }).await?;
    Ok(json(&LimitListPage::new(page)))
}

async fn of(state: &WebState, subject: &LimitSubject) -> Result<Vec<LimitRow>, ApiError> {
    Ok(state.shown().limits_of(subject.clone(), PAGE_MAX).await?)
}

async fn show(state: &WebState, subject: &LimitSubject) -> Result<Response, ApiError> {
    let limits = of(state, subject).await?;
    if limits.is_empty() {
        let message = format!("{subject} has no limit");
        return Err(ApiError::new(StatusCode::NOT_FOUND, "limit_not_found", message)
            .hint("list the limits with GET /api/v1/limits"));
    }
    Ok(json(&LimitList { limits }))
}

async fn set(state: &WebState, audit: &Audit, subject: LimitSubject, rule: LimitRule) -> Result<Response, ApiError> {
    let deed = Deed::set_limit(&subject, &rule);
    let changed = audit.change(deed, state.shown().set_limit(subject.clone(), rule)).await?;
    Ok(json(&ChangedLimit::new(&subject, changed, of(state, &subject).await?)))
}

async fn unset(state: &WebState, audit: &Audit, subject: LimitSubject) -> Result<Response, ApiError> {
    let deed = Deed::unset_limit(&subject);
    let changed = audit.change(deed, state.shown().unset_limit(subject.clone())).await?;
    Ok(json(&ChangedLimit::new(&subject, changed, of(state, &subject).await?)))
}

async fn show_queue(State(state): State, name: PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    show(&state, &LimitSubject::Queue(name.0)).await
}

async fn show_type(State(state): State, name: PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    show(&state, &LimitSubject::Type(name.0)).await
}

async fn set_queue(
    State(state): State,
    audit: Audit,
    name: PathName,
    query: Query,
    body: JsonBody<RuleBody>,
) -> Result<Response, ApiError> {
    query.end()?;
    set(&state, &audit, LimitSubject::Queue(name.0), body.0.into()).await
}

async fn set_type(
    State(state): State,
    audit: Audit,
    name: PathName,
    query: Query,
    body: JsonBody<RuleBody>,
) -> Result<Response, ApiError> {
    query.end()?;
    set(&state, &audit, LimitSubject::Type(name.0), body.0.into()).await
}

async fn unset_queue(State(state): State, audit: Audit, name: PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    unset(&state, &audit, LimitSubject::Queue(name.0)).await
}

async fn unset_type(State(state): State, audit: Audit, name: PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    unset(&state, &audit, LimitSubject::Type(name.0)).await
}

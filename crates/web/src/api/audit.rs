use axum::response::Response;
use longshore_core::{AuditId, AuditRequest, DeedAction};
use longshore_report::AuditPage;
use serde_json::{Value, json};

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Parameter;
use crate::error::ApiError;
use crate::input::Query;
use crate::json::json as document;
use crate::state::State;

/// How many entries a page has.
const PAGE_MAX: u32 = 1000;
const PAGE: u32 = 50;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/audit", Scope::Read, list)
            .says("Lists what was changed by hand, newest first: who, through what, when, and with what result")
            .query([
                Parameter::text("actor", "Only what this user or token has changed."),
                Parameter { schema: actions(), ..Parameter::text("action", "Only this action.") },
                Parameter::number("after", "Continue after this entry: the `next` of the page before.", 1..=u32::MAX),
                Parameter::number("limit", "How many; default 50.", 1..=PAGE_MAX),
            ])
            .answers(200, "AuditPage"),
    ]
}

fn actions() -> Value {
    json!({ "type": "string", "enum": DeedAction::ALL })
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let (actor, action) = (query.condition("actor")?, query.condition::<DeedAction>("action")?);
    let before = query.one("after")?.map(AuditId);
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    query.end()?;
    let action = action.map(|action| action.as_str().to_owned());
    let entries = state.shown().audit_page(AuditRequest { before, actor, action, limit }).await?;
    Ok(document(&AuditPage::new(entries, limit)))
}

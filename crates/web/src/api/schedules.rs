use axum::http::StatusCode;
use axum::response::Response;
use longshore::schedule::ScheduleError;
use longshore_core::{Deed, JobId, ScheduleRecord, SchedulesRequest, TickOutcome, TicksRequest, Timestamp};
use longshore_report::{NextTickList, NextTicks, ScheduleDetail, ScheduleList};
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Body, Parameter};
use crate::error::ApiError;
use crate::input::{JsonBody, OptionalBody, PathName, Query};
use crate::json::{json, json_with};
use crate::state::{State, WebState};

/// How many schedules or ticks a page has at most.
const PAGE_MAX: u32 = 1000;
const TICKS: u32 = 20;
const NEXT_MAX: u32 = 100;
const REASON_BYTES_MAX: usize = 1000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/schedules", Scope::Read, list)
            .says("Lists the schedules by name, with their next ticks and what became of the last one")
            .query([
                Parameter::number("limit", "How many; default 1000.", 1..=PAGE_MAX),
                Parameter::text("after", "Only names behind this one."),
            ])
            .answers(200, "ScheduleList"),
        Endpoint::get("/api/v1/schedules/{name}", Scope::Read, show)
            .says("Shows one schedule with all of its settings")
            .answers(200, "ScheduleDetail"),
        Endpoint::get("/api/v1/schedules/{name}/next", Scope::Read, next)
            .says("Lists the next ticks of a schedule")
            .query([Parameter::number("count", "How many; default 10.", 1..=NEXT_MAX)])
            .answers(200, "NextTickList"),
        Endpoint::get("/api/v1/schedules/{name}/ticks", Scope::Read, ticks)
            .says("Lists what became of the ticks of a schedule, newest first")
            .query([
                Parameter::words("outcome", "Only ticks with one of these outcomes.", OUTCOMES),
                Parameter::instant("before", "Only ticks before this instant: the `next` of the page before."),
                Parameter::number("limit", "How many; default 20.", 1..=PAGE_MAX),
            ])
            .answers(200, "TickPage"),
        Endpoint::post("/api/v1/schedules/{name}/run", Scope::Operate, run)
            .says("Makes a job of a schedule now, whether it is due or not")
            .answers(201, "ScheduleRun"),
        Endpoint::post("/api/v1/schedules/{name}/pause", Scope::Operate, pause)
            .says("Skips the ticks of a schedule until it is resumed")
            .body(Body { schemas: &["PauseReason"], is_required: true })
            .answers(200, "ScheduleDetail"),
        Endpoint::post("/api/v1/schedules/{name}/resume", Scope::Operate, resume)
            .says("Makes jobs of ticks again; those of the pause stay skipped, unless `catch_up` is true")
            .body(Body { schemas: &["Resume"], is_required: false })
            .answers(200, "ScheduleDetail"),
    ]
}

const OUTCOMES: [&str; 7] =
    ["enqueued", "late", "skipped_overlap", "skipped_paused", "coalesced", "missed", "no_such_time"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseReason {
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Resume {
    catch_up: bool,
}

#[derive(Serialize)]
struct ScheduleRun {
    name: String,
    job_id: JobId,
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_MAX);
    let after = query.one("after")?;
    query.end()?;
    let records = state.shown().schedules(SchedulesRequest { names: None, after, limit }).await?;
    Ok(json(&ScheduleList::new(&records)))
}

async fn one(state: &WebState, name: &str) -> Result<ScheduleRecord, ApiError> {
    state.shown().schedule(name).await?.ok_or_else(|| no_such(name))
}

fn no_such(name: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "schedule_not_found", format!("there is no schedule {name:?}"))
        .hint("list the schedules with GET /api/v1/schedules")
}

async fn show(State(state): State, PathName(name): PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    Ok(json(&ScheduleDetail::new(&one(&state, &name).await?)))
}

async fn next(State(state): State, PathName(name): PathName, mut query: Query) -> Result<Response, ApiError> {
    let count = query.number("count", 1..=NEXT_MAX)?.unwrap_or(10);
    query.end()?;
    let record = one(&state, &name).await?;
    Ok(json(&NextTickList { schedules: vec![NextTicks::new(&record, count, None)] }))
}

async fn ticks(State(state): State, PathName(name): PathName, mut query: Query) -> Result<Response, ApiError> {
    let outcomes: Option<Vec<TickOutcome>> = query.words("outcome")?;
    let before: Option<Timestamp> = query.one("before")?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(TICKS);
    query.end()?;
    if outcomes.as_ref().is_some_and(|outcomes| outcomes.len() > OUTCOMES.len()) {
        return Err(ApiError::invalid(format!("there are only {} outcomes", OUTCOMES.len())));
    }
    let request = TicksRequest { schedule: name.clone(), outcomes, before, limit };
    let page = state.shown().ticks(request).await?;
    // A schedule that was removed has ticks, and a new one has none yet.
    if page.ticks.is_empty() {
        one(&state, &name).await?;
    }
    Ok(json(&page))
}

async fn run(State(state): State, audit: Audit, PathName(name): PathName, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let job_id = audit.change(Deed::on_schedule("run", &name), state.shown().run_schedule(&name)).await?;
    Ok(json_with(StatusCode::CREATED, &ScheduleRun { name, job_id }))
}

async fn pause(
    State(state): State,
    audit: Audit,
    PathName(name): PathName,
    query: Query,
    JsonBody(PauseReason { reason }): JsonBody<PauseReason>,
) -> Result<Response, ApiError> {
    query.end()?;
    if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX || reason.contains('\0') {
        return Err(ApiError::invalid(format!("a reason has 1 to {REASON_BYTES_MAX} bytes, none of them zero")));
    }
    let deed = Deed::pause_schedule(&name, &reason);
    known(&name, audit.change(deed, state.shown().pause_schedule(&name, reason)).await?)?;
    Ok(json(&ScheduleDetail::new(&one(&state, &name).await?)))
}

async fn resume(
    State(state): State,
    audit: Audit,
    PathName(name): PathName,
    query: Query,
    OptionalBody(Resume { catch_up }): OptionalBody<Resume>,
) -> Result<Response, ApiError> {
    query.end()?;
    let deed = Deed::on_schedule("resume", &name);
    let shown = state.shown();
    let resumed = match catch_up {
        true => audit.change(deed, shown.resume_schedule_and_catch_up(&name)).await?,
        false => audit.change(deed, shown.resume_schedule(&name)).await?,
    };
    known(&name, resumed.is_known)?;
    Ok(json(&ScheduleDetail::new(&one(&state, &name).await?)))
}

fn known(name: &str, is_known: bool) -> Result<(), ApiError> {
    if is_known { Ok(()) } else { Err(no_such(name)) }
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::NotFound { name } => no_such(&name),
            ScheduleError::Store(error) => error.into(),
            error => Self::new(StatusCode::CONFLICT, "schedule_refused", error.to_string()),
        }
    }
}

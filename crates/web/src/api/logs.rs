use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use longshore_core::{ClaimNumber, Job, JobId, LogEntry, LogRequest};
use longshore_report::JobLog;
use serde::Serialize;
use tokio::sync::mpsc;

use super::events::{self, Rights};
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Parameter;
use crate::error::ApiError;
use crate::input::{PathId, Query};
use crate::json::json;
use crate::state::{State, WebState};

/// How often a growing log is read again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The highest number of an attempt or a piece that both databases can hold.
const NUMBER_MAX: u32 = LogRequest::PIECE_MAX;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/jobs/{id}/logs", Scope::Read, page)
            .says("Shows what the attempts of a job printed and logged, up to 1000 pieces after a position")
            .query(parameters())
            .answers(200, "JobLog"),
        Endpoint::get("/api/v1/jobs/{id}/logs/stream", Scope::Read, stream)
            .says(
                "Follows the log as server-sent events until the job has ended: `log` with a piece, `job` when status \
                 or progress change, `end` at last. After a lost connection a browser continues where it was.",
            )
            .query(parameters()),
    ]
}

fn parameters() -> [Parameter; 2] {
    [
        Parameter::number(
            "attempt",
            "Only this attempt; the first is 1. If several have this number, as after a retry by hand, the newest.",
            1..=NUMBER_MAX,
        ),
        Parameter::text("after", "Only what follows this position: claim_number and chunk_number, with a dot between."),
    ]
}

/// A page of a log.
#[derive(Serialize)]
struct LogDocument {
    #[serde(flatten)]
    log: JobLog,
    /// The `after` of the next page; none if there was nothing more when this one was read.
    next: Option<String>,
}

async fn page(State(state): State, PathId(id): PathId, query: Query) -> Result<Response, ApiError> {
    let request = begun(&state, requested(id, query, None)?).await?;
    let entries = state.shown().log(request).await?.entries;
    let next = entries.last().map(position);
    Ok(json(&LogDocument { log: JobLog { id, entries }, next }))
}

/// Begins at the newest attempt with the number. Fails for a job that does not exist.
async fn begun(state: &WebState, request: LogRequest) -> Result<LogRequest, ApiError> {
    let no_such = || ApiError::no_such_job(request.id);
    if request.attempt.is_some() {
        return Ok(request.from_newest(&state.shown().job(request.id).await?.ok_or_else(no_such)?));
    }
    state.shown().bare_job(request.id).await?.ok_or_else(no_such)?;
    Ok(request)
}

fn requested(id: JobId, mut query: Query, last_event: Option<&str>) -> Result<LogRequest, ApiError> {
    let attempt = query.number("attempt", 1..=NUMBER_MAX)?;
    let after: Option<String> = query.one("after")?;
    query.end()?;
    let after = last_event.or(after.as_deref()).map(place).transpose()?;
    Ok(LogRequest { id, attempt, after })
}

fn place(text: &str) -> Result<(ClaimNumber, u32), ApiError> {
    let parts = text.split_once('.').and_then(|(claim, chunk)| Some((claim.parse().ok()?, chunk.parse().ok()?)));
    let (claim, chunk) = parts
        .ok_or_else(|| ApiError::invalid("a position in a log is two whole numbers with a dot between, such as 1.0"))?;
    if chunk > NUMBER_MAX {
        return Err(ApiError::invalid(format!("a position in a log ends at {NUMBER_MAX}")));
    }
    Ok((ClaimNumber(claim), chunk))
}

fn position(entry: &LogEntry) -> String {
    format!("{}.{}", entry.claim_number, entry.chunk_number)
}

/// What changes of a job while it runs.
#[derive(PartialEq, Serialize)]
struct JobProgress<'a> {
    id: JobId,
    status: longshore_core::Status,
    progress: Option<f64>,
    progress_message: Option<&'a str>,
}

impl<'a> JobProgress<'a> {
    fn of(job: &'a Job) -> Self {
        Self {
            id: job.id,
            status: job.status,
            progress: job.progress,
            progress_message: job.progress_message.as_deref(),
        }
    }
}

async fn stream(
    State(state): State,
    PathId(id): PathId,
    rights: Rights,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last_event = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let request = begun(&state, requested(id, query, last_event)?).await?;
    events::open(&state, rights, move |state, events| Box::pin(follow(state, request, events)))
}

/// Sends until the job has ended and all of its log is sent, or the client is gone.
async fn follow(state: WebState, mut request: LogRequest, events: mpsc::Sender<Result<Event, Infallible>>) {
    let mut told: Option<String> = None;
    loop {
        // The job before its log: otherwise the last lines of one that ends in between would be missed.
        let Ok(Some(job)) = state.shown().bare_job(request.id).await else { return };
        while let Ok(page) = state.shown().log(request).await {
            let Some(last) = page.entries.last() else { break };
            request.after = Some((last.claim_number, last.chunk_number));
            for entry in &page.entries {
                if events.send(Ok(event("log", entry).id(position(entry)))).await.is_err() {
                    return;
                }
            }
        }
        let shown = serde_json::to_string(&JobProgress::of(&job)).unwrap_or_default();
        if told.as_ref() != Some(&shown) {
            if events.send(Ok(Event::default().event("job").data(&shown))).await.is_err() {
                return;
            }
            told = Some(shown);
        }
        if job.status.is_ended() {
            let _ = events.send(Ok(Event::default().event("end").data("{}"))).await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = events.closed() => return,
        }
    }
}

fn event(name: &str, document: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(document).unwrap_or_default())
}

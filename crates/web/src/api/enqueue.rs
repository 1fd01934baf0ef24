mod job_lines;

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longshore::trace::EnqueueSpan;
use longshore_core::{Duplicate, Enqueued, JobId, JobRequest, JsonObject, NewJob};
use longshore_report::EnqueuedJob;
use serde::{Deserialize, Serialize};

use self::job_lines::JobLines;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Body, Parameter};
use crate::error::ApiError;
use crate::input::{Query, json_body};
use crate::json::json_with;
use crate::state::{State, WebState};

/// How many jobs one request may create.
const JOBS_MAX: usize = 10_000;
/// A unique key of a request that only names itself begins with this, so that it meets no key of the application.
const IDEMPOTENCY: &str = "idempotency-key:";
const KEY_BYTES_MAX: usize = 200;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/api/v1/jobs", Scope::Enqueue, create)
            .says(
                "Creates one job, or all jobs of a list or none of them. As `application/x-ndjson` it is a stream of any \
                 number of jobs, one a line, with `ref`, `after` and a batch in the first line, as `longshore enqueue \
                 --batch` reads them.",
            )
            .headers(headers())
            .body(Body { schemas: &["JobRequest", "JobRequests"], is_required: true })
            .answers(201, "EnqueuedJob")
            .or_200("A job with this unique key or Idempotency-Key is there, and no other one was created.")
            .fails(&["404"]),
    ]
}

fn headers() -> [Parameter; 3] {
    [
        Parameter::text(
            "Idempotency-Key",
            "The unique key of a single job that has none, of up to 200 ASCII characters: the same request gives the same \
             job until that job has ended. Another type, queue or payload under the same key is a conflict.",
        ),
        Parameter::text("Prefer", "With `return=minimal` the answer has only the id."),
        Parameter::text(
            "traceparent",
            "The W3C trace context, which goes into the metadata of each job that has none.",
        ),
    ]
}

/// What was created, for each job in the order of the request.
#[derive(Serialize)]
struct Created {
    inserted: usize,
    jobs: Vec<Enqueued>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    jobs: Vec<JsonObject<JobRequest>>,
}

/// A list of jobs, by itself or as `{"jobs": […]}`, or one job.
enum Requested {
    One(Box<JobRequest>),
    Several(Vec<JsonObject<JobRequest>>),
}

/// By hand, because serde says only "no variant matches" of an untagged enum.
fn parse(bytes: &[u8]) -> Result<Requested, serde_json::Error> {
    #[derive(Deserialize)]
    struct Shape {
        jobs: Option<serde::de::IgnoredAny>,
    }
    if bytes.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(bytes).map(Requested::Several);
    }
    if serde_json::from_slice::<Shape>(bytes)?.jobs.is_some() {
        return serde_json::from_slice(bytes).map(|several: Several| Requested::Several(several.jobs));
    }
    serde_json::from_slice(bytes).map(|JsonObject(job)| Requested::One(Box::new(job)))
}

async fn create(State(state): State, query: Query, request: Request) -> Result<Response, ApiError> {
    query.end()?;
    if json_body::is_lines(request.headers()) {
        // Rare and large.
        return Box::pin(create_lines(&state, request)).await;
    }
    let headers = request.headers().clone();
    let bytes = json_body::read(request).await?;
    match parse(&bytes).map_err(|error| json_body::invalid(&error))? {
        Requested::One(job) => create_one(&state, &headers, *job).await,
        Requested::Several(jobs) => Box::pin(create_several(&state, &headers, jobs)).await,
    }
}

async fn create_one(state: &WebState, headers: &HeaderMap, mut job: JobRequest) -> Result<Response, ApiError> {
    let key = idempotency_key(headers)?;
    if key.is_some() {
        if job.unique_key.is_some() {
            return Err(ApiError::invalid("a job has either unique_key or the header Idempotency-Key, not both"));
        }
        job.unique_key.clone_from(&key);
    }
    let job = new_job(state, job)?;
    let asked = key.map(|_| job.clone());
    let Enqueued { id, is_duplicate, duplicate } = state.shown().enqueue(job, traceparent(headers)).await?;
    // An answer with the job of another request would lose this one without a word.
    if let (Some(asked), Some(Duplicate::Kept)) = (&asked, duplicate)
        && !state.shown().is_like(id, asked).await?
    {
        return Err(reused_key(id));
    }
    let status = if is_duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let location = [(header::LOCATION, state.path(&format!("/api/v1/jobs/{id}")))];
    if wants_minimal(headers) {
        return Ok((location, json_with(status, &Enqueued { id, is_duplicate, duplicate })).into_response());
    }
    // It may have run and been removed meanwhile.
    let job = state.shown().bare_job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    Ok((location, json_with(status, &EnqueuedJob { job, is_duplicate, duplicate })).into_response())
}

async fn create_several(
    state: &WebState,
    headers: &HeaderMap,
    requests: Vec<JsonObject<JobRequest>>,
) -> Result<Response, ApiError> {
    if requests.len() > JOBS_MAX {
        return Err(ApiError::invalid(format!("one request creates at most {JOBS_MAX} jobs")));
    }
    if idempotency_key(headers)?.is_some() {
        return Err(ApiError::invalid("a list of jobs has no Idempotency-Key: give each job a unique_key"));
    }
    let jobs = all_of(requests.into_iter().map(|JsonObject(request)| new_job(state, request)))?;
    if jobs.is_empty() {
        return Ok(json_with(StatusCode::CREATED, &Created { inserted: 0, jobs: Vec::new() }));
    }
    let span = EnqueueSpan::of_batch(&jobs, traceparent(headers));
    let limits = state.shown().limits();
    let enqueued = async {
        let jobs = all_of(jobs.into_iter().map(|job| Ok(job.traced(span.traceparent()).check(&limits)?)))?;
        state.shown().enqueue_valid(jobs).await
    };
    let jobs = enqueued.await.inspect_err(|error| span.note_error(error.code()))?;
    let inserted = jobs.iter().filter(|job| !job.is_duplicate).count();
    Ok(json_with(StatusCode::CREATED, &Created { inserted, jobs }))
}

/// All jobs of the lines or none. The transaction begins when the last line has come.
async fn create_lines(state: &WebState, request: Request) -> Result<Response, ApiError> {
    if idempotency_key(request.headers())?.is_some() {
        return Err(ApiError::invalid("lines of jobs have no Idempotency-Key: give each job a unique_key"));
    }
    if request.body().size_hint().lower() > job_lines::BYTES_MAX {
        return Err(json_body::too_large(job_lines::BYTES_MAX));
    }
    let defaults = Arc::clone(&state.settings().defaults);
    let span = EnqueueSpan::of_stream(traceparent(request.headers()));
    let traceparent = span.traceparent().map(str::to_owned);
    let shown = state.shown();
    let enqueued = async {
        let (batch, lines) = JobLines::begin(request.into_body(), defaults, traceparent, shown.limits()).await?;
        shown.enqueue_workflow_stream(batch, Box::pin(lines)).await
    };
    let enqueued = enqueued.await.inspect_err(|error| span.note_error(error.code()))?;
    span.note_count(enqueued.inserted);
    Ok(json_with(StatusCode::CREATED, &enqueued))
}

/// The W3C trace context of the request.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

fn new_job(state: &WebState, request: JobRequest) -> Result<NewJob, ApiError> {
    let defaults = (state.settings().defaults)(&request.job_type);
    Ok(request.into_new_job(defaults)?)
}

/// All jobs of a list, or the first error with its place.
fn all_of<T>(jobs: impl Iterator<Item = Result<T, ApiError>>) -> Result<Vec<T>, ApiError> {
    let named = |(index, job): (usize, Result<T, ApiError>)| {
        job.map_err(|error| error.within(format_args!("job {} of the list", index + 1)))
    };
    jobs.enumerate().map(named).collect()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(format!("{IDEMPOTENCY}{key}"))),
        _ => Err(ApiError::invalid(format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} ASCII characters"))),
    }
}

/// It does not say what differs, because that may be hidden from this user.
fn reused_key(id: JobId) -> ApiError {
    let message = format!("the Idempotency-Key belongs to job {id}, which has another type, queue or payload");
    ApiError::new(StatusCode::CONFLICT, "idempotency_key_reused", message)
        .hint("nothing was created: send each job with a key of its own")
}

fn wants_minimal(headers: &HeaderMap) -> bool {
    headers.get("prefer").is_some_and(|value| value.as_bytes() == b"return=minimal")
}

use axum::response::Response;
use longshore_core::{Dependents, DependentsRequest, JobId, JobPage, JobPageRequest, PageCursor, explain};
use longshore_report::{JobList, PlacedDetail, PlacedExplanation};

use super::filter;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Parameter;
use crate::error::ApiError;
use crate::input::{PathId, Query};
use crate::json::json;
use crate::search::{Contents, Found, Search, search};
use crate::state::{State, WebState};

/// How many jobs a page has, and how many it has at most.
pub(super) const PAGE: u32 = 20;
pub(super) const PAGE_MAX: u32 = 1000;
/// How many jobs a page looks at, and how many at most. No index knows types, queues and failures, so what is rare lies
/// behind many others.
const LOOKED: u32 = 5_000;
const LOOKED_MAX: u32 = 1_000_000;
/// How many dependents a page has at most. One more is read, to see whether there is another page.
const DEPENDENTS_MAX: u32 = 500;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/jobs", Scope::Read, list)
            .says(
                "Lists jobs, newest first. `tag`, `error` and `field` are looked for in the jobs themselves, for at most 3 \
                 seconds.",
            )
            .query(filter::parameters())
            .query([
                Parameter::text("tag", "Only jobs with this tag in their metadata."),
                Parameter::text("error", "Only jobs whose last error or reason contains these words, in any case."),
                Parameter::text(
                    "field",
                    "Only jobs with this value in their payload: a JSON pointer, = and the value, such as `/order/id=7`.",
                ),
            ])
            .query(page_parameters())
            .answers(200, "JobList"),
        Endpoint::get("/api/v1/jobs/{id}", Scope::Read, show)
            .says("Shows one job with its attempts")
            .answers(200, "JobDetail"),
        Endpoint::get("/api/v1/jobs/{id}/explain", Scope::Read, why)
            .says("Says why a job is not running")
            .answers(200, "Explanation"),
        Endpoint::get("/api/v1/jobs/{id}/dependents", Scope::Read, waiting)
            .says("Lists the blocked jobs that wait for a job, as their parent or as a dependency, by id")
            .query(dependent_parameters())
            .answers(200, "DependentList"),
        Endpoint::get("/api/v1/jobs/{id}/children", Scope::Read, children)
            .says("Lists the children of a job in any status, by id. Of more than 10,000 any 10,000 are listed.")
            .query(dependent_parameters())
            .answers(200, "DependentList"),
    ]
}

pub(super) fn page_parameters() -> [Parameter; 3] {
    [
        Parameter::number("limit", "How many jobs the page has; default 20.", 1..=PAGE_MAX),
        Parameter::text("after", "The `next` of the page before."),
        Parameter::number(
            "look",
            "About how many jobs are looked at for the page; default 5000. A page that finds too few among them has fewer \
             jobs, perhaps none, and a `next`: only a page without `next` is the last one.",
            1..=LOOKED_MAX,
        ),
    ]
}

fn dependent_parameters() -> [Parameter; 2] {
    [
        Parameter::number("limit", "How many jobs the page has; default 20.", 1..=DEPENDENTS_MAX),
        Parameter::text("after", "The `next` of the page before."),
    ]
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let selection = filter::take(&mut query)?.into();
    let [tag, error, field] = ["tag", "error", "field"].map(|name| query.condition::<String>(name));
    let contents = Contents::new(tag?.as_deref(), error?.as_deref(), field?.as_deref())?;
    let request = page(selection, &mut query)?;
    query.end()?;
    let jobs = if contents.is_empty() {
        state.shown().jobs(request).await?
    } else {
        found(&state, &contents, request).await?
    };
    Ok(json(&JobList::new(jobs, |id| state.place_of(id))))
}

pub(super) fn page(selection: longshore_core::Selection, query: &mut Query) -> Result<JobPageRequest, ApiError> {
    let after: Option<PageCursor> = query.one("after")?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    let looked_max = Some(query.number("look", 1..=LOOKED_MAX)?.unwrap_or(LOOKED));
    Ok(JobPageRequest { selection, after, limit, looked_max })
}

async fn found(state: &WebState, contents: &Contents, request: JobPageRequest) -> Result<JobPage, ApiError> {
    let JobPageRequest { selection, after, limit, looked_max } = request;
    let looked_max = u64::from(looked_max.unwrap_or(LOOKED));
    let Found { jobs, next, .. } =
        search(state.shown(), Search { contents, selection, after, limit: limit as usize, looked_max }).await?;
    Ok(JobPage { jobs, next })
}

async fn show(State(state): State, PathId(id): PathId, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let detail = state.shown().job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    Ok(json(&PlacedDetail { detail: &detail, database: state.place_of(id) }))
}

async fn why(State(state): State, PathId(id): PathId, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    Ok(json(&explanation(&state, id).await?))
}

async fn waiting(State(state): State, id: PathId, query: Query) -> Result<Response, ApiError> {
    dependents(&state, id.0, Dependents::Waiting, query).await
}

async fn children(State(state): State, id: PathId, query: Query) -> Result<Response, ApiError> {
    dependents(&state, id.0, Dependents::Children, query).await
}

async fn dependents(state: &WebState, id: JobId, which: Dependents, mut query: Query) -> Result<Response, ApiError> {
    let limit = query.number("limit", 1..=DEPENDENTS_MAX)?.unwrap_or(PAGE);
    let after: Option<JobId> = query.one("after")?;
    query.end()?;
    if state.shown().bare_job(id).await?.is_none() {
        return Err(ApiError::no_such_job(id));
    }
    Ok(json(&state.shown().dependents(DependentsRequest { id, which, after, limit }).await?))
}

async fn explanation(state: &WebState, id: JobId) -> Result<serde_json::Value, ApiError> {
    let facts = state.shown().waiting_facts(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    let placed = PlacedExplanation { explanation: &explain(&facts), database: state.place_of(id) };
    Ok(serde_json::to_value(placed).expect("an explanation has only names as keys"))
}

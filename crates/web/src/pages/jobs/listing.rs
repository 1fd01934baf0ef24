use std::time::Duration;

use longshore_core::{JobPage, JobPageRequest, PageCursor};
use maud::{Markup, html};

use super::PAGE;
use super::filter::{JobFilter, Reach};
use crate::error::ApiError;
use crate::pages::drawing::table::status_in_words;
use crate::pages::drawing::text::{counted, number};
use crate::pages::view::View;
use crate::search::{Found, LOOK_MAX, Search, search};
use crate::state::WebState;

/// How many jobs a page looks at. No index knows types, queues and failures, so what is rare lies behind many others.
pub(in crate::pages) const LOOKED_MAX: u32 = 5_000;
/// How many of the newest jobs a search looks at.
pub(super) const SEARCHED_MAX: u64 = 100_000;
/// How long a page waits for its jobs, for example while the database is busy.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// A page of jobs, or nothing if it could not be read in time.
pub(in crate::pages) async fn read(state: &WebState, request: JobPageRequest) -> Result<Option<JobPage>, ApiError> {
    match tokio::time::timeout(WAIT_MAX, state.shown().jobs(request)).await {
        Ok(page) => Ok(Some(page?)),
        Err(_) => Ok(None),
    }
}

/// A page of the jobs that hold what the filter looks for.
pub(super) async fn find(state: &WebState, filter: &JobFilter) -> Result<Found, ApiError> {
    let (selection, after) = (filter.selection(), filter.after.clone());
    let asked = Search { contents: &filter.contents, selection, after, limit: PAGE as usize, looked_max: SEARCHED_MAX };
    search(state.shown(), asked).await
}

/// What a page says instead of jobs.
pub(in crate::pages) fn gave_up() -> Markup {
    html! {
        p.notice.warn #gave-up {
            "The database did not answer in " (WAIT_MAX.as_secs()) " seconds. Choose a status or a queue, or try again."
        }
    }
}

/// How far a look went that found too few jobs, and how to go on. Nothing if it found enough, or has seen all jobs.
pub(super) fn extent(view: &View, filter: &JobFilter, page: &JobPage, limit: u32) -> Markup {
    let Some(next) = page.next.as_ref().filter(|_| page.jobs.len() < limit as usize) else { return html! {} };
    let further = |reach| {
        let there = JobFilter { after: Some(next.clone()), reach, ..filter.clone() };
        html! {
            a rel=[(reach == Reach::Far).then_some("next")] href=(view.link(&there.path())) {
                "Look at the next " (number(u64::from(reach.looked_max())))
            }
        }
    };
    html! {
        p.notice #extent {
            "Found " (counted(page.jobs.len() as u64, "job")) " among the "
            @if filter.after.is_some() { "next " } @else { "newest " }
            (number(u64::from(filter.reach.looked_max())))
            @match filter.status {
                None => " jobs. ",
                Some(status) => { " with the status " (status_in_words(status)) ". " },
            }
            @if filter.reach == Reach::Near { (further(Reach::Near)) " or " }
            (further(Reach::Far)) "."
        }
    }
}

/// How far the search went.
pub(super) fn extent_of_search(view: &View, filter: &JobFilter, found: &Found) -> Markup {
    let older = |next: &PageCursor| view.link(&JobFilter { after: Some(next.clone()), ..filter.clone() }.path());
    html! {
        p.notice.warn[found.is_late] #extent {
            "Found " (counted(found.jobs.len() as u64, "job")) " among the "
            @if filter.after.is_some() { "next " } @else { "newest " }
            (counted(found.looked, "job"))
            @if found.is_late { ", then " (LOOK_MAX.as_secs()) " seconds were over" }
            @if found.looked >= SEARCHED_MAX { ", the most that one search looks at (" (number(SEARCHED_MAX)) ")" }
            "."
            @match &found.next {
                Some(next) => { " " a rel="next" href=(older(next)) { "Search older ones" } },
                None => " There are no others.",
            }
        }
    }
}

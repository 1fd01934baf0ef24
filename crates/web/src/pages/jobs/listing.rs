use std::time::Duration;

use longshore_core::{JobPage, JobPageRequest};
use maud::{Markup, html};

use crate::error::ApiError;
use crate::state::WebState;

/// How long a page looks for jobs. A filter that hardly any job matches makes a store look at many.
const LOOK_MAX: Duration = Duration::from_secs(3);

/// A page of jobs, or nothing if it could not be read in time.
pub(in crate::pages) async fn read(state: &WebState, request: JobPageRequest) -> Result<Option<JobPage>, ApiError> {
    match tokio::time::timeout(LOOK_MAX, state.shown().jobs(request)).await {
        Ok(page) => Ok(Some(page?)),
        Err(_) => Ok(None),
    }
}

/// What a page says instead of jobs.
pub(in crate::pages) fn gave_up() -> Markup {
    html! {
        p.notice.warn #gave-up {
            "The database was searched for " (LOOK_MAX.as_secs()) " seconds, and too few jobs were found. Choose a status or a queue."
        }
    }
}

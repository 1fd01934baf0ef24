use longshore_core::{Action, Filter, JobId, JsonObject, Selection, Status};
use serde::Deserialize;

use super::filter::FilterBody;
use crate::endpoint::document::Body;
use crate::error::ApiError;

/// How many jobs a request may name.
const IDS_MAX: usize = 1000;

pub(super) const SELECTION: Body = Body { schemas: &["Selection"], is_required: true };

/// How one job is retried.
pub(super) const RETRY: Body = Body { schemas: &["Retry"], is_required: false };
pub(super) const RETRY_SELECTION: Body = Body { schemas: &["RetrySelection"], is_required: true };

/// How jobs are retried.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryBody {
    /// Without the children that became dead letters because of them.
    alone: bool,
    /// Without their checkpoints and the results of their steps.
    from_start: bool,
}

impl RetryBody {
    pub(super) const fn action(&self) -> Action {
        Action::retry(self.alone, self.from_start)
    }
}

/// Which jobs are retried, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetrySelectionBody {
    // Not flattened: serde would then accept unknown fields.
    #[serde(default)]
    ids: Option<Vec<JobId>>,
    #[serde(default)]
    filter: Option<JsonObject<FilterBody>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    from_start: bool,
}

impl RetrySelectionBody {
    pub(super) fn parts(self) -> (SelectionBody, Action) {
        let Self { ids, filter, dry_run, alone, from_start } = self;
        (SelectionBody::new(ids, filter, dry_run), Action::retry(alone, from_start))
    }
}

/// Which jobs: by id, or all that match a filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectionBody {
    #[serde(default)]
    ids: Option<Vec<JobId>>,
    #[serde(default)]
    filter: Option<JsonObject<FilterBody>>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

impl SelectionBody {
    pub(super) const fn new(ids: Option<Vec<JobId>>, filter: Option<JsonObject<FilterBody>>, dry_run: bool) -> Self {
        Self { ids, filter, dry_run }
    }

    /// Whether jobs are only counted.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The ids, if it names any, within their bound.
    pub(super) fn named(&self) -> Result<Option<&[JobId]>, ApiError> {
        match &self.ids {
            Some(ids) if ids.len() > IDS_MAX => {
                Err(ApiError::invalid(format!("a request names at most {IDS_MAX} ids")))
            }
            Some(ids) if ids.iter().any(|id| id.0 < 1) => {
                Err(ApiError::invalid("an id is a whole number, 1 or higher"))
            }
            ids => Ok(ids.as_deref()),
        }
    }

    /// The same among jobs with this status.
    pub(super) fn of_status(mut self, status: Status) -> Self {
        if let Some(JsonObject(filter)) = &mut self.filter {
            filter.status = Some(vec![status]);
        }
        self
    }

    /// The jobs. A filter without a status means the usual ones.
    pub(super) fn into_selection(self, usual: &'static [Status]) -> Result<Selection, ApiError> {
        self.named()?;
        match (self.ids, self.filter) {
            (Some(ids), None) => Ok(Selection::Jobs(ids)),
            (None, Some(JsonObject(filter))) => {
                let filter = filter.into_filter()?;
                let statuses = filter.statuses.or_else(|| Some(usual.to_vec()));
                Ok(Selection::Matching(Filter { statuses, ..filter }))
            }
            (None, None) => Err(ApiError::invalid("the body names no jobs").hint(
                "give \"ids\", or a \"filter\"; {\"filter\": {}} is every job, and \"dry_run\": true only counts them",
            )),
            (Some(_), Some(_)) => Err(ApiError::invalid("the body has either ids or a filter, not both")),
        }
    }
}

use std::convert::Infallible;
use std::fmt::Display;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use longshore::backend::{Actor, Deed, Touched, Via};
use longshore_core::{Action, Actioned, Selection, StoreError};

use crate::Access;
use crate::state::{Mounted, WebState};

/// What a handler changes is in the audit trail, with the user of the request.
#[derive(Clone)]
pub(crate) struct Audit {
    state: WebState,
    actor: Actor,
}

impl Audit {
    /// Changes something, with an entry in the audit trail. If the entry cannot be written, nothing is changed.
    pub(crate) async fn change<T: Touched, E: From<StoreError> + Display>(
        &self,
        deed: Deed,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.state.shown().audited(&self.actor, deed, change).await
    }

    /// Changes jobs, with an entry in the audit trail.
    pub(crate) async fn act(&self, selection: Selection, action: Action) -> Result<Actioned, StoreError> {
        let deed = Deed::on_jobs(action, &selection);
        self.change(deed, self.state.shown().act(selection, action)).await
    }
}

impl FromRequestParts<Mounted> for Audit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, mounted: &Mounted) -> Result<Self, Infallible> {
        let is_api = parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str().contains("/api/v1/"));
        // No route is without a user; one whose application gives it no name has none here.
        let name = parts.extensions.get::<Access>().map(|access| access.name().replace('\0', "\u{fffd}"));
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        let actor = Actor { name, via: if is_api { Via::Api } else { Via::Dashboard } };
        Ok(Self { state: mounted.seen_by(&parts.extensions), actor })
    }
}

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use longshore_core::{Clock, SystemClock, Timestamp};

use super::cookies;
use super::drawing::instant::Zone;
use crate::Access;
use crate::access::{Scope, csrf};
use crate::error::ApiError;
use crate::input::pairs::encode;
use crate::state::{Mounted, WebState, below};

/// How long a page waits for the number in its menu.
const COUNT_WAIT_MAX: Duration = Duration::from_millis(500);

/// How a user sees every page: who it is, what it may do, its time zone and theme.
#[derive(Clone, Debug)]
pub(super) struct View {
    base: String,
    pub(super) database: String,
    pub(super) access: Access,
    /// What every form repeats.
    pub(super) csrf: String,
    pub(super) zone: Zone,
    pub(super) theme: Theme,
    pub(super) now: Timestamp,
    /// What the last action did, shown once.
    pub(super) notice: Option<String>,
    /// This page with its query, below the base path.
    pub(super) here: String,
    pub(super) can_log_out: bool,
    /// How many there are, for the menu. None if that could not be read in time.
    pub(super) dead_letters: Option<u64>,
}

/// The colours of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Theme {
    /// Those that the system of the user prefers.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

impl View {
    /// Whoever has not been let in yet sees the log-in and errors.
    pub(super) fn of_stranger(state: &WebState) -> Self {
        Self::new(state, Access::new("", []), "/".to_owned())
    }

    fn new(state: &WebState, access: Access, here: String) -> Self {
        Self {
            base: state.path(""),
            database: state.settings().database.clone(),
            csrf: csrf::token(state, &access),
            access,
            zone: Zone::utc(),
            theme: Theme::System,
            now: SystemClock::new().now(),
            notice: None,
            here,
            can_log_out: state.settings().has_log_in() && !state.settings().is_open,
            dead_letters: None,
        }
    }

    /// How this request's pages look to a user; none if it is not known.
    pub(super) fn of_request(state: &WebState, parts: &Parts, access: Option<Access>) -> Self {
        let mut view = match access {
            Some(access) => Self::new(state, access, here(parts)),
            None => Self::of_stranger(state),
        };
        let cookie = |name| cookies::read(&parts.headers, name);
        view.zone = cookie(cookies::ZONE).and_then(|name| Zone::find(&name).ok()).unwrap_or_else(Zone::utc);
        view.theme = cookie(cookies::THEME).and_then(|word| Theme::of_word(&word)).unwrap_or_default();
        view.notice = cookie(cookies::NOTICE);
        view
    }

    /// The same with the number of dead letters, by the counts that are read about once a second for all users. The state
    /// must be that of the user.
    pub(super) async fn counted(mut self, state: &WebState) -> Self {
        // By itself, so that a slow read ends and the next page has its number.
        let state = state.clone();
        let read = tokio::spawn(async move { state.snapshot().await });
        let read = tokio::time::timeout(COUNT_WAIT_MAX, read).await;
        self.dead_letters = read.ok().and_then(Result::ok).and_then(Result::ok).map(|snapshot| snapshot.dead_letters);
        self
    }

    /// A link to a page below the base path.
    pub(super) fn link(&self, path: &str) -> String {
        below(&self.base, path)
    }

    /// A link to a page with a query of one value.
    pub(super) fn link_with(&self, path: &str, name: &str, value: &str) -> String {
        format!("{}?{name}={}", self.link(path), encode(value))
    }

    /// The base path: empty, or with a slash in front.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn may_operate(&self) -> bool {
        self.access.may(Scope::Operate)
    }

    pub(super) fn may_enqueue(&self) -> bool {
        self.access.may(Scope::Enqueue)
    }
}

/// The path and query below the base path, which the router has taken away.
fn here(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned()
}

impl FromRequestParts<Mounted> for View {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, mounted: &Mounted) -> Result<Self, ApiError> {
        let access = parts.extensions.get::<Access>().cloned().ok_or_else(ApiError::unauthenticated)?;
        let state = mounted.seen_by(&parts.extensions);
        Ok(Self::of_request(&state, parts, Some(access)).counted(&state).await)
    }
}

pub(crate) mod csrf;
pub(crate) mod log_ins;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod tokens;

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use longshore_core::StoreError;

pub use self::scope::{Scope, Scopes, UnknownScope, queue_of, queue_word};
pub use self::secret::Secret;
use self::tokens::TokenAccess;
use crate::error::ApiError;

/// The future of [`Identify::identify`].
pub type Identified<'a> = Pin<Box<dyn Future<Output = Result<Option<Access>, StoreError>> + Send + 'a>>;

/// Who makes a request: the users of an application that mounts the router.
///
/// ```
/// use longshore_web::{Access, Identified, Identify, Scope};
///
/// struct Staff;
///
/// impl Identify for Staff {
///     fn identify<'a>(&'a self, request: &'a axum::http::request::Parts) -> Identified<'a> {
///         // What the application's own log-in has put into the request.
///         let user = request.extensions.get::<String>().cloned();
///         Box::pin(async move { Ok(user.map(|name| Access::new(name, [Scope::Read, Scope::Operate]))) })
///     }
/// }
/// ```
pub trait Identify: Send + Sync + 'static {
    /// The user and its rights; none if it is not known. An error is answered with 503.
    ///
    /// Changes are refused before this call if a browser made the request for a page of another site.
    fn identify<'a>(&'a self, request: &'a Parts) -> Identified<'a>;
}

/// A user and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    name: String,
    scopes: Scopes,
    /// The only queues that the user sees; none if it sees all.
    queues: Option<Arc<BTreeSet<String>>>,
    /// What a form of this user's pages must repeat; the same for all requests of one log-in.
    session: String,
}

impl Access {
    /// A user with these rights. The name is shown on the pages.
    pub fn new(name: impl Into<String>, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let name = name.into();
        Self { session: name.clone(), name, scopes: scopes.into_iter().collect(), queues: None }
    }

    /// The same user, who sees and uses these queues alone. All else is hidden: its jobs are not found, not counted, and
    /// not changed.
    ///
    /// ```
    /// # use longshore_web::{Access, Scope};
    /// let access = Access::new("ada", [Scope::Operate]).only_queues(["mail", "import"]);
    /// assert!(access.sees("mail") && !access.sees("billing"));
    /// ```
    #[must_use]
    pub fn only_queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.queues = Some(Arc::new(queues.into_iter().map(Into::into).collect()));
        self
    }

    /// Whether the user sees this queue.
    pub fn sees(&self, queue: &str) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.contains(queue))
    }

    /// The only queues that the user sees; none if it sees all.
    pub(crate) const fn queues(&self) -> Option<&Arc<BTreeSet<String>>> {
        self.queues.as_ref()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the user has the right.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contain(scope)
    }

    /// Fails unless the user has the right.
    pub(crate) fn check(&self, scope: Scope) -> Result<(), ApiError> {
        if self.may(scope) { Ok(()) } else { Err(ApiError::forbidden(scope)) }
    }

    /// The same user in one log-in.
    fn of_session(mut self, id: &Secret) -> Self {
        self.session = secret::hex(&id.hash().0);
        self
    }

    /// The same user without the right to change anything.
    pub(crate) fn reading_only(mut self) -> Self {
        self.scopes = self.scopes.reading_only();
        self
    }
}

/// Every handler may ask for it: the request was let in with this access.
impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

/// Lets nobody in.
pub(crate) struct Nobody;

impl Identify for Nobody {
    fn identify<'a>(&'a self, _request: &'a Parts) -> Identified<'a> {
        Box::pin(async { Ok(None) })
    }
}

/// Lets everybody do everything. Who sends a token has the rights of that token alone, so that a script
/// behaves on a developer's machine as it will elsewhere.
pub(crate) struct Open(pub(crate) Arc<TokenAccess>);

impl Identify for Open {
    fn identify<'a>(&'a self, request: &'a Parts) -> Identified<'a> {
        if request.headers.contains_key(header::AUTHORIZATION) {
            return self.0.identify(request);
        }
        Box::pin(async { Ok(Some(Access::new("local", [Scope::Admin]))) })
    }
}

impl fmt::Debug for dyn Identify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identify")
    }
}

use std::sync::Arc;
use std::time::Instant;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use longshore::Queue;
use longshore_core::{StoreError, TokenHash};

use super::log_ins::LogIns;
use super::scope::queue_of;
use super::secret::Secret;
use super::{Access, Identified, Identify, Scope};

/// The cookie of a log-in.
pub(crate) const COOKIE: &str = "longshore_session";

/// Lets in whoever has a token of the database: in the header of each request, or once at the log-in page.
pub(crate) struct TokenAccess {
    queue: Queue,
    pub(crate) log_ins: LogIns,
}

impl TokenAccess {
    pub(crate) fn new(queue: Queue) -> Arc<Self> {
        Arc::new(Self { queue, log_ins: LogIns::default() })
    }

    /// The owner of a token; none if it is unknown or was revoked.
    pub(crate) async fn owner(&self, hash: TokenHash) -> Result<Option<Access>, StoreError> {
        let Some(token) = self.queue.backend().token(hash).await? else { return Ok(None) };
        // A newer version may have written scopes that this one does not know; they give nothing here.
        let scopes = token.scopes.iter().filter_map(|word| word.parse::<Scope>().ok());
        let access = Access::new(token.name, scopes);
        let queues: Vec<String> = token.scopes.iter().filter_map(|word| queue_of(word)).collect();
        Ok(Some(if queues.is_empty() { access } else { access.only_queues(queues) }))
    }
}

impl Identify for Arc<TokenAccess> {
    fn identify<'a>(&'a self, request: &'a Parts) -> Identified<'a> {
        Box::pin(async move {
            if let Some(secret) = bearer(&request.headers) {
                return self.owner(secret.hash()).await;
            }
            let Some(id) = session(&request.headers) else { return Ok(None) };
            // The token is looked up again, so that a log-in ends when its token is revoked.
            match self.log_ins.token(&id, Instant::now()) {
                Some(hash) => Ok(self.owner(hash).await?.map(|access| access.of_session(&id))),
                None => Ok(None),
            }
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Secret::sent(token.trim()) } else { None }
}

/// The id of the log-in that a browser has sent.
pub(crate) fn session(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| Secret::sent(value))
}

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use crate::Access;
use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::guard::access_of;
use crate::input::Query;
use crate::state::{State, WebState};

/// How often the counts are looked at for all streams together.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A database that gives no counts for so long does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether the user of a stream still has its rights.
const RIGHTS_EVERY: Duration = Duration::from_secs(10);
/// A comment after this much silence, so that proxies keep the connection and a lost one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many events wait for a slow client.
const WAITING_MAX: usize = 16;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/events", Scope::Read, events).says(
        "Server-sent events: `stats` with the counts of all queues, at once and then whenever they change, at most \
             once a second; `trouble` when the database stops answering, and `stats` when it answers again",
    )]
}

async fn events(State(state): State, rights: Rights, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    open(&state, rights, |state, events| Box::pin(tell(state, events)))
}

/// What the user of a stream may do. A stream outlives the look at its request, so the look is repeated.
pub(super) struct Rights {
    /// The head of the request, with the token or the cookie.
    head: Parts,
    access: Access,
}

impl<S: Send + Sync> FromRequestParts<S> for Rights {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let access = Access::from_request_parts(parts, state).await?;
        Ok(Self { head: parts.clone(), access })
    }
}

impl Rights {
    /// Resolves when the token was revoked, the log-in has ended, or the user has other rights. Cancellation safe.
    async fn lost(self, state: WebState) {
        loop {
            tokio::time::sleep(RIGHTS_EVERY).await;
            match access_of(&state, &self.head).await {
                Ok(Some(access)) if access == self.access => {}
                Ok(_) => return,
                // A database that does not answer says nothing about rights, and gives nothing to send either.
                Err(_) => {}
            }
        }
    }
}

/// What fills a stream.
type Teller = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens a stream of events. The task that fills it ends with the stream, which owns it, and with the rights.
pub(super) fn open(
    state: &WebState,
    rights: Rights,
    teller: impl FnOnce(WebState, mpsc::Sender<Result<Event, Infallible>>) -> Teller,
) -> Result<Response, ApiError> {
    let permit = state.stream_permit().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many event streams are open")
            .hint("close some pages, or ask again later")
    })?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let (telling, losing, closing) = (teller(state.clone(), sender), rights.lost(state.clone()), state.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            () = telling => {}
            () = losing => {}
            () = closing.closed() => {}
        }
    });
    let stream = EventStream { receiver, task, _permit: permit };
    let mut response = Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // nginx would hold the events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct EventStream {
    receiver: mpsc::Receiver<Result<Event, Infallible>>,
    task: JoinHandle<()>,
    _permit: OwnedSemaphorePermit,
}

impl Stream for EventStream {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a stream has told last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// The counts with this hash.
    Counts(u64),
    /// That the database does not answer.
    Trouble,
}

async fn tell(state: WebState, events: mpsc::Sender<Result<Event, Infallible>>) {
    let mut told = None;
    loop {
        let (news, event) = match tokio::time::timeout(ANSWER_MAX, state.snapshot()).await {
            Ok(Ok(snapshot)) => {
                let mut hash = DefaultHasher::new();
                snapshot.changing.hash(&mut hash);
                (News::Counts(hash.finish()), Event::default().event("stats").data(&snapshot.document))
            }
            Ok(Err(_)) | Err(_) => (News::Trouble, Event::default().event("trouble").data("{}")),
        };
        if told != Some(news) {
            if events.send(Ok(event)).await.is_err() {
                return;
            }
            told = Some(news);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = events.closed() => return,
        }
    }
}

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::Query;
use crate::state::{State, WebState};

/// How often the counts are looked at for all streams together.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A comment after this much silence, so that proxies keep the connection and a lost one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many events wait for a slow client.
const WAITING_MAX: usize = 16;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/events", Scope::Read, events).says(
        "Server-sent events: `stats` with the counts of all queues, at once and then whenever they change, at most \
             once a second",
    )]
}

async fn events(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    open(&state, |state, events| Box::pin(tell(state, events)))
}

/// What fills a stream.
type Teller = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens a stream of events. The task that fills it ends with the stream, which owns it.
pub(super) fn open(
    state: &WebState,
    teller: impl FnOnce(WebState, mpsc::Sender<Result<Event, Infallible>>) -> Teller,
) -> Result<Response, ApiError> {
    let permit = state.stream_permit().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many event streams are open")
            .hint("close some pages, or ask again later")
    })?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let (telling, closing) = (teller(state.clone(), sender), state.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            () = telling => {}
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

async fn tell(state: WebState, events: mpsc::Sender<Result<Event, Infallible>>) {
    let mut told = None;
    loop {
        if let Ok(snapshot) = state.snapshot().await {
            let mut hash = DefaultHasher::new();
            snapshot.changing.hash(&mut hash);
            let hash = hash.finish();
            if told != Some(hash) {
                let event = Event::default().event("stats").data(&snapshot.document);
                if events.send(Ok(event)).await.is_err() {
                    return;
                }
                told = Some(hash);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = events.closed() => return,
        }
    }
}

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How many bytes of a body are read that nobody needs, and for how long.
const REST_BYTES_MAX: u64 = 1024 * 1024;
const REST_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads what a handler left of the body, as after a refusal. Otherwise the next request on the connection would begin in
/// the middle of this one. A rest that is too large or too slow ends the connection, and the answer says so.
pub(super) async fn read(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let is_announced = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let rest = Lent(Arc::new(Mutex::new(Owned { body, is_begun: false, is_ended: false })));
    let lent = Body::new(Lent(Arc::clone(&rest.0)));
    let mut response = next.run(Request::from_parts(parts, lent)).await;
    if !is_ended(rest, is_announced).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the body has ended, perhaps after its rest was read.
async fn is_ended(rest: Lent, is_announced: bool) -> bool {
    if rest.is_end_stream() {
        return true;
    }
    // A client that waits for the permission to send the body must not get it now.
    let is_awaited = is_announced && !rest.lock().is_begun;
    if is_awaited || rest.size_hint().lower() > REST_BYTES_MAX {
        return false;
    }
    tokio::time::timeout(REST_TIMEOUT, drain(rest)).await.unwrap_or(false)
}

async fn drain(mut rest: Lent) -> bool {
    let mut read = 0;
    while let Some(frame) = rest.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > REST_BYTES_MAX {
            return false;
        }
    }
    true
}

/// A body that is lent to the handler. The handler may drop it, and what it did not read is still here.
struct Lent(Arc<Mutex<Owned>>);

struct Owned {
    body: Body,
    is_begun: bool,
    is_ended: bool,
}

impl Lent {
    fn lock(&self) -> MutexGuard<'_, Owned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut owned = self.lock();
        if owned.is_ended {
            return Poll::Ready(None);
        }
        owned.is_begun = true;
        let polled = Pin::new(&mut owned.body).poll_frame(context);
        owned.is_ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        let owned = self.lock();
        owned.is_ended || owned.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

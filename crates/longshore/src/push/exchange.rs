use std::time::SystemTime;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use longshore_core::{Failure, FailureType};

use super::answer::{Answer, Content};
use super::connection::Duplex;
use super::signing_secret::{SigningSecret, signatures};
use super::target::Target;
use super::{Parts, retry_after};
use crate::CurrentAttempt;

/// The part of an answer that is read if it cannot be a result.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

const USER_AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));

/// Sends the request and reads the answer, in bounded memory. If the future is dropped, the connection is closed.
pub(super) async fn exchange(
    parts: &Parts,
    attempt: &CurrentAttempt,
    stream: Box<dyn Duplex>,
) -> Result<Answer, Failure> {
    let target = &parts.target;
    let request = request(parts, attempt);
    let result_bytes_max = attempt.limits().payload_bytes_max;
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| broken(target, &error))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| broken(target, &error))?;
        read(target, response, result_bytes_max).await
    };
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        answer = &mut answered => return answer,
        // It ends when the other side has closed it. What was read before is still there.
        _ = connection => {}
    }
    answered.await
}

fn request(parts: &Parts, attempt: &CurrentAttempt) -> Request<Full<Bytes>> {
    let body = Bytes::copy_from_slice(attempt.payload().as_str().as_bytes());
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = parts.target.path.clone().into();
    let headers = request.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        headers.insert(name, value_of(value));
    };
    set(header::HOST, &parts.target.authority);
    set(header::USER_AGENT, USER_AGENT);
    set(header::CONTENT_TYPE, "application/json");
    set(header::ACCEPT, "application/json, */*;q=0.5");
    set(header::CONNECTION, "close");
    headers.extend(parts.headers.clone());
    let mut set = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), value_of(value));
    };
    set("longshore-job-id", &attempt.id().to_string());
    set("longshore-job-type", attempt.job_type());
    set("longshore-attempt", &attempt.attempt().to_string());
    if let Some(traceparent) = attempt.traceparent() {
        set("traceparent", &traceparent);
    }
    sign(&parts.secrets, headers, attempt, &body);
    request
}

/// The headers of Standard Webhooks. The id is that of the job, so that the other side recognises a second attempt.
fn sign(secrets: &[SigningSecret], headers: &mut HeaderMap, attempt: &CurrentAttempt, body: &[u8]) {
    if secrets.is_empty() {
        return;
    }
    let id = format!("job-{}", attempt.id());
    let timestamp = attempt.wall_clock().as_ms().div_euclid(1000);
    headers.insert("webhook-id", value_of(&id));
    headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
    headers.insert("webhook-signature", value_of(&signatures(secrets, &id, timestamp, body)));
}

/// A value without the characters that no header may have.
fn value_of(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| {
        let clean: String = text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
        HeaderValue::from_bytes(clean.as_bytes()).expect("no character of it is a control character")
    })
}

async fn read(target: &Target, response: Response<Incoming>, result_bytes_max: usize) -> Result<Answer, Failure> {
    let (head, body) = response.into_parts();
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let content = Content::of(text(header::CONTENT_TYPE));
    let may_be_result = head.status.is_success() && content != Content::Other;
    let bytes_max = if may_be_result { result_bytes_max } else { TEXT_BYTES_MAX };
    let delay =
        text(header::RETRY_AFTER).and_then(|word| retry_after::delay(word, text(header::DATE), SystemTime::now()));
    let mut answer = Answer {
        status: head.status,
        retry_after: delay,
        location: text(header::LOCATION).map(str::to_owned),
        content,
        body: Vec::new(),
        is_cut: false,
    };
    match read_body(body, bytes_max, &mut answer).await {
        Ok(()) => Ok(answer),
        // The status says enough.
        Err(_) if !answer.status.is_success() => Ok(Answer { is_cut: true, ..answer }),
        Err(error) => Err(broken(target, &error)),
    }
}

/// Reads at most `bytes_max` bytes; [`Answer::is_cut`] says whether there are more.
async fn read_body(mut body: Incoming, bytes_max: usize, answer: &mut Answer) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = bytes_max - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            answer.is_cut = true;
            break;
        }
    }
    Ok(())
}

/// The failure for a connection that broke, or for an answer that is not HTTP.
fn broken(target: &Target, error: &hyper::Error) -> Failure {
    let failure_type = if error.is_timeout() { FailureType::TimeoutError } else { FailureType::NetworkError };
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    Failure::new(failure_type, format!("the exchange with {target} broke: {error}{cause}"))
}

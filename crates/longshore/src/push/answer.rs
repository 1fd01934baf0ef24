use std::time::Duration;

use hyper::StatusCode;
use longshore_core::{Failure, FailureType, JobData, Limits};

use super::target::Target;
use crate::{AttemptResult, CurrentAttempt, Done, HandlerError};

/// The longest text of an answer that is quoted in an error message.
const MESSAGE_CHARS_MAX: usize = 300;

/// What the target answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// For how long to wait, if it said so.
    pub(super) retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    pub(super) content: Content,
    pub(super) body: Vec<u8>,
    /// Whether the body goes on after the part that was read.
    pub(super) is_cut: bool,
}

/// What the body is, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Other,
    Unnamed,
}

/// What a status means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Done,
    Deferred(Duration),
    Failed(FailureType),
}

impl Content {
    pub(super) fn of(content_type: Option<&str>) -> Self {
        let Some(content_type) = content_type else { return Self::Unnamed };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = essence == "application/json" || essence == "text/json" || essence.ends_with("+json");
        if is_json { Self::Json } else { Self::Other }
    }
}

fn meaning(status: StatusCode, retry_after: Option<Duration>) -> Meaning {
    match (status.as_u16(), retry_after) {
        (200..=299, _) => Meaning::Done,
        (429 | 503, Some(delay)) => Meaning::Deferred(delay),
        (401 | 403, _) => Meaning::Failed(FailureType::PermissionError),
        // Its own time, or that of a server behind it, was over.
        (408 | 504, _) => Meaning::Failed(FailureType::TimeoutError),
        // "Too early" and "too many requests" pass by themselves.
        (425 | 429 | 500..=599, _) => Meaning::Failed(FailureType::NetworkError),
        _ => Meaning::Failed(FailureType::ValidationError),
    }
}

impl Answer {
    /// The result of the attempt. What is not its result is written to its log.
    pub(super) fn into_result(self, target: &Target, attempt: &CurrentAttempt) -> AttemptResult {
        let said = format!("{target} answered {}", in_words(self.status));
        match meaning(self.status, self.retry_after) {
            Meaning::Done => {
                attempt.log(&format!("{said}\n"));
                self.into_done(target, attempt)
            }
            Meaning::Deferred(delay) => {
                let span = longshore_core::format_duration(delay);
                attempt.log(&format!("{said} and asked to slow down for {span}\n{}", self.text()));
                Err(HandlerError::rate_limited(delay))
            }
            Meaning::Failed(failure_type) => {
                attempt.log(&format!("{said}\n{}", self.text()));
                Err(self.failure(failure_type, &said).into())
            }
        }
    }

    fn into_done(self, target: &Target, attempt: &CurrentAttempt) -> AttemptResult {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Done::Completed { result: None });
        }
        if self.content == Content::Json && self.is_cut {
            return Err(too_large(target, attempt.limits()).into());
        }
        let parsed = str::from_utf8(&self.body).ok().and_then(|text| JobData::parse(text).ok());
        match (self.content, parsed) {
            (Content::Json | Content::Unnamed, Some(result)) if !self.is_cut => {
                attempt.limits().check("result", &result).map_err(|_| too_large(target, attempt.limits()))?;
                Ok(Done::Completed { result: Some(result).filter(|result| result.as_str().trim() != "null") })
            }
            (content, _) => {
                if content == Content::Json {
                    attempt.log("longshore: the answer is not valid JSON, so the job has no result\n");
                }
                attempt.log(&self.text());
                Ok(Done::Completed { result: None })
            }
        }
    }

    fn failure(&self, failure_type: FailureType, said: &str) -> Failure {
        let mut message = said.to_owned();
        if self.status.is_redirection() {
            let to = self.location.as_deref().and_then(shown).map_or_else(String::new, |place| format!(" to {place}"));
            message += &format!(", a redirect{to}, which is not followed: write the address of the service in `post`");
        } else if let Some(line) = self.first_line() {
            message += &format!(": {line}");
        }
        let text = self.text();
        let failure = Failure::new(failure_type, message);
        if text.is_empty() { failure } else { failure.with_traceback(text.trim_end()) }
    }

    /// The first line of a body that is meant for people.
    fn first_line(&self) -> Option<String> {
        let text = self.text();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        (!line.starts_with('<')).then(|| short(line))
    }

    /// The part of the body that was read, as text with a line end. Empty if there is none. That of a redirect usually
    /// repeats the address, whose path and query may contain a secret, so it is never shown.
    fn text(&self) -> String {
        if self.status.is_redirection() {
            return String::new();
        }
        let mut text = String::from_utf8_lossy(&self.body).replace('\0', "\u{fffd}");
        if text.trim().is_empty() {
            return String::new();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if self.is_cut {
            text.push_str("longshore: the rest of the answer was not read\n");
        }
        text
    }
}

/// The scheme and the host of a redirect, without what may be a secret. `None` if it names no host, or cannot be read.
fn shown(location: &str) -> Option<String> {
    let target: Target = location.split('#').next()?.parse().ok()?;
    let scheme = if target.is_encrypted { "https" } else { "http" };
    Some(format!("{scheme}://{target}"))
}

/// The number of a status, and its name if it has one.
fn in_words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn too_large(target: &Target, limits: Limits) -> Failure {
    let most = limits.payload_bytes_max;
    let message = format!(
        "the answer of {target} is too long to be the result: the limit is {most} bytes; let it store the data \
         elsewhere and answer with a reference to it"
    );
    Failure::new(FailureType::ValidationError, message)
}

fn short(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AttemptProbe, EnqueueRecorder};
    use longshore_core::NewJob;

    fn answer(status: u16, content: Content, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.as_bytes().to_vec();
        Answer { status, retry_after: None, location: None, content, body, is_cut: false }
    }

    fn ended(answer: Answer) -> (Result<Done, Failure>, String) {
        let job = NewJob::new("receipt", JobData::default());
        let probe = AttemptProbe::new(job, EnqueueRecorder::queue().1);
        let target: Target = "https://shop.internal/jobs?token=hush".parse().unwrap();
        let result = answer.into_result(&target, &probe.attempt()).map_err(HandlerError::into_failure);
        (result, probe.log())
    }

    fn result_of(answer: Answer) -> Option<String> {
        match ended(answer).0.unwrap() {
            Done::Completed { result } => result.map(|result| result.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_class_of_status_has_its_meaning() {
        use FailureType as Type;
        let table = [
            (300, Type::ValidationError),
            (304, Type::ValidationError),
            (308, Type::ValidationError),
            (400, Type::ValidationError),
            (401, Type::PermissionError),
            (403, Type::PermissionError),
            (404, Type::ValidationError),
            (408, Type::TimeoutError),
            (410, Type::ValidationError),
            (422, Type::ValidationError),
            (425, Type::NetworkError),
            (429, Type::NetworkError),
            (499, Type::ValidationError),
            (500, Type::NetworkError),
            (502, Type::NetworkError),
            (503, Type::NetworkError),
            (504, Type::TimeoutError),
            (599, Type::NetworkError),
            (600, Type::ValidationError),
        ];
        for (status, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(meaning(status, None), Meaning::Failed(expected), "{status}");
        }
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(meaning(StatusCode::from_u16(status).unwrap(), None), Meaning::Done, "{status}");
        }
    }

    #[test]
    fn only_429_and_503_with_a_delay_defer_the_job() {
        let delay = Some(Duration::from_secs(9));
        for status in [429, 503] {
            let meaning = meaning(StatusCode::from_u16(status).unwrap(), delay);
            assert_eq!(meaning, Meaning::Deferred(Duration::from_secs(9)), "{status}");
        }
        for status in [301, 413, 500] {
            let meaning = meaning(StatusCode::from_u16(status).unwrap(), delay);
            assert!(matches!(meaning, Meaning::Failed(_)), "{status}");
        }
    }

    #[test]
    fn a_json_body_is_the_result_as_it_was_written() {
        assert_eq!(result_of(answer(200, Content::Json, r#"{"b": 1.10}"#)).unwrap(), r#"{"b": 1.10}"#);
        assert_eq!(result_of(answer(201, Content::Unnamed, "[1]")).unwrap(), "[1]");
        for body in ["", " \n", "null"] {
            assert_eq!(result_of(answer(200, Content::Json, body)), None, "{body:?}");
        }
    }

    #[test]
    fn another_body_is_the_log_and_the_job_is_complete() {
        let (result, log) = ended(answer(200, Content::Other, "{\"a\": 1}"));
        assert_eq!(result, Ok(Done::Completed { result: None }));
        assert_eq!(log, "shop.internal answered 200 OK\n{\"a\": 1}\n");
        let (result, log) = ended(answer(200, Content::Json, "{\"a\": "));
        assert_eq!(result, Ok(Done::Completed { result: None }));
        assert!(log.contains("is not valid JSON") && log.ends_with("{\"a\": \n"), "{log}");
        assert_eq!(result_of(answer(200, Content::Unnamed, "thank you")), None);
    }

    #[test]
    fn a_result_that_was_not_read_to_its_end_is_too_large() {
        let failure = ended(Answer { is_cut: true, ..answer(200, Content::Json, "[1,") }).0.unwrap_err();
        assert_eq!(failure.failure_type, FailureType::ValidationError);
        assert!(failure.message.contains("is too long to be the result: the limit is"), "{failure}");
        let (result, log) = ended(Answer { is_cut: true, ..answer(200, Content::Other, "<html>") });
        assert!(result.is_ok() && log.ends_with("the rest of the answer was not read\n"), "{log}");
    }

    #[test]
    fn a_failure_quotes_the_first_line_and_keeps_the_whole() {
        let (failure, log) = ended(answer(422, Content::Other, "\n no such order \nsecond\n"));
        let failure = failure.unwrap_err();
        assert_eq!(failure.message, "shop.internal answered 422 Unprocessable Entity: no such order");
        assert!(failure.traceback.unwrap().ends_with("second") && log.contains("second\n"), "{log}");
        let page = ended(answer(500, Content::Other, "<html>…")).0.unwrap_err();
        assert_eq!(page.message, "shop.internal answered 500 Internal Server Error");
    }

    #[test]
    fn a_redirect_says_that_it_is_not_followed() {
        let location = Some("https://elsewhere.example:8443/T0/key?token=hush#hush".to_owned());
        let failure = ended(Answer { location, ..answer(301, Content::Other, "moved") }).0.unwrap_err();
        assert_eq!(failure.failure_type, FailureType::ValidationError);
        let expected = "a redirect to https://elsewhere.example:8443, which is not followed";
        assert!(failure.message.contains(expected), "{failure}");
    }

    #[test]
    fn nothing_of_a_redirect_but_its_host_is_shown() {
        for location in [
            "https://elsewhere.example/T0/hush?token=hush",
            "https://user:hush@elsewhere.example/",
            "//elsewhere.example/?token=hush",
            "/login?token=hush",
            "?token=hush",
            "hush",
            "ftp://elsewhere.example/hush",
            "https://elsewhere.example:hush/",
            "https:///?token=hush",
            "https://a b/hush",
        ] {
            let body = format!("<a href=\"{location}\">hush</a>");
            let answer = Answer { location: Some(location.to_owned()), ..answer(307, Content::Other, &body) };
            let (failure, log) = ended(answer);
            let shown = format!("{:?} {log}", failure.unwrap_err());
            assert!(!shown.contains("hush") && shown.contains("which is not followed"), "{location}: {shown}");
        }
    }

    #[test]
    fn a_status_without_a_name_is_its_number() {
        let failure = ended(answer(599, Content::Other, "")).0.unwrap_err();
        assert_eq!(failure.message, "shop.internal answered 599");
    }
}

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use longshore::{Failure, FailureType, HandlerError, Job, Status, Worker};
use thiserror::Error;

use crate::bench::{Bench, Step};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Error)]
#[error("the mail server answered {code}")]
struct SmtpError {
    code: u16,
}

#[derive(Debug, Error)]
#[error("the receipt was not sent")]
struct NotSent(#[from] SmtpError);

/// Runs one attempt of a job without retries. Returns the job, which is a dead letter.
async fn failed(build: impl FnOnce(Worker) -> Worker) -> Job {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.max_retries(0)).await;
    build(bench.worker()).run_until_drained().await.unwrap();
    let job = bench.job(id).await;
    assert_eq!(job.status, Status::DeadLetter);
    job
}

/// The failure type and the message of a handler that fails with `?` on this error.
macro_rules! told_of {
    ($error:expr) => {{
        let job = failed(|worker| {
            worker.handle(|_: Step, _| async move {
                Err($error)?;
                Ok(())
            })
        })
        .await;
        let blocking = failed(|worker| {
            worker.handle_blocking(|_: Step, _| {
                Err($error)?;
                Ok(())
            })
        })
        .await;
        assert_eq!((&job.failure_type, &job.error_message), (&blocking.failure_type, &blocking.error_message));
        (job.failure_type.unwrap(), job.error_message.unwrap())
    }};
}

fn told(failure_type: &str, message: &str) -> (String, String) {
    (failure_type.to_owned(), message.to_owned())
}

fn denied() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

fn boxed(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    Box::new(error)
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_error_is_one_question_mark_away() {
    assert_eq!(told_of!(denied()), told("permission_error", "permission denied"));
    assert_eq!(told_of!("no such user"), told("unknown", "no such user"));
    assert_eq!(told_of!(format!("no such user: {}", 7)), told("unknown", "no such user: 7"));
    assert_eq!(told_of!(boxed(denied())), told("permission_error", "permission denied"));
    assert_eq!(told_of!(SmtpError { code: 421 }), told("unknown", "the mail server answered 421"));
    assert_eq!(told_of!(Failure::new(FailureType::ConfigError, "no key")), told("config_error", "no key"));
    assert_eq!(
        told_of!(HandlerError::failed(FailureType::NetworkError, "no route")),
        told("network_error", "no route")
    );
}

#[tokio::test(start_paused = true)]
async fn an_anyhow_error_is_one_question_mark_away_and_keeps_what_its_type_tells() {
    assert_eq!(told_of!(anyhow::Error::from(denied())), told("permission_error", "permission denied"));
    assert_eq!(
        told_of!(anyhow::Error::from(denied()).context("cannot read the template")),
        told("permission_error", "cannot read the template")
    );
    assert_eq!(told_of!(anyhow::anyhow!("no such user")), told("unknown", "no such user"));
    let no_key = told_of!(anyhow::Error::from(Failure::new(FailureType::ConfigError, "no key")));
    assert_eq!(no_key, told("config_error", "no key"));
}

#[tokio::test(start_paused = true)]
async fn the_causes_of_an_error_are_its_traceback() {
    let job = failed(|worker| {
        worker.handle(|_: Step, _| async {
            let error = anyhow::Error::from(NotSent(SmtpError { code: 421 })).context("order 7");
            Err::<(), _>(error.into())
        })
    })
    .await;
    let traceback = job.last_error_traceback.unwrap();
    let expected = "order 7\ncaused by: the receipt was not sent\ncaused by: the mail server answered 421";
    assert!(traceback.starts_with(expected), "{traceback}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_type_is_chosen_once_for_an_error_type_wherever_it_is_in_the_chain() {
    let wrapped: Vec<fn() -> HandlerError> = vec![
        || SmtpError { code: 550 }.into(),
        || NotSent(SmtpError { code: 550 }).into(),
        || boxed(NotSent(SmtpError { code: 550 })).into(),
        || io::Error::other(SmtpError { code: 550 }).into(),
        || io::Error::new(io::ErrorKind::ConnectionReset, SmtpError { code: 550 }).into(),
        || Arc::new(SmtpError { code: 550 }).into(),
        || anyhow::Error::from(SmtpError { code: 550 }).into(),
        || anyhow::Error::from(NotSent(SmtpError { code: 550 })).context("order 7").into(),
    ];
    for error in wrapped {
        let job = failed(|worker| {
            worker
                .classify::<SmtpError>(|error| match error.code {
                    500.. => FailureType::ValidationError,
                    _ => FailureType::NetworkError,
                })
                .handle(move |_: Step, _| async move { Err::<(), _>(error()) })
        })
        .await;
        assert_eq!(job.failure_type.as_deref(), Some("validation_error"), "{:?}", job.error_message);
        assert!(job.dead_letter_reason.unwrap().starts_with("not_retried"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_outermost_rule_counts_and_a_second_rule_for_a_type_replaces_the_first() {
    let of_rules = async |rules: fn(Worker) -> Worker| {
        let job = failed(|worker| {
            rules(worker).handle(|_: Step, _| async { Err::<(), _>(NotSent(SmtpError { code: 550 }).into()) })
        });
        job.await.failure_type.unwrap()
    };
    let both = |worker: Worker| {
        worker.classify(|_: &SmtpError| FailureType::ResourceError).classify(|_: &NotSent| FailureType::ConfigError)
    };
    assert_eq!(of_rules(both).await, "config_error");
    let twice = |worker: Worker| {
        worker.classify(|_: &NotSent| FailureType::ConfigError).classify(|_: &NotSent| FailureType::SystemError)
    };
    assert_eq!(of_rules(twice).await, "system_error");
    assert_eq!(of_rules(|worker| worker).await, "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_failure_type_that_the_handler_chose_is_not_classified() {
    let job = failed(|worker| {
        worker
            .classify(|_: &Failure| FailureType::NetworkError)
            .handle(|_: Step, _| async { Err::<(), _>(HandlerError::failed(FailureType::ConfigError, "no key")) })
    })
    .await;
    assert_eq!(job.failure_type.as_deref(), Some("config_error"));
}

/// An error whose text cannot be made.
#[derive(Debug)]
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text")
    }
}

impl Error for Unprintable {}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_rule_or_in_the_text_of_an_error_fails_the_attempt() {
    let rule = failed(|worker| {
        worker
            .classify(|_: &SmtpError| -> FailureType { panic!("no rule") })
            .handle(|_: Step, _| async { Err::<(), _>(SmtpError { code: 550 }.into()) })
    });
    let text = failed(|worker| worker.handle(|_: Step, _| async { Err::<(), _>(Unprintable.into()) }));
    assert_eq!(rule.await.error_message.as_deref(), Some("the handler panicked: no rule"));
    assert_eq!(text.await.error_message.as_deref(), Some("the handler panicked: no text"));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tokio_is_a_timeout_error() {
    let job = failed(|worker| {
        worker.handle(|_: Step, _| async {
            tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await?;
            Ok(())
        })
    })
    .await;
    assert_eq!(job.failure_type.as_deref(), Some("timeout_error"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_chooses_when_its_job_is_retried_and_the_attempt_counts() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.max_retries(1)).await;

    let worker = bench.worker().handle(|_: Step, _| async { Err::<(), _>(HandlerError::retry_after(HOUR)) });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!((detail.job.status, detail.job.retry_count), (Status::DeadLetter, 1));
    assert_eq!(detail.job.dead_letter_reason.as_deref(), Some("retries_spent: all of its 2 attempts failed"));
    assert_eq!(detail.job.error_message.as_deref(), Some("the handler asked for a retry after 1h"));
    let waited = detail.attempts[1].started_at.unwrap().since(detail.attempts[0].finished_at.unwrap());
    assert!((HOUR..HOUR + Duration::from_secs(60)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_chosen_delay_retries_even_an_error_that_is_not_retried() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;

    let worker = bench.worker().handle_blocking(|_: Step, attempt| {
        if attempt.attempt() == 1 {
            return Err(HandlerError::from(denied()).with_retry_after(HOUR));
        }
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!((detail.job.status, detail.job.retry_count), (Status::Completed, 1));
    assert_eq!(detail.attempts[0].failure_type, Some(FailureType::PermissionError));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_was_asked_for_too_late_ends_the_job_at_its_expiry() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.expires_in(HOUR / 2)).await;

    let worker = bench.worker().handle(|_: Step, _| async { Err::<(), _>(HandlerError::retry_after(HOUR)) });
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Cancelled);
}

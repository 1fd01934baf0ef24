//! Jobs that are sent to an HTTP target, which does the work in any language.
//!
//! Start reading at [`PushHandler`].

mod addresses;
mod answer;
mod connection;
mod exchange;
mod push_spec;
mod retry_after;
mod signing_secret;
mod target;
mod trust;

use std::fmt;
use std::sync::Arc;

use hyper::header::HeaderMap;

pub use push_spec::{InvalidPush, PrivateTargets, PushSpec};
pub use signing_secret::{InvalidSigningSecret, SigningSecret};
pub use target::InvalidTarget;

use self::target::Target;
use self::trust::Trust;
use crate::{
    AttemptResult, BoxFuture, CurrentAttempt, Handler, HandlerPolicy, Overrun, ShutdownTime, StopCause, Stopped,
};

/// Posts each job of a type to a URL.
///
/// The payload is the body. `longshore-job-id`, `longshore-job-type`, `longshore-attempt` and, if the job has one,
/// `traceparent` are headers. With a secret the request is signed as in Standard Webhooks.
///
/// | answer | means |
/// | --- | --- |
/// | 2xx | the job is complete; a JSON body is its result |
/// | 429 or 503 with `Retry-After` | the job runs again after that time; the attempt is not counted |
/// | 401, 403 | `permission_error` |
/// | 408, 504 | `timeout_error` |
/// | 425, 429, any other 5xx, no connection, a broken one | `network_error` |
/// | 3xx, any other 4xx | `validation_error`; redirects are not followed |
///
/// The name is resolved once for each attempt. Unless [`PushSpec::private_targets`] allows them, addresses outside of
/// the public internet fail the attempt with `config_error`. Each attempt has a connection of its own, without a proxy.
/// When the attempt must stop or its future is dropped, the connection is closed; during a shutdown a request may end
/// within the worker's grace period.
#[derive(Clone, Debug)]
pub struct PushHandler {
    parts: Arc<Parts>,
}

/// What every attempt of a type needs.
struct Parts {
    spec: PushSpec,
    target: Target,
    headers: HeaderMap,
    secrets: Vec<SigningSecret>,
    trust: Trust,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl PushHandler {
    /// A handler for a target. Reads [`PushSpec::ca_file`].
    pub fn new(spec: PushSpec) -> Result<Self, InvalidPush> {
        let (target, headers, secrets) = (spec.target()?, spec.header_map()?, spec.secrets.clone());
        let trust = Trust::new(spec.ca_file.as_deref()).map_err(|problem| InvalidPush::Certificates { problem })?;
        Ok(Self { parts: Arc::new(Parts { spec, target, headers, secrets, trust }) })
    }
}

impl Handler for PushHandler {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let parts = Arc::clone(&self.parts);
        Box::pin(async move {
            tokio::select! {
                result = push(&parts, &attempt) => result,
                stopped = must_stop(&attempt) => Err(stopped.into()),
            }
        })
    }

    fn policy(&self) -> HandlerPolicy {
        let spec = &self.parts.spec;
        HandlerPolicy {
            timeout: spec.timeout,
            retry: spec.retry.clone(),
            queue: spec.queue.clone(),
            priority: spec.priority,
            overrun: Overrun::Drop,
            at_shutdown: ShutdownTime::WorkersGrace,
            ..HandlerPolicy::default()
        }
    }
}

async fn push(parts: &Parts, attempt: &CurrentAttempt) -> AttemptResult {
    let stream = connection::connect(&parts.target, parts.spec.private_targets, &parts.trust).await?;
    let answer = exchange::exchange(parts, attempt, stream).await?;
    answer.into_result(&parts.target, attempt)
}

/// Resolves when the request must end at once. During a shutdown it may go on; the worker drops it after its grace
/// period.
async fn must_stop(attempt: &CurrentAttempt) -> Stopped {
    let mut cause = attempt.stop_signal().stopped().await;
    if cause == StopCause::ShuttingDown {
        cause = attempt.stop_signal().replaced(StopCause::ShuttingDown).await;
    }
    let _ = attempt.stop_requested();
    Stopped { cause }
}

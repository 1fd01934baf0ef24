use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use longshore_core::{Priority, RetryPolicy};
use thiserror::Error;

use super::signing_secret::SigningSecret;
use super::target::{InvalidTarget, Target};

/// An HTTP target and how to send jobs to it.
#[derive(Clone, PartialEq)]
pub struct PushSpec {
    /// The URL, `https` or `http`. The payload of each job is posted to it.
    pub post: String,
    /// Headers in addition to those of every request. Not for those that the request itself needs, such as `host`, nor
    /// for `longshore-…` and `webhook-…`.
    pub headers: BTreeMap<String, String>,
    /// The secrets that sign each request; none: requests are not signed.
    pub secrets: Vec<SigningSecret>,
    /// Whether the target may be at a private address.
    pub private_targets: PrivateTargets,
    /// A file with the certificates, in PEM format, that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The timeout of an attempt whose job sets none. `None` means no limit.
    pub timeout: Option<Duration>,
    /// How often a failed job is retried, and how long it waits before each retry.
    pub retry: RetryPolicy,
    /// The queue of its jobs, if plain SQL inserts one without.
    pub queue: Option<String>,
    /// The priority of its jobs, if plain SQL inserts one without.
    pub priority: Option<Priority>,
}

/// Whether requests may go to addresses that are not of the public internet, such as loopback and private ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PrivateTargets {
    /// Such an address fails the attempt, and nothing is sent.
    #[default]
    Refused,
    /// They are as good as others.
    Allowed,
}

/// Why no request could ever be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPush {
    /// The URL cannot be used.
    #[error("`post` cannot be used: {0}")]
    Target(#[from] InvalidTarget),
    /// The name of a header is invalid.
    #[error("\"{name}\" in `headers` is not a valid name of a header")]
    HeaderName {
        /// The name.
        name: String,
    },
    /// The value of a header is invalid.
    #[error("the value of \"{name}\" in `headers` has a character that no header may have, such as a line break")]
    HeaderValue {
        /// The name.
        name: String,
    },
    /// The header is set by the request itself.
    #[error("\"{name}\" in `headers` is set by Longshore itself: remove it")]
    ReservedHeader {
        /// The name.
        name: String,
    },
    /// The certificates cannot be used.
    #[error("`ca_file` cannot be used: {problem}")]
    Certificates {
        /// What is wrong with them.
        problem: String,
    },
}

impl PushSpec {
    /// An attempt has this timeout unless another is set: a request without one could wait for ever.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// A target; everything else has its default.
    pub fn new(post: impl Into<String>) -> Self {
        Self {
            post: post.into(),
            headers: BTreeMap::new(),
            secrets: Vec::new(),
            private_targets: PrivateTargets::default(),
            ca_file: None,
            timeout: Some(Self::TIMEOUT),
            retry: RetryPolicy::default(),
            queue: None,
            priority: None,
        }
    }

    /// Checks whether requests could be sent. Does not read `ca_file`.
    pub fn validate(&self) -> Result<(), InvalidPush> {
        self.target()?;
        self.header_map().map(drop)
    }

    pub(super) fn target(&self) -> Result<Target, InvalidPush> {
        Ok(self.post.parse::<Target>()?)
    }

    /// The headers of the type.
    pub(super) fn header_map(&self) -> Result<HeaderMap, InvalidPush> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let shown = || name.escape_default().to_string();
            let header =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidPush::HeaderName { name: shown() })?;
            if is_reserved(&header) {
                return Err(InvalidPush::ReservedHeader { name: shown() });
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| InvalidPush::HeaderValue { name: shown() })?;
            value.set_sensitive(true);
            map.insert(header, value);
        }
        Ok(map)
    }
}

/// Headers that frame the message, belong to the connection, or say something about the job.
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [&str; 14] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "traceparent",
        "http2-settings",
        "content-range",
    ];
    let name = name.as_str();
    RESERVED.contains(&name) || ["longshore-", "webhook-", "proxy-"].iter().any(|start| name.starts_with(start))
}

/// Shows neither what may be secret in the URL nor the values of headers.
impl fmt::Debug for PushSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let post = self.target().map_or_else(|error| error.to_string(), |target| format!("{target:?}"));
        f.debug_struct("PushSpec")
            .field("post", &post)
            .field("headers", &self.headers.keys())
            .field("secrets", &self.secrets)
            .field("private_targets", &self.private_targets)
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .field("queue", &self.queue)
            .field("priority", &self.priority)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(name: &str, value: &str) -> PushSpec {
        let mut spec = PushSpec::new("https://shop.internal/");
        spec.headers.insert(name.to_owned(), value.to_owned());
        spec
    }

    #[test]
    fn what_could_never_be_sent_is_refused_before_it_is_tried() {
        assert_eq!(with_header("X-Env", "prod").validate(), Ok(()));
        assert_eq!(with_header("content-type", "application/cloudevents+json").validate(), Ok(()));
        assert!(matches!(PushSpec::new("ftp://a").validate(), Err(InvalidPush::Target(InvalidTarget::Scheme))));
        for name in ["", "a b", "a:b", "ä", "a\n"] {
            assert!(matches!(with_header(name, "x").validate(), Err(InvalidPush::HeaderName { .. })), "{name:?}");
        }
        for value in ["a\nb", "a\rb", "\0", "a\r\nx: y"] {
            assert!(matches!(with_header("a", value).validate(), Err(InvalidPush::HeaderValue { .. })), "{value:?}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "longshore-job-id", "Webhook-Id", "traceparent"] {
            assert!(matches!(with_header(name, "x").validate(), Err(InvalidPush::ReservedHeader { .. })), "{name}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let mut spec = with_header("authorization", "Bearer hush");
        spec.post = "https://shop.internal/hush?token=hush".to_owned();
        spec.secrets = SigningSecret::parse_all("whsec_aHVzaA==").unwrap();
        let shown = format!("{spec:?}");
        assert!(shown.contains("shop.internal") && !shown.contains("hush") && !shown.contains("aHVza"), "{shown}");
        let error = with_header("authorization", "hush\n").validate().unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::InvalidJobData;

/// The kind of a failure. It decides whether the job is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureType {
    /// A peer could not be reached, or closed the connection.
    NetworkError,
    /// The time limit was reached.
    TimeoutError,
    /// Memory, disk or another resource ran out.
    ResourceError,
    /// Access was denied. Not retried.
    PermissionError,
    /// The program is configured wrongly. Not retried.
    ConfigError,
    /// The payload is invalid and will stay so. Not retried.
    ValidationError,
    /// The operating system failed.
    SystemError,
    /// The handler failed: a panic, a non-zero exit, a crash.
    WorkerError,
    /// The kind is unknown.
    Unknown,
}

/// The word is not a failure type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{word}\" is not a failure type: expected network_error, timeout_error, resource_error, permission_error, \
     config_error, validation_error, system_error, worker_error or unknown"
)]
pub struct UnknownFailureType {
    /// The word that was given.
    pub word: String,
}

impl FailureType {
    /// All failure types.
    pub const ALL: [Self; 9] = [
        Self::NetworkError,
        Self::TimeoutError,
        Self::ResourceError,
        Self::PermissionError,
        Self::ConfigError,
        Self::ValidationError,
        Self::SystemError,
        Self::WorkerError,
        Self::Unknown,
    ];

    /// The word in SQL, JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetworkError => "network_error",
            Self::TimeoutError => "timeout_error",
            Self::ResourceError => "resource_error",
            Self::PermissionError => "permission_error",
            Self::ConfigError => "config_error",
            Self::ValidationError => "validation_error",
            Self::SystemError => "system_error",
            Self::WorkerError => "worker_error",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a failure of this type is retried.
    pub const fn is_retried(self) -> bool {
        !matches!(self, Self::PermissionError | Self::ConfigError | Self::ValidationError)
    }

    /// The failure type for the kind of an I/O error.
    pub fn of_io(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Kind;
        match kind {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::PermissionError,
            Kind::TimedOut => Self::TimeoutError,
            Kind::OutOfMemory | Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge | Kind::ResourceBusy => {
                Self::ResourceError
            }
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::AddrInUse
            | Kind::AddrNotAvailable
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::BrokenPipe => Self::NetworkError,
            Kind::InvalidInput | Kind::InvalidData => Self::ValidationError,
            _ => Self::SystemError,
        }
    }

    /// The type of the first error in the chain whose Rust type determines it: an I/O error by its kind, a decoding
    /// error as validation. Never searches the message text.
    pub fn of_error(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(failure) = error.downcast_ref::<Failure>() {
                return failure.failure_type;
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return io_type(io);
            }
            if error.is::<InvalidJobData>() || error.is::<serde_json::Error>() || error.is::<std::str::Utf8Error>() {
                return Self::ValidationError;
            }
            next = error.source();
        }
        Self::Unknown
    }
}

/// An I/O error of kind `Other` often only wraps another error.
fn io_type(io: &io::Error) -> FailureType {
    if let (io::ErrorKind::Other, Some(inner)) = (io.kind(), io.get_ref()) {
        let inner: &(dyn StdError + 'static) = inner;
        return FailureType::of_error(inner);
    }
    FailureType::of_io(io.kind())
}

impl fmt::Display for FailureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FailureType {
    type Err = UnknownFailureType;

    fn from_str(word: &str) -> Result<Self, UnknownFailureType> {
        Self::ALL
            .into_iter()
            .find(|failure_type| failure_type.as_str() == word)
            .ok_or_else(|| UnknownFailureType { word: word.to_owned() })
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub failure_type: FailureType,
    /// One line for people.
    pub message: String,
    /// The error chain and the backtrace, or the tail of standard error.
    pub traceback: Option<String>,
}

impl Failure {
    /// A failure of a known type.
    pub fn new(failure_type: FailureType, message: impl Into<String>) -> Self {
        Self { failure_type, message: message.into(), traceback: None }
    }

    /// The failure for an error: its type by [`FailureType::of_error`], its chain as the traceback.
    pub fn of_error(error: &(dyn StdError + 'static)) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        Self { failure_type: FailureType::of_error(error), message: error.to_string(), traceback: chain(error) }
    }

    /// Adds a traceback.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.traceback = Some(traceback.into());
        self
    }
}

/// How many causes of an error are kept. A longer chain is a cycle.
const CAUSES_MAX: usize = 32;

fn chain(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut text = error.to_string();
    let mut next = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(cause) = next else { break };
        text.push_str("\ncaused by: ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    Some(text)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error)]
    #[error("could not fetch")]
    struct Fetch(#[source] io::Error);

    #[test]
    fn the_type_of_an_error_decides_and_not_its_words() {
        let denied = Fetch(io::Error::new(io::ErrorKind::PermissionDenied, "connection timed out"));
        assert_eq!(FailureType::of_error(&denied), FailureType::PermissionError);
    }

    #[test]
    fn a_failure_inside_another_error_keeps_its_own_type() {
        let failure = Failure::new(FailureType::ConfigError, "no key");
        let coat = io::Error::other(failure);
        assert_eq!(FailureType::of_error(&coat), FailureType::ConfigError);
    }

    #[test]
    fn the_traceback_tells_the_whole_chain() {
        let failure = Failure::of_error(&Fetch(io::Error::from(io::ErrorKind::ConnectionRefused)));
        assert_eq!(failure.message, "could not fetch");
        assert_eq!(failure.traceback.unwrap(), "could not fetch\ncaused by: connection refused");
    }

    #[test]
    fn permission_config_and_validation_are_not_retried() {
        let given_up: Vec<_> = FailureType::ALL.into_iter().filter(|kind| !kind.is_retried()).collect();
        assert_eq!(given_up, [FailureType::PermissionError, FailureType::ConfigError, FailureType::ValidationError]);
    }
}

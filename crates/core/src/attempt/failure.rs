use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{InvalidCheckpoint, InvalidJobData};

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
        Self::of_error_by(error, |_| None)
    }

    /// [`FailureType::of_error`] with the application's own rules, which come first. `rule` is called for each error of
    /// the chain, the outermost first. A [`Failure`] in the chain has its own type.
    pub fn of_error_by(
        error: &(dyn StdError + 'static),
        rule: impl Fn(&(dyn StdError + 'static)) -> Option<Self>,
    ) -> Self {
        let chosen = |error: &(dyn StdError + 'static)| {
            rule(error).or_else(|| error.downcast_ref::<Failure>().map(|failure| failure.failure_type))
        };
        chain(error).find_map(chosen).or_else(|| chain(error).find_map(Self::of_rust_type)).unwrap_or(Self::Unknown)
    }

    /// The type that follows from the Rust type of this error alone.
    fn of_rust_type(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // An I/O error of kind `Other` often only wraps another error, which is next in the chain.
            let is_wrapper = io.kind() == io::ErrorKind::Other && io.get_ref().is_some();
            return (!is_wrapper).then(|| Self::of_io(io.kind()));
        }
        let is_invalid = error.is::<InvalidCheckpoint>()
            || error.is::<InvalidJobData>()
            || error.is::<serde_json::Error>()
            || error.is::<std::str::Utf8Error>();
        is_invalid.then_some(Self::ValidationError)
    }
}

/// How many errors of a chain are read. A longer chain is a cycle.
const CHAIN_MAX: usize = 33;

/// The error and its causes. The error inside an I/O error is a cause too, although `source` skips it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error)).take(CHAIN_MAX)
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
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
        Self::of_error_by(error, |_| None)
    }

    /// [`Failure::of_error`] with the application's own rules, see [`FailureType::of_error_by`].
    pub fn of_error_by(
        error: &(dyn StdError + 'static),
        rule: impl Fn(&(dyn StdError + 'static)) -> Option<FailureType>,
    ) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        let failure_type = FailureType::of_error_by(error, rule);
        Self { failure_type, message: error.to_string(), traceback: Some(traceback(error)) }
    }

    /// Adds a traceback.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.traceback = Some(traceback.into());
        self
    }
}

/// An I/O error prints the error inside it as its own message, so that one is not repeated.
fn traceback(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source()).take(CHAIN_MAX - 1);
    causes.fold(error.to_string(), |text, cause| format!("{text}\ncaused by: {cause}"))
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

    /// An error that is its own cause.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl StdError for Endless {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn a_chain_that_is_a_cycle_ends() {
        let failure = Failure::of_error(&Endless);
        assert_eq!(failure.failure_type, FailureType::Unknown);
        assert_eq!(failure.traceback.unwrap().lines().count(), CHAIN_MAX);
    }

    #[derive(Debug, Error)]
    #[error("all slots are taken")]
    struct Busy;

    #[test]
    fn an_own_rule_comes_before_every_other_and_meets_each_error_of_the_chain() {
        let rule = |error: &(dyn StdError + 'static)| error.is::<Busy>().then_some(FailureType::ResourceError);
        let wrapped = Fetch(io::Error::new(io::ErrorKind::PermissionDenied, Busy));
        assert_eq!(FailureType::of_error_by(&wrapped, rule), FailureType::ResourceError);
        assert_eq!(FailureType::of_error_by(&io::Error::other(Busy), rule), FailureType::ResourceError);
        let other = Fetch(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(FailureType::of_error_by(&other, rule), FailureType::TimeoutError);
    }

    #[test]
    fn permission_config_and_validation_are_not_retried() {
        let given_up: Vec<_> = FailureType::ALL.into_iter().filter(|kind| !kind.is_retried()).collect();
        assert_eq!(given_up, [FailureType::PermissionError, FailureType::ConfigError, FailureType::ValidationError]);
    }
}

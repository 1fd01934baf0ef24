use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use longshore_core::{Failure, FailureType};

use crate::handler::failure_classes::FailureClasses;

/// Why a handler failed. `?` converts any error into it: every [`std::error::Error`], a string, a boxed error and
/// `anyhow::Error`.
///
/// It keeps the error, so its Rust type decides the failure type: by the rules of
/// [`Worker::classify`](crate::Worker::classify), else as in [`FailureType::of_error`]. The message, the chain of
/// causes and, if `RUST_BACKTRACE` is set, the backtrace are stored with the job. A [`Failure`] is used unchanged.
///
/// This type does not implement [`std::error::Error`]. Otherwise not every error could convert into it.
///
/// ```
/// use longshore::HandlerError;
///
/// fn total(words: &[&str]) -> Result<u32, HandlerError> {
///     if words.is_empty() {
///         return Err("there is nothing to add".into());
///     }
///     let mut total = 0_u32;
///     for word in words {
///         let number: u32 = word.parse()?;
///         total = total.checked_add(number).ok_or_else(|| format!("{total} + {number} is too large"))?;
///     }
///     Ok(total)
/// }
/// # assert_eq!(total(&["1", "2"]).unwrap(), 3);
/// # assert_eq!(total(&[]).unwrap_err().to_string(), "there is nothing to add");
/// # assert_eq!(total(&["one"]).unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct HandlerError(Box<Content>);

struct Content {
    cause: Cause,
    effect: Effect,
}

/// What the error does to the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The attempt has failed.
    Fails,
    /// The attempt has failed, and the job is retried after this delay.
    RetriesAfter(Duration),
    /// The job runs again after this delay, and the attempt is not counted.
    Defers(Duration),
    /// The same, and no other job of its type or key starts for so long.
    SlowsDown(Duration),
    /// The handler did not start: the job is returned, and the attempt is not counted.
    Returns,
}

/// A shorter wait would ask the other side again at once, until no deferral is left.
pub(crate) const SLOW_DOWN_MIN: Duration = Duration::from_secs(1);
/// A longer wait is most likely a mistake of the other side.
pub(crate) const SLOW_DOWN_MAX: Duration = Duration::from_secs(24 * 3600);

enum Cause {
    /// Complete: nothing is derived from it.
    Failure(Failure),
    /// The backtrace is of the place where it was converted.
    Error { error: Box<dyn StdError + Send + Sync>, backtrace: Backtrace },
    /// Kept as it is. As a boxed error it would hide the type of the error inside it.
    #[cfg(feature = "anyhow")]
    Anyhow(anyhow::Error),
}

impl HandlerError {
    /// A failure with a type that the handler chooses. The type decides whether the job is retried.
    ///
    /// ```
    /// use longshore::{FailureType, HandlerError};
    ///
    /// fn key() -> Result<String, HandlerError> {
    ///     let missing = |_| HandlerError::failed(FailureType::ConfigError, "MAIL_KEY is not set");
    ///     std::env::var("MAIL_KEY").map_err(missing)
    /// }
    /// # assert!(key().is_err());
    /// ```
    pub fn failed(failure_type: FailureType, message: impl Into<String>) -> Self {
        Self::of_cause(Cause::Failure(Failure::new(failure_type, message)))
    }

    /// Fails the attempt and retries the job after `delay`, instead of the delay of its retry policy. The attempt
    /// counts: if no retry is left, the job becomes a dead letter. To run it again without counting, return
    /// [`Done::snooze`](crate::Done::snooze).
    ///
    /// ```
    /// use longshore::HandlerError;
    /// use std::time::Duration;
    ///
    /// fn check(status: u16, retry_after: Option<u64>) -> Result<(), HandlerError> {
    ///     match (status, retry_after) {
    ///         (429, Some(seconds)) => Err(HandlerError::retry_after(Duration::from_secs(seconds))),
    ///         (400.., _) => Err(format!("the service answered {status}").into()),
    ///         _ => Ok(()),
    ///     }
    /// }
    /// # assert!(check(200, None).is_ok());
    /// # assert_eq!(check(429, Some(30)).unwrap_err().to_string(), "the handler asked for a retry after 30s");
    /// ```
    pub fn retry_after(delay: Duration) -> Self {
        let span = longshore_core::format_duration(delay);
        let message = format!("the handler asked for a retry after {span}");
        Self::failed(FailureType::Unknown, message).with_retry_after(delay)
    }

    /// Runs the job again after `delay`, because another side asked this one to slow down. The attempt is not counted;
    /// like [`Done::snooze`](crate::Done::snooze), it spends one of the job's deferrals. Until then no other job of its
    /// type starts, in any process; if the type is limited by key and the job has one, no other job of that key.
    ///
    /// A delay below a second is a second, and one above a day is a day.
    ///
    /// ```
    /// use longshore::HandlerError;
    /// use std::time::Duration;
    ///
    /// fn check(status: u16, retry_after: Duration) -> Result<(), HandlerError> {
    ///     if status == 429 {
    ///         return Err(HandlerError::rate_limited(retry_after));
    ///     }
    ///     Ok(())
    /// }
    /// # let error = check(429, Duration::from_secs(30)).unwrap_err();
    /// # assert_eq!(error.to_string(), "the other side asked to slow down for 30s");
    /// ```
    pub fn rate_limited(delay: Duration) -> Self {
        let delay = delay.clamp(SLOW_DOWN_MIN, SLOW_DOWN_MAX);
        let span = longshore_core::format_duration(delay);
        let message = format!("the other side asked to slow down for {span}");
        Self::failed(FailureType::Unknown, message).with_effect(Effect::SlowsDown(delay))
    }

    /// Chooses the delay before the next attempt for this error, like [`HandlerError::retry_after`]. The job is then
    /// retried whatever the failure type is.
    ///
    /// ```
    /// # use longshore::HandlerError;
    /// # use std::time::Duration;
    /// # fn ask() -> Result<(), std::io::Error> { Err(std::io::ErrorKind::ConnectionRefused.into()) }
    /// # fn call() -> Result<(), HandlerError> {
    /// ask().map_err(|error| HandlerError::from(error).with_retry_after(Duration::from_secs(600)))?;
    /// # Ok(())
    /// # }
    /// # assert_eq!(call().unwrap_err().to_string(), "connection refused");
    /// ```
    #[must_use]
    pub fn with_retry_after(self, delay: Duration) -> Self {
        self.with_effect(Effect::RetriesAfter(delay))
    }

    /// The job did not start, for a cause that may pass. The attempt is returned and not counted.
    pub(crate) fn not_begun(failure: Failure) -> Self {
        Self::of_cause(Cause::Failure(failure)).with_effect(Effect::Returns)
    }

    /// The job did not start, and should not for this long. The attempt is not counted.
    #[cfg(unix)]
    pub(crate) fn deferred(failure: Failure, delay: Duration) -> Self {
        Self::of_cause(Cause::Failure(failure)).with_effect(Effect::Defers(delay))
    }

    /// For how long no other job of the type or the key is to start.
    pub(crate) const fn slow_down(&self) -> Option<Duration> {
        match self.0.effect {
            Effect::SlowsDown(delay) => Some(delay),
            Effect::Fails | Effect::Returns | Effect::Defers(_) | Effect::RetriesAfter(_) => None,
        }
    }

    /// What it does to the job, unless the attempt was asked to stop.
    pub(crate) const fn effect(&self) -> Effect {
        self.0.effect
    }

    fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// The error for a boxed error. `?` does the same.
    pub fn boxed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of_cause(Cause::of_boxed(error.into()))
    }

    /// The failure type, as a worker without rules of its own records it.
    ///
    /// ```
    /// use longshore::{FailureType, HandlerError};
    ///
    /// let error = HandlerError::failed(FailureType::ConfigError, "MAIL_KEY is not set");
    /// assert_eq!(error.failure_type(), FailureType::ConfigError);
    /// ```
    pub fn failure_type(&self) -> FailureType {
        match &self.0.cause {
            Cause::Failure(failure) => failure.failure_type,
            Cause::Error { error, .. } => FailureType::of_error(&**error),
            #[cfg(feature = "anyhow")]
            Cause::Anyhow(error) => FailureType::of_error(&**error),
        }
    }

    /// The delay before the next attempt that the error asks for, if any: of [`HandlerError::retry_after`],
    /// [`HandlerError::with_retry_after`] or [`HandlerError::rate_limited`].
    pub const fn delay(&self) -> Option<Duration> {
        match self.0.effect {
            Effect::RetriesAfter(delay) | Effect::Defers(delay) | Effect::SlowsDown(delay) => Some(delay),
            Effect::Fails | Effect::Returns => None,
        }
    }

    /// The error that was converted, if it has this type.
    ///
    /// ```
    /// use longshore::HandlerError;
    ///
    /// let error = HandlerError::from("one".parse::<u32>().unwrap_err());
    /// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    /// ```
    pub fn downcast_ref<E: StdError + Send + Sync + 'static>(&self) -> Option<&E> {
        match &self.0.cause {
            Cause::Failure(failure) => (failure as &(dyn StdError + 'static)).downcast_ref(),
            Cause::Error { error, .. } => error.downcast_ref(),
            #[cfg(feature = "anyhow")]
            Cause::Anyhow(error) => error.downcast_ref(),
        }
    }

    /// The failure as it will be recorded by a worker without rules of its own.
    pub fn into_failure(self) -> Failure {
        self.into_failure_by(&FailureClasses::default())
    }

    pub(crate) fn into_failure_by(self, classes: &FailureClasses) -> Failure {
        match self.0.cause {
            Cause::Failure(failure) => failure,
            Cause::Error { error, backtrace } => {
                with_backtrace(Failure::of_error_by(&*error, |error| classes.of(error)), &backtrace)
            }
            #[cfg(feature = "anyhow")]
            Cause::Anyhow(error) => {
                with_backtrace(Failure::of_error_by(&*error, |error| classes.of(error)), error.backtrace())
            }
        }
    }

    /// The same error with its failure decided. Nothing of the application's code is called for it any more.
    pub(crate) fn classified(self, classes: &FailureClasses) -> Self {
        let effect = self.0.effect;
        Self::of_cause(Cause::Failure(self.into_failure_by(classes))).with_effect(effect)
    }

    fn of_cause(cause: Cause) -> Self {
        Self(Box::new(Content { cause, effect: Effect::Fails }))
    }
}

/// Every [`std::error::Error`] converts into such a box. So do `&str`, `String` and `anyhow::Error`.
impl<E: Into<Box<dyn StdError + Send + Sync>> + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::of_cause(Cause::of(error))
    }
}

impl Cause {
    fn of<E: Into<Box<dyn StdError + Send + Sync>> + 'static>(error: E) -> Self {
        let mut error = Some(error);
        if let Some(failure) = taken::<Failure>(&mut error) {
            return Self::Failure(failure);
        }
        #[cfg(feature = "anyhow")]
        if let Some(error) = taken::<anyhow::Error>(&mut error) {
            return error.downcast::<Failure>().map_or_else(Self::Anyhow, Self::Failure);
        }
        Self::of_boxed(error.expect("nothing was taken").into())
    }

    fn of_boxed(error: Box<dyn StdError + Send + Sync>) -> Self {
        match error.downcast::<Failure>() {
            Ok(failure) => Self::Failure(*failure),
            Err(error) => Self::Error { error, backtrace: Backtrace::capture() },
        }
    }
}

/// Takes the value if it has this type.
fn taken<T: 'static>(value: &mut dyn Any) -> Option<T> {
    value.downcast_mut::<Option<T>>().and_then(Option::take)
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::Failure(failure) => failure.fmt(f),
            Cause::Error { error, .. } => error.fmt(f),
            #[cfg(feature = "anyhow")]
            Cause::Anyhow(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HandlerError");
        match &self.0.cause {
            Cause::Failure(failure) => debug.field("cause", failure),
            Cause::Error { error, .. } => debug.field("cause", error),
            #[cfg(feature = "anyhow")]
            Cause::Anyhow(error) => debug.field("cause", error),
        };
        debug.field("effect", &self.0.effect).finish()
    }
}

fn with_backtrace(failure: Failure, backtrace: &Backtrace) -> Failure {
    if backtrace.status() != BacktraceStatus::Captured {
        return failure;
    }
    let chain = failure.traceback.clone().unwrap_or_default();
    failure.with_traceback(format!("{chain}\n{backtrace}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn read() -> Result<(), HandlerError> {
        Err(io::Error::from(io::ErrorKind::PermissionDenied))?;
        Ok(())
    }

    #[test]
    fn any_error_converts_and_keeps_what_its_type_tells() {
        let failure = read().unwrap_err().into_failure();
        assert_eq!(failure.failure_type, FailureType::PermissionError);
        assert!(failure.traceback.unwrap().starts_with("permission denied"));
    }

    #[test]
    fn an_explicit_failure_is_taken_at_its_word() {
        let failure = || Failure::new(FailureType::ConfigError, "no key");
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(failure());
        for raised in [HandlerError::from(failure()), HandlerError::from(boxed)] {
            assert_eq!(raised.into_failure(), failure());
        }
    }

    #[test]
    fn an_error_in_a_box_tells_its_type_too() {
        let boxed = || Box::<dyn StdError + Send + Sync>::from(io::Error::from(io::ErrorKind::ConnectionReset));
        for error in [HandlerError::boxed(boxed()), HandlerError::from(boxed())] {
            assert_eq!(error.into_failure().failure_type, FailureType::NetworkError);
        }
    }

    #[test]
    fn a_request_to_slow_down_is_for_at_least_a_second_and_at_most_a_day() {
        for (asked, expected) in [
            (Duration::ZERO, SLOW_DOWN_MIN),
            (Duration::from_secs(30), Duration::from_secs(30)),
            (Duration::MAX, SLOW_DOWN_MAX),
        ] {
            assert_eq!(HandlerError::rate_limited(asked).slow_down(), Some(expected));
        }
    }

    #[test]
    fn what_an_error_asks_for_and_what_it_was_can_be_read() {
        let minute = Duration::from_secs(60);
        let error = read().unwrap_err();
        assert_eq!((error.failure_type(), error.delay()), (FailureType::PermissionError, None));
        assert!(error.downcast_ref::<io::Error>().is_some() && error.downcast_ref::<Failure>().is_none());
        assert_eq!(error.with_retry_after(minute).delay(), Some(minute));
        assert_eq!(HandlerError::rate_limited(minute).delay(), Some(minute));
        let failed = HandlerError::failed(FailureType::ConfigError, "no key");
        assert_eq!(failed.downcast_ref::<Failure>().map(|failure| failure.message.as_str()), Some("no key"));
    }

    #[test]
    fn a_string_is_a_message_of_unknown_type() {
        for error in [HandlerError::from("no such user"), HandlerError::from("no such user".to_owned())] {
            let failure = error.into_failure();
            assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::Unknown, "no such user"));
        }
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn an_error_inside_anyhow_tells_its_type_at_the_root_and_below_a_context() {
        let root = || anyhow::Error::from(io::Error::from(io::ErrorKind::PermissionDenied));
        for (error, message) in [(root(), "permission denied"), (root().context("cannot read"), "cannot read")] {
            let failure = HandlerError::from(error).into_failure();
            assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::PermissionError, message));
            assert!(failure.traceback.unwrap().contains("permission denied"));
        }
        let explicit = anyhow::Error::from(Failure::new(FailureType::ConfigError, "no key"));
        assert_eq!(HandlerError::from(explicit).into_failure(), Failure::new(FailureType::ConfigError, "no key"));
    }
}

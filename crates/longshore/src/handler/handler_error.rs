use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error as StdError;
use std::fmt;

use longshore_core::{Failure, FailureType};

/// Why a handler failed. `?` converts any error into it.
///
/// It keeps what the error's type says: the failure type, the chain of causes and, if `RUST_BACKTRACE` is set, the
/// backtrace. If a [`Failure`] is among the causes, it is used unchanged. This type does not implement
/// [`std::error::Error`]; otherwise not every error could convert into it.
pub struct HandlerError {
    failure: Failure,
    /// The handler did not start, so the attempt is returned.
    is_unbegun: bool,
}

impl HandlerError {
    /// A failure with a type that the handler chooses. The type decides whether the job is retried.
    pub fn failed(failure_type: FailureType, message: impl Into<String>) -> Self {
        Self::of_failure(Failure::new(failure_type, message))
    }

    /// The job did not start, for a cause that may pass. The attempt is returned and not counted.
    #[cfg(unix)]
    pub(crate) fn not_begun(failure: Failure) -> Self {
        Self { failure, is_unbegun: true }
    }

    pub(crate) const fn is_unbegun(&self) -> bool {
        self.is_unbegun
    }

    /// The failure for a boxed error, such as `anyhow::Error`.
    pub fn boxed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of_error(error.into().as_ref())
    }

    /// The failure as it will be recorded.
    pub fn into_failure(self) -> Failure {
        self.failure
    }

    fn of_error(error: &(dyn StdError + 'static)) -> Self {
        // A `Failure` is complete. The place where our code converted it is not part of it.
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Self::of_failure(failure.clone());
        }
        Self::of_failure(with_backtrace(Failure::of_error(error), &Backtrace::capture()))
    }

    const fn of_failure(failure: Failure) -> Self {
        Self { failure, is_unbegun: false }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::of_error(&error)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
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
        let raised = HandlerError::from(Failure::new(FailureType::ConfigError, "no key"));
        let failure = raised.into_failure();
        assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::ConfigError, "no key"));
    }

    #[test]
    fn an_error_in_a_box_tells_its_type_too() {
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(HandlerError::boxed(boxed).into_failure().failure_type, FailureType::NetworkError);
    }
}

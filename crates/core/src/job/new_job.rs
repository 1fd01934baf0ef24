use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use crate::{
    Duplicate, InvalidJobData, JobData, JobId, OnDuplicate, Priority, Timestamp, UniqueWhile, format_duration,
};

/// A job to enqueue.
///
/// Start with [`NewJob::new`] and set what differs from the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The job type; it selects the handler.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// The queue. Default: `default`.
    pub queue: String,
    /// Higher runs first.
    pub priority: Priority,
    /// The earliest time at which it may run.
    pub due: Due,
    /// The number of retries after the first attempt. `None` means as many as the policy of its type allows.
    pub max_retries: Option<u32>,
    /// The crash count at which it becomes a dead letter.
    pub max_crashes: u32,
    /// How many times it may be deferred.
    pub max_deferrals: u32,
    /// The timeout of an attempt. `None` means the handler's own timeout.
    pub timeout: Option<Duration>,
    /// No attempt starts later than this after the enqueue; the job then ends as `cancelled`.
    pub expires_in: Option<Duration>,
    /// No attempt starts or runs later than this after the enqueue; the job then ends as `dead_letter`.
    pub deadline_in: Option<Duration>,
    /// No second job is created while a job with this key has not ended.
    pub unique_key: Option<String>,
    /// What to do if another job has the unique key. Has no effect without a key.
    pub on_duplicate: OnDuplicate,
    /// Which other jobs with the unique key count. Has no effect without a key.
    pub unique_while: UniqueWhile,
    /// The key under which its type may be limited, such as a tenant. `None` means the key in its payload, if the limit
    /// of the type says where that is. Has no effect while the type has no limit by key.
    pub limit_key: Option<String>,
    /// The job is `blocked` until this job has completed.
    pub parent: Option<JobId>,
    /// Data that the application keeps beside the payload.
    pub metadata: Option<JobData>,
}

/// When a job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Due {
    /// Now.
    #[default]
    Now,
    /// This long after the enqueue, by the store's clock.
    After(Duration),
    /// At this time.
    At(Timestamp),
}

/// The limits of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of a payload, a result or metadata, in bytes of JSON text.
    pub payload_bytes_max: usize,
}

impl Limits {
    /// Rejects data that is too large; `what` names it in the error.
    pub fn check(&self, what: &'static str, data: &JobData) -> Result<(), InvalidJob> {
        if data.len() > self.payload_bytes_max {
            return Err(InvalidJob::TooLarge { what, bytes: data.len(), max: self.payload_bytes_max });
        }
        Ok(())
    }
}

impl Default for Limits {
    /// 1 MiB.
    fn default() -> Self {
        Self { payload_bytes_max: 1024 * 1024 }
    }
}

/// The result of an enqueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Enqueued {
    /// The job id, of the new or of the existing job.
    pub id: JobId,
    /// Whether a job with the same unique key existed, so that no second one was created.
    pub is_duplicate: bool,
    /// What was done with the existing job.
    pub duplicate: Option<Duplicate>,
}

impl Enqueued {
    /// A new job.
    pub const fn made(id: JobId) -> Self {
        Self { id, is_duplicate: false, duplicate: None }
    }

    /// An existing job, and what was done with it.
    pub const fn met(id: JobId, duplicate: Duplicate) -> Self {
        Self { id, is_duplicate: true, duplicate: Some(duplicate) }
    }
}

/// Why a job is invalid for every store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidJob {
    /// A name is empty, too long, or contains control characters.
    #[error("the {what} must be 1 to {max} bytes without control characters, but has {bytes} bytes")]
    Name {
        /// The name.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// The payload is larger than the limit.
    #[error(
        "the {what} has {bytes} bytes, but the limit is {max}: store the data elsewhere and enqueue a reference to it"
    )]
    TooLarge {
        /// The payload, the metadata or the result.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A number is out of range.
    #[error("{what} must be from {min} to {max}")]
    OutOfRange {
        /// The number.
        what: &'static str,
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// A span of time is out of range.
    #[error("{what} must be from {} to {}", format_duration(*min), format_duration(SPAN_MAX))]
    Span {
        /// The span.
        what: &'static str,
        /// The minimum.
        min: Duration,
    },
    /// The time to run at cannot be stored.
    #[error("run_at must be from {} to {}", Timestamp::MIN, Timestamp::MAX)]
    Instant,
    /// Two properties were given that exclude each other.
    #[error("{one} and {other} cannot both be given: remove one of them")]
    Both {
        /// The first property.
        one: &'static str,
        /// The second property.
        other: &'static str,
    },
    /// A property was given that needs another one.
    #[error("{what} has no effect without {needed}: give both or neither")]
    Needs {
        /// The property that was given.
        what: &'static str,
        /// The property that is missing.
        needed: &'static str,
    },
    /// The edit contains no change.
    #[error("there is nothing to change: give a payload, a queue, a type or a time")]
    NothingToChange,
}

impl InvalidJob {
    pub(crate) const fn time_limit() -> Self {
        Self::Span { what: "timeout", min: SPAN_MIN }
    }

    /// Checks the name of a type.
    pub fn check_type(name: &str) -> Result<(), Self> {
        check_name("job type", name, NAME_BYTES_MAX)
    }

    /// Checks the name of a queue. Every place that takes a name uses this rule.
    pub fn check_queue(name: &str) -> Result<(), Self> {
        check_name("queue name", name, NAME_BYTES_MAX)
    }
}

/// The maximum length in bytes of a type, a queue and a unique key.
pub(crate) const NAME_BYTES_MAX: usize = 200;
const UNIQUE_KEY_BYTES_MAX: usize = 1000;
/// The maximum of each of the three budgets.
const BUDGET_MAX: u32 = 1_000_000;
/// Ten years. A longer span is a mistake in the unit.
pub(crate) const SPAN_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// Stores keep spans in milliseconds.
pub(crate) const SPAN_MIN: Duration = Duration::from_millis(1);

impl NewJob {
    /// A job with a type and a payload; all other properties have their defaults.
    pub fn new(job_type: impl Into<String>, job_data: JobData) -> Self {
        Self {
            job_type: job_type.into(),
            job_data,
            queue: "default".to_owned(),
            priority: Priority::NORMAL,
            due: Due::Now,
            max_retries: None,
            max_crashes: 3,
            max_deferrals: 1000,
            timeout: None,
            expires_in: None,
            deadline_in: None,
            unique_key: None,
            on_duplicate: OnDuplicate::Keep,
            unique_while: UniqueWhile::Unfinished,
            limit_key: None,
            parent: None,
            metadata: None,
        }
    }

    /// A job whose payload is encoded from a value.
    pub fn encode<T: Serialize + ?Sized>(job_type: impl Into<String>, payload: &T) -> Result<Self, InvalidJobData> {
        Ok(Self::new(job_type, JobData::encode(payload)?))
    }

    /// Sets the queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the priority. Higher runs first.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the minimum delay before it runs.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::After(delay);
        self
    }

    /// Sets the earliest time at which it runs.
    #[must_use]
    pub fn run_at(mut self, instant: Timestamp) -> Self {
        self.due = Due::At(instant);
        self
    }

    /// Sets the number of retries after the first attempt. Default: as many as the policy of its type allows, which is
    /// 15 unless its handler has another policy.
    #[must_use]
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Sets the timeout of an attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// No attempt starts later than `span` after the enqueue. The job then ends as `cancelled`, unless an attempt is
    /// running.
    ///
    /// The time of a delay counts too: a job that expires before its start time never runs. No retry starts after the
    /// expiry.
    #[must_use]
    pub fn expires_in(mut self, span: Duration) -> Self {
        self.expires_in = Some(span);
        self
    }

    /// No attempt starts or runs later than `span` after the enqueue, including all retries and waits. A running
    /// attempt is stopped, as by its timeout, and the job ends as `dead_letter`.
    #[must_use]
    pub fn deadline_in(mut self, span: Duration) -> Self {
        self.deadline_in = Some(span);
        self
    }

    /// No second job is created while a job with this key has not ended.
    #[must_use]
    pub fn unique_key(mut self, unique_key: impl Into<String>) -> Self {
        self.unique_key = Some(unique_key.into());
        self
    }

    /// Sets what to do if another job has the unique key. Default: keep it unchanged.
    #[must_use]
    pub fn on_duplicate(mut self, on_duplicate: OnDuplicate) -> Self {
        self.on_duplicate = on_duplicate;
        self
    }

    /// Sets which other jobs with the unique key count. Default: all that have not ended.
    #[must_use]
    pub fn unique_while(mut self, unique_while: UniqueWhile) -> Self {
        self.unique_while = unique_while;
        self
    }

    /// Sets the key under which its type may be limited, such as a tenant. It comes before the key in the payload.
    #[must_use]
    pub fn limit_key(mut self, limit_key: impl Into<String>) -> Self {
        self.limit_key = Some(limit_key.into());
        self
    }

    /// The job is `blocked` until this job has completed.
    #[must_use]
    pub fn parent(mut self, parent: JobId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Keeps data beside the payload.
    #[must_use]
    pub fn metadata(mut self, metadata: JobData) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Sets the crash count at which it becomes a dead letter. Default: 3.
    #[must_use]
    pub fn max_crashes(mut self, max_crashes: u32) -> Self {
        self.max_crashes = max_crashes;
        self
    }

    /// Sets how many times it may be deferred. Default: 1000.
    #[must_use]
    pub fn max_deferrals(mut self, max_deferrals: u32) -> Self {
        self.max_deferrals = max_deferrals;
        self
    }

    /// Checks the job. [`NewJob::check`] also keeps the result.
    pub(crate) fn validate(&self, limits: &Limits) -> Result<(), InvalidJob> {
        check_name("job type", &self.job_type, NAME_BYTES_MAX)?;
        InvalidJob::check_queue(&self.queue)?;
        if let Some(key) = &self.unique_key {
            check_name("unique key", key, UNIQUE_KEY_BYTES_MAX)?;
        }
        if let Some(key) = &self.limit_key {
            check_name("key", key, NAME_BYTES_MAX)?;
        }
        limits.check("payload", &self.job_data)?;
        if let Some(metadata) = &self.metadata {
            limits.check("metadata", metadata)?;
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), InvalidJob> {
        let budgets = [
            ("max_retries", self.max_retries.unwrap_or_default()),
            ("max_crashes", self.max_crashes),
            ("max_deferrals", self.max_deferrals),
        ];
        for (what, budget) in budgets {
            if budget > BUDGET_MAX {
                return Err(InvalidJob::OutOfRange { what, min: 0, max: u64::from(BUDGET_MAX) });
            }
        }
        check_span("timeout", self.timeout)?;
        check_span("expires_in", self.expires_in)?;
        check_span("deadline_in", self.deadline_in)?;
        check_due(self.due)
    }
}

pub(crate) fn check_due(due: Due) -> Result<(), InvalidJob> {
    match due {
        Due::After(delay) if delay > SPAN_MAX => Err(InvalidJob::Span { what: "delay", min: Duration::ZERO }),
        Due::At(instant) if !(Timestamp::MIN..=Timestamp::MAX).contains(&instant) => Err(InvalidJob::Instant),
        _ => Ok(()),
    }
}

pub(crate) fn check_span(what: &'static str, span: Option<Duration>) -> Result<(), InvalidJob> {
    match span {
        Some(span) if !(SPAN_MIN..=SPAN_MAX).contains(&span) => Err(InvalidJob::Span { what, min: SPAN_MIN }),
        _ => Ok(()),
    }
}

pub(crate) fn check_name(what: &'static str, name: &str, max: usize) -> Result<(), InvalidJob> {
    if name.is_empty() || name.len() > max || name.chars().any(char::is_control) {
        return Err(InvalidJob::Name { what, bytes: name.len(), max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_letters_and_with_control_characters_are_refused() {
        for name in ["", "a\0b", "line\nbreak", &"x".repeat(201)] {
            let job = NewJob::new(name, JobData::default());
            assert!(matches!(job.validate(&Limits::default()), Err(InvalidJob::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn the_edges_of_every_bound_are_accepted() {
        let job = || NewJob::new("a", JobData::default());
        for job in [
            job().timeout(Duration::from_millis(1)),
            job().timeout(SPAN_MAX),
            job().delay(SPAN_MAX),
            job().run_at(Timestamp::MIN),
            job().run_at(Timestamp::MAX),
        ] {
            assert_eq!(job.validate(&Limits::default()), Ok(()), "{job:?}");
        }
        for instant in [Timestamp::from_ms(-1), Timestamp::from_ms(Timestamp::MAX.as_ms() + 1)] {
            assert_eq!(job().run_at(instant).validate(&Limits::default()), Err(InvalidJob::Instant));
        }
    }

    #[test]
    fn a_payload_at_the_limit_is_accepted_and_one_byte_more_is_not() {
        let limits = Limits { payload_bytes_max: 4 };
        assert_eq!(NewJob::new("a", JobData::parse("1234").unwrap()).validate(&limits), Ok(()));
        let error = NewJob::new("a", JobData::parse("12345").unwrap()).validate(&limits).unwrap_err();
        assert_eq!(error, InvalidJob::TooLarge { what: "payload", bytes: 5, max: 4 });
    }

    #[test]
    fn absurd_budgets_limits_and_delays_are_refused() {
        let job = || NewJob::new("a", JobData::default());
        let many = job().max_retries(u32::MAX).validate(&Limits::default()).unwrap_err();
        assert_eq!(many.to_string(), "max_retries must be from 0 to 1000000");
        let absurd = [
            job().timeout(Duration::ZERO),
            job().timeout(Duration::MAX),
            job().delay(Duration::MAX),
            job().timeout(SPAN_MAX + Duration::from_millis(1)),
            job().delay(SPAN_MAX + Duration::from_millis(1)),
            job().expires_in(Duration::ZERO),
            job().expires_in(Duration::MAX),
            job().deadline_in(Duration::from_micros(999)),
            job().deadline_in(Duration::MAX),
        ];
        for job in absurd {
            let error = job.validate(&Limits::default()).unwrap_err();
            assert!(matches!(error, InvalidJob::Span { .. }), "{job:?}");
            assert!(error.to_string().ends_with("s to 3660d"), "{error}");
        }
    }
}

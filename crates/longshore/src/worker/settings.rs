use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Clock, LimitRule, LimitSubject, Limits, LogLimits, QueueLimit, Retention, ScheduleSource};

use super::{SimulatedProcess, Worker};
use crate::Schedule;
use crate::handler::SPAN_MAX;

impl<S> Worker<S> {
    /// Sets how many jobs run at once, from 1 to 10,000.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// let worker = longshore::Worker::new(queue).concurrency(4);
    /// # }
    /// ```
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.settings.concurrency = concurrency.clamp(1, 10_000);
        self
    }

    /// Claims from this queue. Without any queue, a worker claims from all.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// let worker = longshore::Worker::new(queue).queue("mail").queue("reports");
    /// # }
    /// ```
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.queue_with_limit(queue, u32::MAX)
    }

    /// Claims from this queue, and runs at most `limit` of its jobs at once.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// let worker = longshore::Worker::new(queue).queue_with_limit("reports", 2).queue("mail");
    /// # }
    /// ```
    #[must_use]
    pub fn queue_with_limit(mut self, queue: impl Into<String>, limit: u32) -> Self {
        self.settings.queues.push(QueueLimit { queue: queue.into(), limit: limit.max(1) });
        self
    }

    /// Sets how long this worker keeps its jobs without a heartbeat; at least a second.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use std::time::Duration;
    /// let worker = longshore::Worker::new(queue).lease(Duration::from_secs(60));
    /// # }
    /// ```
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.clamp(Duration::from_secs(1), SPAN_MAX);
        self
    }

    /// Sets how long attempts may continue after their stop signal, if their handler does not set it.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use std::time::Duration;
    /// let worker = longshore::Worker::new(queue).grace(Duration::from_secs(10));
    /// # }
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace.min(SPAN_MAX);
        self
    }

    /// Sets how long completed and cancelled jobs are kept after their end: a duration, or [`Retention::Forever`].
    ///
    /// Default: 7 days, except for jobs that were in the database before it had this default, such as those of an
    /// adopted table. They stay until a retention is set.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use std::time::Duration;
    /// let worker = longshore::Worker::new(queue).retention(Duration::from_secs(24 * 3600));
    /// # }
    /// ```
    #[must_use]
    pub fn retention(mut self, retention: impl Into<Retention>) -> Self {
        self.settings.retention = bounded(retention.into());
        self
    }

    /// Sets how long dead letters are kept after they became dead letters. Default: 90 days, with the same exception as
    /// for [`Worker::retention`].
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// use longshore::job::Retention;
    /// let worker = longshore::Worker::new(queue).dead_letter_retention(Retention::Forever);
    /// # }
    /// ```
    #[must_use]
    pub fn dead_letter_retention(mut self, retention: impl Into<Retention>) -> Self {
        self.settings.dead_letter_retention = bounded(retention.into());
        self
    }

    /// Sets the maximum size of a result.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use longshore::job::Limits;
    /// let worker = longshore::Worker::new(queue).limits(Limits { payload_bytes_max: 64 * 1024 });
    /// # }
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets how much of each attempt's log is kept.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use longshore::handler::LogLimits;
    /// let worker = longshore::Worker::new(queue).log_limits(LogLimits::default());
    /// # }
    /// ```
    #[must_use]
    pub fn log_limits(mut self, log_limits: LogLimits) -> Self {
        self.log_limits = log_limits;
        self
    }

    /// Runs a job at times: see [`Schedule`]. Its definition is applied when the worker starts. It then belongs to the
    /// database, and every worker on it makes the jobs, whichever handles them.
    ///
    /// A schedule that is not valid is an error before anything is claimed
    /// ([`WorkerError::Schedule`](crate::WorkerError::Schedule)). One that the code no longer has stays until it is
    /// removed.
    ///
    /// ```
    /// # use longshore::{Job, Queue, Schedule, Worker};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Report { kind: String }
    /// # fn example(queue: &Queue) {
    /// let nightly = Schedule::cron("nightly", "30 2 * * mon-fri").time_zone("Europe/Berlin");
    /// let worker = Worker::new(queue).schedule(nightly.enqueue(&Report { kind: "daily".into() }));
    /// # }
    /// ```
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Says where the schedules of this worker come from. Default: [`ScheduleSource::Code`].
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use longshore::schedule::ScheduleSource;
    /// let worker = longshore::Worker::new(queue).schedule_source(ScheduleSource::Config);
    /// # }
    /// ```
    #[doc(hidden)]
    #[must_use]
    pub fn schedule_source(mut self, source: ScheduleSource) -> Self {
        self.schedule_source = source;
        self
    }

    /// Limits how many jobs of a type run at once and how often they start, over all processes and hosts. It is applied
    /// before the first claim, and holds until another program that knows the type starts. A rule that limits nothing
    /// removes the limit. What `longshore limits set` has set by hand wins.
    ///
    /// ```
    /// use longshore::limits::LimitRule;
    ///
    /// # fn example(queue: &longshore::Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let rule = LimitRule {
    ///     concurrency: Some(50),
    ///     rate: Some("1000/1m".parse()?),
    ///     key: Some("/tenant_id".parse()?),
    ///     key_concurrency: Some(2),
    ///     ..LimitRule::default()
    /// };
    /// let worker = longshore::Worker::new(queue).limit("sync", rule);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn limit(mut self, job_type: impl Into<String>, rule: LimitRule) -> Self {
        self.limits.push((LimitSubject::Type(job_type.into()), Some(rule)));
        self
    }

    /// Limits a type or a queue, as [`Worker::limit`] does.
    ///
    /// ```
    /// # use longshore::limits::{LimitRule, LimitSubject};
    /// # fn example(queue: &longshore::Queue) {
    /// let none = LimitRule::default();
    /// let worker = longshore::Worker::new(queue).limit_of(LimitSubject::Queue("api".to_owned()), none);
    /// # }
    /// ```
    #[must_use]
    pub fn limit_of(mut self, subject: LimitSubject, rule: LimitRule) -> Self {
        self.limits.push((subject, Some(rule)));
        self
    }

    /// Limits how many jobs of a queue run at once, over all processes and hosts, as [`Worker::limit`] does.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// let worker = longshore::Worker::new(queue).limit_queue("api", 20);
    /// # }
    /// ```
    #[must_use]
    pub fn limit_queue(mut self, queue: impl Into<String>, concurrency: u32) -> Self {
        let rule = LimitRule { concurrency: Some(concurrency), ..LimitRule::default() };
        self.limits.push((LimitSubject::Queue(queue.into()), Some(rule)));
        self
    }

    /// Uses another clock.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use longshore::backend::SystemClock;
    /// let worker = longshore::Worker::new(queue).clock(SystemClock::new());
    /// # }
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Treats only the workers of this simulated process as workers of its own process.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// # use longshore::testing::SimulatedProcess;
    /// let process = SimulatedProcess::default();
    /// let first = longshore::Worker::new(queue).as_if_in(&process);
    /// let second = longshore::Worker::new(queue).as_if_in(&process);
    /// # }
    /// ```
    #[must_use]
    pub fn as_if_in(mut self, process: &SimulatedProcess) -> Self {
        self.gate = Arc::clone(&process.gate);
        self
    }
}

/// A longer one could not be subtracted from an instant.
fn bounded(retention: Retention) -> Retention {
    match retention {
        Retention::Forever => Retention::Forever,
        Retention::After(span) => Retention::After(span.min(SPAN_MAX)),
        Retention::Default(span) => Retention::Default(span.min(SPAN_MAX)),
    }
}

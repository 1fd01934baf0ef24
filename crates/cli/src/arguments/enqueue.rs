use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use longshore_core::{JobId, OnDuplicate, Priority, Timestamp, UniqueWhile, parse_duration};

/// The job, or the file of jobs, that is to be enqueued.
#[derive(Debug, Args)]
#[command(
    long_about = "Enqueue one job, or a file of them\n\nPrints the id; with --json the job. What is not given comes \
        from the type's [jobs.NAME] in the configuration file. Creates the database where there is none.",
    after_help = "Example: longshore enqueue thumbnail '{\"file\": \"a.jpg\"}' --priority high --delay 10m\n         \
        longshore enqueue --batch jobs.ndjson"
)]
pub(crate) struct EnqueueArguments {
    /// The type, which says who runs it
    #[arg(value_name = "TYPE", required_unless_present = "batch")]
    pub(crate) job_type: Option<String>,

    /// The payload as JSON; - for standard input, @FILE for a file [default: {}]
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// Enqueue every line of FILE (NDJSON; - for standard input), all or none
    #[arg(
        long,
        value_name = "FILE",
        long_help = "Enqueue every line of FILE (NDJSON; - for standard input), all or none\n\nA line is an object \
            with job_type and, where wanted, job_data, queue, priority, delay, run_at, max_retries, timeout, \
            expires_in, deadline_in, unique_key, on_duplicate, unique_while, parent_job_id and metadata. Blank lines are \
            passed over.",
        conflicts_with_all = ["job_type", "data", "queue", "priority", "delay", "at", "max_retries", "timeout",
            "expires_in", "deadline", "unique_key", "on_duplicate", "unique_while", "parent"]
    )]
    pub(crate) batch: Option<PathBuf>,

    /// The queue [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// Higher runs first: a whole number, or low, normal, high, urgent, critical [default: normal]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) priority: Option<Priority>,

    /// Run it no sooner than this from now, such as 30s or 2h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "at")]
    pub(crate) delay: Option<Duration>,

    /// Run it no sooner than this instant, such as 2026-05-04T12:30:00Z
    #[arg(long, visible_alias = "run-at", value_name = "INSTANT")]
    pub(crate) at: Option<Timestamp>,

    /// Retry a failed attempt this often [default: 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_retries: Option<u32>,

    /// End an attempt that takes longer, such as 5m [default: the handler's own limit]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// Start no attempt this long after the enqueue, such as 10m; the job then ends as cancelled
    ///
    /// A delay counts, too. An attempt that runs goes on, and a retry that would start later is not made.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expires_in: Option<Duration>,

    /// Stop trying this long after the enqueue, such as 1h; the job then ends as a dead letter
    ///
    /// Covers all attempts and the waits between them. An attempt that runs then is stopped as by its time limit.
    #[arg(long, visible_alias = "deadline-in", value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) deadline: Option<Duration>,

    /// Make no second job while one with this key has not ended
    #[arg(long, value_name = "KEY")]
    pub(crate) unique_key: Option<String>,

    /// What becomes of the job that has this key already: keep, replace or push-back [default: keep]
    #[arg(
        long,
        value_name = "RULE",
        requires = "unique_key",
        long_help = "What becomes of the job that has this key already [default: keep]\n\nkeep leaves it as it is. \
            replace gives it the new type, payload, priority, limits and metadata, if it waits; its id, queue, parent and \
            time stay. push-back does the same, and it runs no sooner than the new job would have: with --delay, a job \
            runs once nobody has enqueued it again for that long. A running job is always left as it is."
    )]
    pub(crate) on_duplicate: Option<OnDuplicate>,

    /// Which jobs with this key count: unfinished, or waiting, so that one may wait while one runs [default: unfinished]
    #[arg(long, value_name = "STATES", requires = "unique_key")]
    pub(crate) unique_while: Option<UniqueWhile>,

    /// Wait until this job has completed
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub(crate) parent: Option<JobId>,
}

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use longshore_core::{JobId, OnDuplicate, Priority, Timestamp, UniqueWhile, parse_duration};

use super::value::whole_number;
use super::word::WordParser;
use crate::completion::{Names, completer};

/// The arguments of `enqueue`: one job, or a file of jobs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: longshore enqueue thumbnail '{\"file\": \"a.jpg\"}' --priority high --delay 10m\n         \
        longshore enqueue --batch jobs.ndjson"
)]
pub(crate) struct EnqueueArguments {
    /// The job type; it decides which handler or program runs the job
    #[arg(value_name = "TYPE", required_unless_present = "batch", add = completer(Names::Type))]
    pub(crate) job_type: Option<String>,

    /// The payload as JSON; - for standard input, @FILE for a file [default: {}]
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// Enqueue every line of FILE (NDJSON; - for standard input) in one transaction
    #[arg(
        long,
        value_name = "FILE",
        long_help = "Enqueue every line of FILE (NDJSON; - for standard input) in one transaction\n\nIf one line is \
            invalid, nothing is enqueued. Each line is an object \
            with job_type and optionally job_data, queue, priority, delay, run_at, max_retries, timeout, \
            expires_in, deadline_in, unique_key, on_duplicate, unique_while, key, parent_job_id and metadata. Blank lines \
            are skipped.\n\nA job may have a name, ref, and wait for others: after is a list of names of lines before it, ids of \
            jobs, {\"batch\": \"completed\"} and {\"signal\": NAME}. A first line {\"batch\": {\"name\": NAME}} makes a batch of \
            the jobs. Then --json prints {\"inserted\", \"batch_id\", \"ids\"}.",
        conflicts_with_all = ["job_type", "data", "queue", "priority", "delay", "at", "max_retries", "timeout",
            "expires_in", "deadline", "unique_key", "on_duplicate", "unique_while", "key", "parent"]
    )]
    pub(crate) batch: Option<PathBuf>,

    /// The queue [default: default]
    #[arg(long, value_name = "NAME", add = completer(Names::Queue))]
    pub(crate) queue: Option<String>,

    /// An integer, or low, normal, high, urgent or critical; higher runs first [default: normal]
    #[arg(long, value_name = "N", allow_negative_numbers = true, hide_possible_values = true,
        value_parser = WordParser::<Priority>::new())]
    pub(crate) priority: Option<Priority>,

    /// Do not start it before this much time has passed, such as 30s or 2h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "at")]
    pub(crate) delay: Option<Duration>,

    /// Do not start it before this time, such as 2026-05-04T12:30:00Z
    #[arg(long, visible_alias = "run-at", value_name = "INSTANT")]
    pub(crate) at: Option<Timestamp>,

    /// Retry at most this many times after a failure [default: that of its handler, else 15]
    #[arg(long, value_name = "N", value_parser = whole_number(0, u32::MAX), allow_negative_numbers = true)]
    pub(crate) max_retries: Option<u32>,

    /// Stop an attempt that runs longer than this, such as 5m [default: the limit that its handler sets]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// Start no attempt later than this after the enqueue, such as 10m; the job then ends as cancelled
    ///
    /// The time of a delay counts too. A running attempt continues, but no retry starts after that time.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expires_in: Option<Duration>,

    /// Stop all attempts this long after the enqueue, such as 1h; the job then ends as a dead letter
    ///
    /// Covers all attempts and the waits between them. An attempt that still runs is stopped, as by its timeout.
    #[arg(long, visible_alias = "deadline-in", value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) deadline: Option<Duration>,

    /// Create no second job while a job with this key has not ended
    #[arg(long, value_name = "KEY")]
    pub(crate) unique_key: Option<String>,

    /// What to do if a job has this key already: keep, replace or push-back [default: keep]
    #[arg(
        long,
        value_name = "RULE",
        hide_possible_values = true,
        value_parser = WordParser::<OnDuplicate>::new(),
        requires = "unique_key",
        long_help = "What to do if a job has this key already [default: keep]\n\nkeep does not change it. \
            If that job is waiting, replace gives it the new type, payload, priority, limits and metadata. Its id, \
            queue, \
            parent and time stay. push-back does the same and also moves it to the start time of the new job. With \
            --delay, the job runs once no enqueue with this key has happened for that long. A running job is never \
            changed."
    )]
    pub(crate) on_duplicate: Option<OnDuplicate>,

    /// Which jobs with this key count: unfinished, or waiting (one may wait while another runs) [default: unfinished]
    #[arg(long, value_name = "STATES", requires = "unique_key", hide_possible_values = true,
        value_parser = WordParser::<UniqueWhile>::new())]
    pub(crate) unique_while: Option<UniqueWhile>,

    /// The key under which its type may be limited, such as a tenant; it comes before the key in the payload
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Do not start it until this job has completed
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub(crate) parent: Option<JobId>,
}

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use longshore_core::{Due, InvalidId, InvalidPriority, JobId, Priority, Timestamp, parse_duration};
use thiserror::Error;

use super::filter::{FilterArguments, KindArguments, RetryArguments, ScopeArguments, TargetArguments};

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first
    #[command(after_help = "Example: longshore jobs list --status running,retrying --queue mail --limit 20")]
    List {
        #[command(flatten)]
        filter: FilterArguments,
        #[command(flatten)]
        page: ListArguments,
    },

    /// Show one job with its attempts
    #[command(after_help = "Example: longshore jobs show 42")]
    Show(IdArgument),

    /// Show what a job's attempts printed and logged
    #[command(
        long_about = "Show what a job's attempts printed and logged\n\nOf a long log the beginning and the end are \
            kept; what was cut is said in its place. With --follow and --json each piece is one line of NDJSON.",
        after_help = "Example: longshore jobs logs 42 --follow"
    )]
    Logs {
        #[command(flatten)]
        job: IdArgument,

        /// Go on until the job has ended
        #[arg(long, short)]
        follow: bool,

        /// Only this attempt, from 1
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
        attempt: Option<u32>,
    },

    /// Put ended or retrying jobs back, with fresh budgets
    #[command(
        long_about = "Put ended or retrying jobs back, with fresh budgets\n\nTheir history stays. A job whose parent \
            has not completed waits for it again, blocked. The children that were given up because a job did not \
            complete are put back with it, unless --alone. With --all and no --status: those that are retrying, \
            cancelled or dead letters.",
        after_help = "Example: longshore jobs retry 42 43\n         longshore jobs retry --all --status dead_letter \
            --type mail --yes"
    )]
    Retry(RetryArguments<FilterArguments>),

    /// End waiting jobs, and ask running ones to stop
    #[command(after_help = "Example: longshore jobs cancel --all --queue mail --yes")]
    Cancel(TargetArguments<FilterArguments>),

    /// Remove jobs that do not run, with their history
    #[command(after_help = "Example: longshore jobs delete --all --status completed --yes")]
    Delete(TargetArguments<FilterArguments>),

    /// Change the priority of jobs that have not ended
    #[command(
        override_usage = "longshore jobs priority [OPTIONS] <ID> <N>\n       longshore jobs priority [OPTIONS] --all <N>",
        after_help = "Example: longshore jobs priority 42 urgent\n         longshore jobs priority --all --type mail low --yes"
    )]
    Priority(PriorityArguments),

    /// Change payload, queue, type or time of a job that does not run
    #[command(
        long_about = "Change payload, queue, type or time of a job that does not run\n\nThe job keeps its id, its history, \
            its unique key and its parent. A job that runs or has ended is refused and stays as it is. A dead letter \
            stays one: its payload, queue and type can be changed, and \"dead retry\" runs it with them. A retrying job \
            is tried again at its new time. With --json it prints the job as \"jobs show\" does. See \"jobs priority\" \
            for the priority.",
        override_usage = "longshore jobs edit [OPTIONS] <ID> <--data <DATA>|--queue <NAME>|--type <TYPE>|--delay <DURATION>|\
            --at <INSTANT>>",
        after_help = "Example: longshore jobs edit 42 --data '{\"file\": \"b.jpg\"}' --queue slow\n         \
            longshore jobs edit 42 --delay 2h"
    )]
    Edit(EditArguments),

    /// Wait until a job has ended
    #[command(
        long_about = "Wait until a job has ended\n\nExit 0 when it completed, 3 when it ended otherwise or not in time.",
        after_help = "Example: longshore jobs wait 42 --timeout 10m"
    )]
    Wait {
        #[command(flatten)]
        job: IdArgument,

        /// Wait no longer than this, such as 30s [default: for ever]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        timeout: Option<Duration>,
    },
}

/// The dead letters, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct DeadArguments {
    /// Without a command, dead letters are listed.
    #[command(subcommand)]
    pub(crate) command: Option<DeadCommand>,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List dead letters, newest first
    #[command(after_help = "Example: longshore dead list --failure-type network_error")]
    List {
        #[command(flatten)]
        filter: KindArguments,
        #[command(flatten)]
        page: ListArguments,
    },

    /// Show one dead letter with its attempts
    #[command(after_help = "Example: longshore dead show 42")]
    Show(IdArgument),

    /// Put dead letters back, with fresh budgets; their history stays
    #[command(
        long_about = "Put dead letters back, with fresh budgets; their history stays\n\nA job whose parent has not \
            completed waits for it again, blocked. The children that were given up because a job did not complete \
            are put back with it, unless --alone.",
        after_help = "Example: longshore dead retry --all --type thumbnail --yes"
    )]
    Retry(RetryArguments<KindArguments>),

    /// Remove dead letters for good
    #[command(after_help = "Example: longshore dead discard 42")]
    Discard(TargetArguments<KindArguments>),
}

/// One job.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct IdArgument {
    /// The job
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) id: JobId,
}

/// One job and its changes; at least one is given.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true).args(["data", "queue", "job_type", "delay", "at"]))]
pub(crate) struct EditArguments {
    /// The job
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) id: JobId,

    /// The new payload as JSON; - for standard input, @FILE for a file
    #[arg(long, value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// Move it into this queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// Give it this type, which says who runs it
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) job_type: Option<String>,

    /// Run it no sooner than this from now, such as 30s or 2h; 0s for at once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "at")]
    pub(crate) delay: Option<Duration>,

    /// Run it no sooner than this instant, such as 2026-05-04T12:30:00Z
    #[arg(long, visible_alias = "run-at", value_name = "INSTANT")]
    pub(crate) at: Option<Timestamp>,
}

impl EditArguments {
    /// The new time, if one is given.
    pub(crate) fn due(&self) -> Option<Due> {
        self.at.map(Due::At).or(self.delay.map(Due::After))
    }
}

/// Which page of a list.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ListArguments {
    /// Show at most this many, up to 1000
    #[arg(long, value_name = "N", default_value_t = Self::default().limit, value_parser = clap::value_parser!(u32).range(1..=1000),
        allow_negative_numbers = true)]
    pub(crate) limit: u32,

    /// Go on where the last page ended: its "next"
    #[arg(long, value_name = "CURSOR", allow_negative_numbers = true)]
    pub(crate) after: Option<JobId>,
}

impl Default for ListArguments {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

/// The jobs and their new priority: the last word is the priority, the one before it the job.
#[derive(Debug, Args)]
pub(crate) struct PriorityArguments {
    /// The job, then its priority: a whole number, or low, normal, high, urgent, critical
    #[arg(value_names = ["ID", "N"], required = true, num_args = 1..=2, allow_negative_numbers = true)]
    words: Vec<String>,

    #[command(flatten)]
    scope: ScopeArguments<FilterArguments>,
}

/// Words that are not a job and its priority.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidPriorityWords {
    /// The job is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The priority is none.
    #[error(transparent)]
    Priority(#[from] InvalidPriority),
    /// There are a job and all jobs.
    #[error("with --all the priority stands alone, without an id")]
    IdWithAll,
    /// There is one word.
    #[error("one of the two is missing: expected the job and its new priority, such as 42 high")]
    Missing,
}

impl PriorityArguments {
    /// The meaning of the words.
    pub(crate) fn read(self) -> Result<(TargetArguments<FilterArguments>, Priority), InvalidPriorityWords> {
        let (ids, priority) = match (self.scope.all, self.words.as_slice()) {
            (true, [priority]) => (Vec::new(), priority),
            (true, _) => return Err(InvalidPriorityWords::IdWithAll),
            (false, [id, priority]) => (vec![id.parse()?], priority),
            (false, _) => return Err(InvalidPriorityWords::Missing),
        };
        Ok((TargetArguments { ids, scope: self.scope }, priority.parse()?))
    }
}

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use longshore_core::{Due, InvalidId, InvalidPriority, JobId, PageCursor, Priority, Timestamp, parse_duration};
use thiserror::Error;

use super::filter::{FilterArguments, KindArguments, RetryArguments, ScopeArguments, TargetArguments};
use super::value::whole_number;
use super::word::closest_priority;
use crate::completion::{Names, completer};

/// The subcommands of `jobs`.
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

    /// Say why a job is not running
    #[command(
        long_about = "Say why a job is not running\n\nPrints the one reason that counts now. Lines with \"then\" \
            say what else will keep the job once that reason is gone. Only reads. With --json: the job's status, the \
            reason with a stable code, and the others as \"also\".",
        after_help = "Example: longshore jobs explain 42"
    )]
    Explain(IdArgument),

    /// Show the output and log of a job's attempts
    #[command(
        long_about = "Show the output and log of a job's attempts\n\nOnly the beginning and the end of a long log are \
            kept; a line says how much was cut. With --follow and --json, each piece is one line of NDJSON.",
        after_help = "Example: longshore jobs logs 42 --follow"
    )]
    Logs {
        #[command(flatten)]
        job: IdArgument,

        /// Keep printing until the job has ended
        #[arg(long, short)]
        follow: bool,

        /// Only this attempt; the first is 1. If several have this number, as after a retry by hand, the newest
        #[arg(long, value_name = "N", value_parser = whole_number(1, u32::MAX), allow_negative_numbers = true)]
        attempt: Option<u32>,
    },

    /// Retry ended or retrying jobs now, with new budgets
    #[command(
        long_about = "Retry ended or retrying jobs now, with new budgets\n\nThe retry, crash and deferral counts \
            start again at \
            zero. Their history stays. A job whose parent has not completed becomes blocked again. Children that \
            became dead letters because of a job are retried with it, unless --alone is given. The next attempt \
            continues from the checkpoint and the finished steps, unless --from-start is given. --all without \
            --status takes retrying, cancelled and dead_letter jobs.",
        after_help = "Example: longshore jobs retry 42 43\n         longshore jobs retry --all --status dead_letter \
            --type mail --yes"
    )]
    Retry(RetryArguments<FilterArguments>),

    /// Cancel waiting jobs, and ask running jobs to stop
    #[command(after_help = "Example: longshore jobs cancel --all --queue mail --yes")]
    Cancel(TargetArguments<FilterArguments>),

    /// Delete jobs that are not running, with their history
    #[command(after_help = "Example: longshore jobs delete --all --status completed --yes")]
    Delete(TargetArguments<FilterArguments>),

    /// Change the priority of jobs that have not ended
    #[command(
        override_usage = "longshore jobs priority [OPTIONS] <ID> <N>\n       longshore jobs priority [OPTIONS] --all \
            <N>",
        after_help = "Example: longshore jobs priority 42 urgent\n         longshore jobs priority --all --type mail \
            low --yes"
    )]
    Priority(PriorityArguments),

    /// Change the payload, queue, type or time of a job that is not running
    #[command(
        long_about = "Change the payload, queue, type or time of a job that is not running\n\nThe job keeps its id, \
            history, \
            unique key and parent. A running, completed or cancelled job is refused and not changed. A dead letter \
            stays a dead letter: change its payload, queue or type, then run it with \"dead retry\". A retrying job is \
            retried at its new time. With --json it prints the job as \"jobs show\" does. See \"jobs priority\" \
            for the priority.",
        override_usage = "longshore jobs edit [OPTIONS] <ID> <--data <DATA>|--queue <NAME>|--type <TYPE>|--delay <DURATION>|\
            --at <INSTANT>>",
        after_help = "Example: longshore jobs edit 42 --data '{\"file\": \"b.jpg\"}' --queue slow\n         \
            longshore jobs edit 42 --delay 2h"
    )]
    Edit(EditArguments),

    /// Wait until a job has ended
    #[command(
        long_about = "Wait until a job has ended\n\nExits with 0 if the job completed, and with 3 if it \
            ended otherwise or did not end in time.",
        after_help = "Example: longshore jobs wait 42 --timeout 10m"
    )]
    Wait {
        #[command(flatten)]
        job: IdArgument,

        /// Wait at most this long, such as 30s [default: no limit]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        timeout: Option<Duration>,
    },
}

/// The arguments of `dead`.
#[derive(Debug, Args)]
pub(crate) struct DeadArguments {
    /// Without a subcommand, `dead` lists the dead letters.
    #[command(subcommand)]
    pub(crate) command: Option<DeadCommand>,
}

/// The subcommands of `dead`.
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

    /// Retry dead letters, with new budgets
    #[command(
        long_about = "Retry dead letters, with new budgets\n\nTheir history stays. A job whose parent has not \
            completed becomes blocked again. Children that became dead letters because of a job \
            are retried with it, unless --alone is given. The next attempt continues from the checkpoint and \
            the finished steps, unless --from-start is given.",
        after_help = "Example: longshore dead retry --all --type thumbnail --yes"
    )]
    Retry(RetryArguments<KindArguments>),

    /// Delete dead letters permanently
    #[command(after_help = "Example: longshore dead discard 42")]
    Discard(TargetArguments<KindArguments>),
}

/// One job.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct IdArgument {
    /// The job's id
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) id: JobId,
}

/// One job and its changes. clap requires at least one change.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true).args(["data", "queue", "job_type", "delay", "at"]))]
pub(crate) struct EditArguments {
    /// The job's id
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) id: JobId,

    /// The new payload as JSON; - for standard input, @FILE for a file
    #[arg(long, value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// Move it into this queue
    #[arg(long, value_name = "NAME", add = completer(Names::Queue))]
    pub(crate) queue: Option<String>,

    /// Give it this job type
    #[arg(long = "type", value_name = "TYPE", add = completer(Names::Type))]
    pub(crate) job_type: Option<String>,

    /// Do not start it before this much time has passed, such as 30s or 2h; 0s starts it now
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "at")]
    pub(crate) delay: Option<Duration>,

    /// Do not start it before this time, such as 2026-05-04T12:30:00Z
    #[arg(long, visible_alias = "run-at", value_name = "INSTANT")]
    pub(crate) at: Option<Timestamp>,
}

impl EditArguments {
    /// The new time, if one is given.
    pub(crate) fn due(&self) -> Option<Due> {
        self.at.map(Due::At).or(self.delay.map(Due::After))
    }
}

/// One page of a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArguments {
    /// Show at most this many jobs; the maximum is 1000
    #[arg(long, value_name = "N", default_value_t = Self::default().limit, value_parser = whole_number(1, 1000),
        allow_negative_numbers = true)]
    pub(crate) limit: u32,

    /// Continue after this cursor: the "next" of the page before
    #[arg(long, value_name = "CURSOR", allow_negative_numbers = true)]
    pub(crate) after: Option<PageCursor>,
}

impl Default for ListArguments {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

/// A job and its new priority. The last word is the priority, the one before it the job's id.
#[derive(Debug, Args)]
pub(crate) struct PriorityArguments {
    /// The job's id, then its priority: an integer, or low, normal, high, urgent or critical
    #[arg(value_names = ["ID", "N"], required = true, num_args = 1..=2, allow_negative_numbers = true)]
    words: Vec<String>,

    #[command(flatten)]
    scope: ScopeArguments<FilterArguments>,
}

/// The arguments are not a job id and a priority.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidPriorityWords {
    /// The job's id is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The priority is invalid.
    #[error("{source}{}", .meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    Priority {
        /// What is wrong with it.
        source: InvalidPriority,
        /// The name that was probably meant.
        meant: Option<&'static str>,
    },
    /// Both an id and `--all` were given.
    #[error("--all takes a priority only: remove the id")]
    IdWithAll,
    /// Only one word was given.
    #[error("expected a job id and its new priority, such as 42 high")]
    Missing,
}

impl PriorityArguments {
    /// Parses the words.
    pub(crate) fn read(self) -> Result<(TargetArguments<FilterArguments>, Priority), InvalidPriorityWords> {
        let (ids, priority) = match (self.scope.all, self.words.as_slice()) {
            (true, [priority]) => (Vec::new(), priority),
            (true, _) => return Err(InvalidPriorityWords::IdWithAll),
            (false, [id, priority]) => (vec![id.parse()?], priority),
            (false, _) => return Err(InvalidPriorityWords::Missing),
        };
        let unknown =
            |source: InvalidPriority| InvalidPriorityWords::Priority { meant: closest_priority(&source.word), source };
        let priority = priority.parse().map_err(unknown)?;
        Ok((TargetArguments { ids, scope: self.scope }, priority))
    }
}

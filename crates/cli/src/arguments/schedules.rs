use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use longshore_core::{Missed, Overlap, Priority, TickOutcome, Timestamp, parse_duration};

use super::value::whole_number;
use super::word::WordParser;
use crate::completion::{Names, completer};

/// The schedules, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct SchedulesArguments {
    /// Without a command, schedules are listed.
    #[command(subcommand)]
    pub(crate) command: Option<SchedulesCommand>,
}

/// The subcommands of `schedules`.
#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// List schedules with their next tick and what became of the last one
    #[command(after_help = "Example: longshore schedules list")]
    List,

    /// Show one schedule with all of its settings
    #[command(after_help = "Example: longshore schedules show nightly")]
    Show {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,
    },

    /// Show the next ticks, in the schedule's time zone and in UTC
    #[command(after_help = "Example: longshore schedules next nightly --count 10")]
    Next {
        /// The schedule [default: all]
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: Option<String>,

        /// Show this many ticks of each schedule
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole_number(1, 1000))]
        count: u32,

        /// Show only ticks before this time, such as 2026-05-04T12:30:00Z
        #[arg(long, value_name = "INSTANT")]
        until: Option<Timestamp>,
    },

    /// Show what became of each tick, newest first
    #[command(after_help = "Example: longshore schedules ticks nightly --outcome missed")]
    Ticks(TicksArguments),

    /// Add a schedule, or replace the one of this name
    #[command(
        long_about = "Add a schedule, or replace the one of this name\n\nIt starts now: there is no run for the past. A \
            setting of its jobs that is not given is taken from [jobs.TYPE] in the configuration file. Creates the \
            database if there is none.",
        after_help = "Example: longshore schedules add nightly --cron '30 2 * * mon-fri' --time-zone Europe/Berlin --type report"
    )]
    Add(Box<AddArguments>),

    /// Remove a schedule; its ticks and jobs stay
    #[command(after_help = "Example: longshore schedules remove nightly")]
    Remove {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,
    },

    /// Apply the schedules of the configuration file, as "work" and "up" do when they start
    #[command(
        long_about = "Apply the schedules of the configuration file, as \"work\" and \"up\" do when they start\n\nCreates \
            the database if there is none, except with --dry-run.",
        after_help = "Example: longshore schedules apply --prune --dry-run"
    )]
    Apply {
        /// Also remove schedules that came from a configuration file and are not in this one
        #[arg(long)]
        prune: bool,

        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },

    /// Make a job of a schedule now, whether it is due, paused, or its last job has not ended
    #[command(after_help = "Example: longshore schedules run nightly")]
    Run {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,
    },

    /// Make the jobs of ticks in the past that have none
    #[command(
        after_help = "Example: longshore schedules backfill nightly --from 2026-05-01T00:00:00Z --to 2026-05-04T00:00:00Z"
    )]
    Backfill {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,

        /// From this time on
        #[arg(long, value_name = "INSTANT")]
        from: Timestamp,

        /// Before this time
        #[arg(long, value_name = "INSTANT")]
        to: Timestamp,

        /// Only show the ticks
        #[arg(long)]
        dry_run: bool,
    },

    /// Skip the ticks of a schedule until it is resumed
    #[command(after_help = "Example: longshore schedules pause nightly --reason 'the warehouse is closed'")]
    Pause {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,

        /// Why, for those who wonder
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },

    /// Resume a schedule
    #[command(after_help = "Example: longshore schedules resume nightly --catch-up")]
    Resume {
        /// The schedule
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: String,

        /// Decide the ticks of the pause anew, as after downtime; otherwise they stay skipped
        #[arg(long)]
        catch_up: bool,
    },

    /// Check whether ticks were missed in the last day, or a job is overdue
    #[command(
        long_about = "Check whether ticks were missed in the last day, or a job is overdue\n\nExits with 3 if there is \
            something to tell, and with 0 otherwise.",
        after_help = "Example: longshore schedules check nightly || notify-the-operator"
    )]
    Check {
        /// The schedule [default: all]
        #[arg(value_name = "NAME", add = completer(Names::Schedule))]
        name: Option<String>,
    },
}

/// Whoever meets the pause must find more than a blank.
fn reason(word: &str) -> Result<String, &'static str> {
    if word.trim().is_empty() { Err("a pause needs a reason") } else { Ok(word.to_owned()) }
}

/// The arguments of `schedules ticks`.
#[derive(Debug, Args)]
pub(crate) struct TicksArguments {
    /// The schedule, also one that was removed
    #[arg(value_name = "NAME", add = completer(Names::Schedule))]
    pub(crate) name: String,

    /// Only ticks with this outcome; may be given several times
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',', value_parser = WordParser::<TickOutcome>::new())]
    pub(crate) outcome: Vec<TickOutcome>,

    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole_number(1, 1000))]
    pub(crate) limit: u32,

    /// Only ticks before this time: "next" of the page before
    #[arg(long, value_name = "INSTANT")]
    pub(crate) before: Option<Timestamp>,
}

/// The arguments of `schedules add`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("timing").required(true).args(["cron", "every"]))]
pub(crate) struct AddArguments {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The payload of its jobs as JSON; - for standard input, @FILE for a file [default: {}]
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// A cron expression: 5 fields, 6 with seconds first, or @daily and the like
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,

    /// Always after this span, such as 15m, counted from 1970-01-01T00:00:00Z
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) every: Option<Duration>,

    /// The job type
    #[arg(long = "type", value_name = "TYPE", add = completer(Names::Type))]
    pub(crate) job_type: String,

    /// The time zone, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,

    /// The queue of its jobs [default: default]
    #[arg(long, value_name = "NAME", add = completer(Names::Queue))]
    pub(crate) queue: Option<String>,

    /// An integer, or low, normal, high, urgent or critical; higher runs first [default: normal]
    #[arg(long, value_name = "N", allow_negative_numbers = true, hide_possible_values = true,
        value_parser = WordParser::<Priority>::new())]
    pub(crate) priority: Option<Priority>,

    /// Retry its jobs at most this many times after a failure
    #[arg(long, value_name = "N", value_parser = whole_number(0, u32::MAX), allow_negative_numbers = true)]
    pub(crate) max_retries: Option<u32>,

    /// Stop an attempt that runs longer than this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// What becomes of ticks that were due during a downtime [default: latest]
    #[arg(long, value_name = "RULE", value_parser = WordParser::<Missed>::new())]
    pub(crate) missed: Option<Missed>,

    /// With --missed all, make at most this many jobs [default: 100]
    #[arg(long, value_name = "N", value_parser = whole_number(0, u32::MAX), allow_negative_numbers = true)]
    pub(crate) catch_up_max: Option<u32>,

    /// A tick older than this makes no job [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) catch_up: Option<Duration>,

    /// A job made later than this is told as late [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) late_after: Option<Duration>,

    /// What a tick does while the last job has not ended [default: skip]
    #[arg(long, value_name = "RULE", value_parser = WordParser::<Overlap>::new())]
    pub(crate) overlap: Option<Overlap>,

    /// Delay each tick by an offset below this, the same on every host
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) jitter: Option<Duration>,

    /// Report the schedule as overdue if no job completes within this time after a tick
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expect_within: Option<Duration>,

    /// Add it paused
    #[arg(long)]
    pub(crate) paused: bool,
}

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use longshore_core::{BatchId, BatchStatus, Status, parse_duration};

use super::value::whole_number;
use super::word::WordParser;

/// The batches, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct BatchesArguments {
    /// Without a command, batches are listed.
    #[command(subcommand)]
    pub(crate) command: Option<BatchesCommand>,
}

/// The subcommands of `batches`.
#[derive(Debug, Subcommand)]
pub(crate) enum BatchesCommand {
    /// List batches, newest first
    #[command(after_help = "Example: longshore batches list --status running,failed")]
    List(BatchListArguments),

    /// Show one batch with its jobs and what they wait for
    #[command(
        long_about = "Show one batch with its jobs and what they wait for\n\nPrints the jobs as a tree: each stands \
            below the newest job that it waits for. Only reads.",
        after_help = "Example: longshore batches show 9\n         longshore batches show 9 --status dead_letter"
    )]
    Show {
        #[command(flatten)]
        batch: BatchArgument,

        /// Only jobs with these statuses, separated by commas
        #[arg(long, value_name = "STATUS", value_delimiter = ',', hide_possible_values = true,
            value_parser = WordParser::<Status>::new())]
        status: Option<Vec<Status>>,

        /// Show at most this many jobs
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole_number(1, 100_000))]
        limit: u32,
    },

    /// Wait until a batch has ended; exits with 0 if all its members completed, else with 3
    #[command(after_help = "Example: longshore batches wait 9 --timeout 1h && ./publish")]
    Wait {
        #[command(flatten)]
        batch: BatchArgument,

        /// Wait at most this long; 0s only looks
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        timeout: Option<Duration>,
    },

    /// Cancel the members that wait, and ask the running ones to stop
    #[command(after_help = "Example: longshore batches cancel 9")]
    Cancel(BatchArgument),

    /// Retry the members that are dead letters or were cancelled
    #[command(
        long_about = "Retry the members that are dead letters or were cancelled\n\nThe batch is running again until they \
            have ended. Jobs that were given up because of them come back, and so do callbacks that could no longer run.",
        after_help = "Example: longshore batches retry 9"
    )]
    Retry(BatchArgument),

    /// Close a batch: from now on only its running members can add jobs
    #[command(after_help = "Example: longshore batches close 9")]
    Close(BatchArgument),

    /// Add the jobs of a file to an open batch
    #[command(
        long_about = "Add the jobs of a file to an open batch\n\nThe file is as for \"longshore enqueue --batch\", \
            without a line for the batch. If one line is invalid, nothing is added. The program of a running member \
            may add jobs to its closed batch too.",
        after_help = "Example: longshore batches add 9 more.ndjson"
    )]
    Add {
        #[command(flatten)]
        batch: BatchArgument,

        /// The file (NDJSON; - for standard input)
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A batch.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct BatchArgument {
    /// The id of the batch
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) id: BatchId,
}

/// The arguments of `batches list`.
#[derive(Debug, Args)]
pub(crate) struct BatchListArguments {
    /// Only these statuses, separated by commas: open, running, completed, failed
    #[arg(long, value_name = "STATUS", value_delimiter = ',', hide_possible_values = true,
        value_parser = WordParser::<BatchStatus>::new())]
    pub(crate) status: Vec<BatchStatus>,

    /// List at most this many
    #[arg(long, value_name = "N", default_value_t = Self::LIMIT,
        value_parser = whole_number(1, 1000))]
    pub(crate) limit: u32,

    /// Only batches before this one, the "next" of another page
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub(crate) after: Option<BatchId>,
}

impl Default for BatchListArguments {
    fn default() -> Self {
        Self { status: Vec::new(), limit: Self::LIMIT, after: None }
    }
}

impl BatchListArguments {
    const LIMIT: u32 = 50;
}

/// The arguments of `signal`.
#[derive(Debug, Args)]
pub(crate) struct SignalArguments {
    /// The name of the signal
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What the waiting jobs are to know, as JSON; - for standard input, @FILE for a file
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// The batch whose jobs wait for it
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub(crate) batch: BatchId,
}

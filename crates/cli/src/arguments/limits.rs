use clap::{ArgGroup, Args, Subcommand};
use longshore_core::{KeyPointer, LimitSubject, Rate};

use super::value::whole_number;
use crate::completion::{Names, completer};

/// The limits, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct LimitsArguments {
    /// Without a command, limits are listed.
    #[command(subcommand)]
    pub(crate) command: Option<LimitsCommand>,
}

/// The subcommands of `limits`.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// List limits, with the jobs that run and wait under each
    #[command(after_help = "Example: longshore limits list --saturated")]
    List {
        /// Only those at which nothing can start now
        #[arg(long)]
        saturated: bool,

        /// Show at most this many
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole_number(1, 100_000))]
        limit: u32,
    },

    /// Show the limit of one type with its keys, or of one queue
    #[command(after_help = "Example: longshore limits show --type sync")]
    Show(SubjectArguments),

    /// Set a limit by hand; it wins over the configuration until it is unset
    #[command(
        long_about = "Set a limit by hand; it wins over the configuration until it is unset\n\nWhat is not given is not \
            limited. Running jobs continue; no other one starts before there is room.",
        after_help = "Example: longshore limits set --type sync --concurrency 50 --rate 1000/1m"
    )]
    Set(Box<SetArguments>),

    /// Remove the limit that was set by hand, so that the configured one holds again
    #[command(
        long_about = "Remove the limit that was set by hand, so that the configured one holds again\n\nIf none was set by \
            hand, removes the configured one, until a program that still has it starts.",
        after_help = "Example: longshore limits unset --type sync"
    )]
    Unset(SubjectArguments),
}

/// A type or a queue.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").required(true).args(["job_type", "queue"]))]
pub(crate) struct SubjectArguments {
    /// The job type
    #[arg(long = "type", value_name = "TYPE", add = completer(Names::Type))]
    pub(crate) job_type: Option<String>,

    /// The queue
    #[arg(long, value_name = "NAME", add = completer(Names::Queue))]
    pub(crate) queue: Option<String>,
}

impl SubjectArguments {
    pub(crate) fn subject(&self) -> LimitSubject {
        match (&self.job_type, &self.queue) {
            (None, Some(queue)) => LimitSubject::Queue(queue.clone()),
            (job_type, _) => LimitSubject::Type(job_type.clone().unwrap_or_default()),
        }
    }
}

/// The arguments of `limits set`.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,

    /// Run at most this many jobs at once, over all processes and hosts
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,

    /// Start at most this many attempts in a span, such as 1000/1m; retries count
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<Rate>,

    /// Start this many at once after a pause [default: 1]
    #[arg(long, value_name = "N", requires = "rate")]
    pub(crate) burst: Option<u32>,

    /// Where the payload has the key, as a JSON pointer such as /tenant_id; keys take turns
    #[arg(long, value_name = "POINTER")]
    pub(crate) key: Option<KeyPointer>,

    /// Run at most this many jobs of one key at once
    #[arg(long, value_name = "N", requires = "key")]
    pub(crate) key_concurrency: Option<u32>,

    /// Start at most this many attempts of one key in a span
    #[arg(long, value_name = "RATE", requires = "key")]
    pub(crate) key_rate: Option<Rate>,

    /// Give a key more turns than others, such as acme=3; may be given several times
    #[arg(long, value_name = "KEY=N", requires = "key", value_parser = weight)]
    pub(crate) weight: Vec<(String, u32)>,
}

fn weight(word: &str) -> Result<(String, u32), String> {
    let parsed = word.rsplit_once('=').and_then(|(key, weight)| Some((key.to_owned(), weight.parse().ok()?)));
    parsed.ok_or_else(|| format!("\"{word}\" is not a weight: write a key and a number, such as acme=3"))
}

//! What can be said on the command line, apart from what it means.

mod adopt;
mod enqueue;
mod filter;
mod jobs;
mod migrate;
mod queues;
mod value;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::adopt::AdoptArguments;
pub(crate) use self::enqueue::EnqueueArguments;
pub(crate) use self::filter::{TargetArguments, ToFilter};
pub(crate) use self::jobs::{DeadCommand, EditArguments, InvalidPriorityWords, JobsCommand, ListArguments};
pub(crate) use self::migrate::{CareArguments, MarkArguments, MigrateArguments, MigrateCommand, RunArguments};
pub(crate) use self::queues::QueuesCommand;
pub(crate) use self::value::CONCURRENCY_MAX;
pub(crate) use self::work::WorkArguments;

/// Run durable background jobs on the database that an application already has
#[derive(Debug, Parser)]
#[command(
    name = "longshore",
    version,
    disable_help_subcommand = true,
    infer_subcommands = false,
    max_term_width = 100,
    after_help = "Example: longshore enqueue thumbnail '{\"file\": \"a.jpg\"}' && longshore work --drain"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading of the options that every command has.
pub(crate) const EVERYWHERE: &str = "Everywhere";

/// What every command accepts.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub(crate) struct Globals {
    /// Use this database: sqlite:PATH or a bare path [else LONGSHORE_DATABASE, `database` in the configuration,
    /// DATABASE_URL; the variables also from .env; default: sqlite:longshore.db]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) database: Option<OsString>,

    /// Read this configuration file [else LONGSHORE_CONFIG; default: longshore.toml where there is one]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Print one JSON document, errors too, and nothing else on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say less on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on standard error; twice for all there is
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Migrate, then run jobs until a signal
    #[command(
        long_about = "Migrate, then run jobs until a signal\n\nCreates the database where there is none and applies \
            what is pending of the queue's own migrations. A database whose history or schema is not understood is \
            left alone (exit 4 or 5, with the command that mends it).",
        after_help = "Example: longshore up --concurrency 8"
    )]
    Up(WorkArguments),

    /// Run jobs of the types in the configuration file
    #[command(
        long_about = "Run jobs of the types in the configuration file\n\nThe first SIGTERM, SIGINT or SIGHUP \
            stops claiming and gives running jobs the grace period to end (30s unless [worker] grace says otherwise). \
            A program gets SIGTERM when the grace period is nearly over, or at once if its type has \
            on_shutdown = \"terminate\", and then SIGKILL. A job that has not ended is given back unspent. A second \
            signal ends everything at once.\n\nLog lines on standard error may be lost when nobody reads them; jobs \
            never are. A database whose schema is not understood is left alone (exit 5 or 4).",
        after_help = "Example: longshore work --queue media:2 --queue mail --drain"
    )]
    Work(WorkArguments),

    /// Enqueue one job, or a file of them
    Enqueue(EnqueueArguments),

    /// Look at jobs, and move them by hand
    #[command(subcommand, after_help = "Example: longshore jobs list --status retrying")]
    Jobs(JobsCommand),

    /// Look after the jobs that were given up
    #[command(subcommand, after_help = "Example: longshore dead retry --all --type thumbnail --yes")]
    Dead(DeadCommand),

    /// Look at queues, pause and resume them
    #[command(subcommand, after_help = "Example: longshore queues pause mail")]
    Queues(QueuesCommand),

    /// Show who works, since when, and on what
    #[command(after_help = "Example: longshore workers --json")]
    Workers,

    /// Look for what goes wrong in practice, and say what to do
    #[command(
        long_about = "Look for what goes wrong in practice, and say what to do\n\nChanges nothing. Exit 0 when all is \
            well, 3 with a finding, 5 or 4 when the schema or the migrations' history is not understood.",
        after_help = "Example: longshore doctor || notify-the-operator"
    )]
    Doctor,

    /// Create and change the schema, and mend its history
    Migrate(MigrateArguments),

    /// Take over a job table made by another program, beside its own migration manager
    Adopt(AdoptArguments),

    /// Measure this machine and print ratios
    #[command(after_help = "Example: longshore bench --jobs 50000 --json")]
    Bench(BenchArguments),

    /// Print completions for a shell
    #[command(
        after_help = "Example: longshore completions bash > ~/.local/share/bash-completion/completions/longshore"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page
    #[command(after_help = "Example: longshore man | man -l -")]
    Man,

    /// Print the reference of all commands as Markdown
    #[command(hide = true)]
    Reference,
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Drain this many jobs
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) jobs: u64,

    /// What a commit survives: full a power cut, normal the death of the process
    #[arg(long, default_value = "full")]
    pub(crate) durability: Durability,

    /// Make the files here, on the file system that is to be measured, and remove them again
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// A power cut
    Full,
    /// The death of every process
    Normal,
}

impl From<Durability> for longshore_sqlite::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Full => Self::Full,
            Durability::Normal => Self::Normal,
        }
    }
}

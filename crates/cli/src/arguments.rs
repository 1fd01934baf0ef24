//! The command-line arguments as clap parses them. `commands` carries them out.

mod adopt;
mod audit;
mod batches;
mod enqueue;
mod filter;
mod jobs;
mod limits;
mod migrate;
mod moving;
mod queues;
mod schedules;
#[cfg(feature = "web")]
mod serve;
#[cfg(feature = "web")]
mod token;
mod value;
mod word;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};
use longshore_core::parse_duration;

use self::value::one_or_more;

pub(crate) use self::adopt::AdoptArguments;
pub(crate) use self::audit::AuditArguments;
pub(crate) use self::batches::{BatchListArguments, BatchesArguments, BatchesCommand, SignalArguments};
pub(crate) use self::enqueue::EnqueueArguments;
pub(crate) use self::filter::{KindArguments, TargetArguments, ToFilter};
pub(crate) use self::jobs::{
    DeadArguments, DeadCommand, EditArguments, InvalidPriorityWords, JobsCommand, ListArguments,
};
pub(crate) use self::limits::{LimitsArguments, LimitsCommand, SetArguments};
pub(crate) use self::migrate::{CareArguments, MarkArguments, MigrateArguments, MigrateCommand, RunArguments};
pub(crate) use self::moving::MoveArguments;
pub(crate) use self::queues::{QueuesArguments, QueuesCommand};
pub(crate) use self::schedules::{AddArguments, SchedulesArguments, SchedulesCommand, TicksArguments};
#[cfg(feature = "web")]
pub(crate) use self::serve::{
    BesideWorkArguments, LISTEN, ServeArguments, SiteArguments, base_path, host_name, listen_address,
};
#[cfg(feature = "web")]
pub(crate) use self::token::TokenCommand;
pub(crate) use self::value::{CONCURRENCY_MAX, QueueSlots};
pub(crate) use self::work::{UpArguments, WorkArguments};

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

/// The options that every command accepts.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub(crate) struct Globals {
    /// Use this database: sqlite:PATH, a bare path or postgres://… [else LONGSHORE_DATABASE, else `database` in the
    /// configuration file, else DATABASE_URL; the variables are also read from .env; default: sqlite:longshore.db]
    #[arg(long, value_name = "URL", global = true, value_hint = ValueHint::FilePath)]
    pub(crate) database: Option<OsString>,

    /// Read this configuration file [else LONGSHORE_CONFIG; default: longshore.toml, if it exists]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Print exactly one JSON document on standard output, also for an error
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print less on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print more on standard error; give it twice to print everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply migrations, then run jobs and serve the HTTP API and the dashboard until a signal arrives
    #[command(
        long_about = "Apply migrations, then run jobs and serve the HTTP API and the dashboard until a signal arrives\n\nCreates the database if there is \
            none, and applies \
            the pending migrations of the queue's own tables. Claims nothing if the migration history is broken or \
            the schema is not the expected one: exits with 4 or 5 and prints the command that fixes it.",
        after_help = "Example: longshore up --concurrency 8 --listen 127.0.0.1:7070"
    )]
    Up(UpArguments),

    /// Run jobs of the types in the configuration file
    #[command(
        long_about = "Run jobs of the types in the configuration file\n\nThe first SIGTERM, SIGINT or SIGHUP \
            stops claiming, and running jobs get the grace period to finish (default 30s, [worker] grace). \
            A command job gets SIGTERM shortly before the grace period ends, or at once if its type has \
            on_shutdown = \"terminate\", and then SIGKILL. A job that has not finished is returned to the queue; the \
            attempt is not counted. A second signal ends everything at once.\n\nIf nobody reads standard error, log \
            lines may be lost, but jobs never are. Creates the database if there is none, unless the configuration \
            declares nothing to run. Claims nothing if the schema is not the expected one (exit 5) or \
            the \
            migration history is broken (exit 4).",
        after_help = "Example: longshore work --queue media:2 --queue mail --drain"
    )]
    Work(WorkArguments),

    /// Serve the HTTP API, the dashboard and the metrics
    #[cfg(feature = "web")]
    #[command(
        long_about = "Serve the HTTP API, the dashboard and the metrics\n\nThe API is under /api/v1, the metrics are at \
            /metrics, and /healthz and /readyz say whether the server and the database answer. On a loopback address, \
            whoever can connect may do everything, as with the database itself; a request with a token has only the \
            rights of that token. Any other address, and a host name given with --host, needs a token: see \"longshore \
            token add\". Creates the database if there is none. Runs no jobs; ends on SIGTERM, SIGINT or SIGHUP.",
        after_help = "Example: longshore serve --listen 127.0.0.1:7070"
    )]
    Serve(ServeArguments),

    /// Add, list and revoke access tokens for the HTTP API and the dashboard
    #[cfg(feature = "web")]
    #[command(subcommand, after_help = "Example: longshore token add prometheus --scope read")]
    Token(TokenCommand),

    /// List what was changed by hand: who, through what, when, and with what result
    #[command(
        long_about = "List what was changed by hand: who, through what, when, and with what result\n\nThe command line, \
            the HTTP API and the dashboard note every change of jobs, queues, schedules, limits, batches and tokens before \
            they make it, and what became of it. Enqueued jobs are not listed, and migrations have a history of their own: \
            see \"longshore migrate history\". Entries are kept for 400 days.",
        after_help = "Example: longshore audit --action pause"
    )]
    Audit(AuditArguments),

    /// Enqueue one job, or a file of jobs
    #[command(
        long_about = "Enqueue one job, or a file of jobs\n\nPrints the id; with --json the job. An option that is not \
            given is taken from [jobs.TYPE] in the configuration file. Creates the database if there is none."
    )]
    Enqueue(EnqueueArguments),

    /// List, show, retry, cancel, edit and delete jobs
    #[command(subcommand, after_help = "Example: longshore jobs list --status retrying")]
    Jobs(JobsCommand),

    /// List, show, retry and discard dead letters
    #[command(
        long_about = "List, show, retry and discard dead letters\n\nA dead letter is a job that will not be retried. Without \
            a subcommand, lists the newest ones.",
        after_help = "Example: longshore dead retry --all --type thumbnail --yes"
    )]
    Dead(DeadArguments),

    /// List, pause and resume queues
    #[command(
        long_about = "List, pause and resume queues\n\nWithout a subcommand, lists them.",
        after_help = "Example: longshore queues pause mail"
    )]
    Queues(QueuesArguments),

    /// List, set and unset limits of types, queues and keys
    #[command(
        long_about = "List, set and unset limits of types, queues and keys\n\nLimits are declared under [jobs.TYPE] and \
            [queues.NAME] in the configuration file, in the code of a worker, or set here. They hold over all processes \
            and hosts. Without a subcommand, lists them.",
        after_help = "Example: longshore limits list --saturated"
    )]
    Limits(LimitsArguments),

    /// Run jobs at times, and show what became of each tick
    #[command(
        long_about = "Run jobs at times, and show what became of each tick\n\nSchedules are declared under \
            [schedules.NAME] in the configuration file, in the code of a worker, or added here. Every worker on the \
            database makes their jobs. Without a subcommand, lists them.",
        after_help = "Example: longshore schedules next nightly"
    )]
    Schedules(SchedulesArguments),

    /// List, show, wait for, cancel, retry and grow batches of jobs
    #[command(
        long_about = "List, show, wait for, cancel, retry and grow batches of jobs\n\nA batch is made by \"longshore \
            enqueue --batch\" or by the library. It ends when it is closed and all its members have ended: completed if all \
            of them completed, else failed. Without a subcommand, lists the newest ones.",
        after_help = "Example: longshore batches show 9"
    )]
    Batches(BatchesArguments),

    /// Send a signal to a batch, for which jobs of it wait
    #[command(
        long_about = "Send a signal to a batch, for which jobs of it wait\n\nThe first signal of a name counts, also for \
            jobs that begin to wait later. DATA is shown to them among their dependencies.",
        after_help = "Example: longshore signal approved --batch 9 '{\"by\": \"ada\"}'"
    )]
    Signal(SignalArguments),

    /// Show a summary on one screen
    #[command(
        long_about = "Show a summary on one screen\n\nShows the depth of each queue, what ended in the last hour, the \
            workers, the next scheduled job, and the findings of \"doctor\". Only reads.",
        after_help = "Example: longshore status"
    )]
    Status,

    /// Show the summary live, in a full-screen terminal
    #[command(
        long_about = "Show the summary live, in a full-screen terminal\n\nShows queues and jobs, and reads the \
            database about twice a second. Press ? for the keys: pause or resume a queue, retry or cancel a job, \
            look into a job and follow its log. Cancelling a job, and running a completed one again, asks first. Use \
            \"longshore status\" without a terminal.",
        after_help = "Example: longshore top"
    )]
    Top,

    /// List workers, when they started, and which jobs they run
    #[command(after_help = "Example: longshore workers --json")]
    Workers,

    /// Check for common problems and suggest fixes
    #[command(
        long_about = "Check for common problems and suggest fixes\n\nChanges nothing. Looks at the schema of the queue, \
            and at your own migrations if there is a directory of them. Exits with 0 if there is no problem, 3 if \
            there is one, 5 if the schema is not the expected one, and 4 if the migration history is broken.",
        after_help = "Example: longshore doctor || notify-the-operator"
    )]
    Doctor,

    /// Create, change and repair the schema
    #[command(
        long_about = "Create, change and repair the schema\n\nThere are two sources: longshore, built into the binary \
            (the queue's own tables), and app, your own directory of NUMBER_name.up.sql and .down.sql. A migration is \
            named SOURCE:NUMBER, or only NUMBER if just one source has that number."
    )]
    Migrate(MigrateArguments),

    /// Take over a job table made by another program, beside its own migration manager
    Adopt(AdoptArguments),

    /// Move a running queue between SQLite and PostgreSQL
    #[command(
        long_about = "Move a running queue between SQLite and PostgreSQL\n\nTakes every job that has not ended, and dead letters, \
            with ids, attempts, logs, unique keys and times to a database without jobs, which gets the queue's tables if it \
            has none. Batches, schedules, limits with what their rates have spent, settings, paused queues and access tokens \
            move too, and take the place of those in the new database; the audit trail stays. From the beginning on, the old database refuses new jobs and gives none to workers; running ones get \
            the grace period to end, then they are taken back and not counted. Everything is compared, then the queue is in \
            the new database alone, and the old one tells everybody where it is. If the command is interrupted, the same \
            command carries on, and --undo gives the old database its queue back, as long as the switch has not been made.",
        after_help = "Example: longshore move --from sqlite:longshore.db --to postgres://localhost/app --dry-run"
    )]
    Move(MoveArguments),

    /// Measure this machine and print ratios
    #[command(after_help = "Example: longshore bench --jobs 50000 --json")]
    Bench(BenchArguments),

    /// Print the completion script for a shell
    #[command(
        long_about = "Print the completion script for a shell\n\nThe script completes commands, options and their \
            values. The names of queues and types come from the configuration and the database that the line \
            names.",
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

/// The arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Run this many jobs in each measurement
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = one_or_more)]
    pub(crate) jobs: u64,

    /// Measure the drain also with this many jobs waiting, with this many ended, and with half as many behind limits
    /// [default: ten times --jobs]
    #[arg(long, value_name = "N")]
    pub(crate) backlog: Option<u64>,

    /// Repeat the measurements this often, and print the median of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = one_or_more)]
    pub(crate) rounds: u64,

    /// On PostgreSQL, run at full load for this long while another session holds a snapshot
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "20s")]
    pub(crate) held_snapshot: Duration,

    /// What a commit survives: full = a power cut, normal = a crash of the process only
    #[arg(long, default_value = "full")]
    pub(crate) durability: Durability,

    /// Create the test databases in this folder, and remove them afterwards; measures its file system
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// A power cut
    Full,
    /// A crash of every process, but not a power cut
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

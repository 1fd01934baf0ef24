use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};

use longshore::InvalidDatabaseUrl;
use longshore_core::{Actioned, BatchId, InvalidJob, InvalidJobData, JobId, Refusal, Status};
use thiserror::Error;

use crate::arguments::InvalidPriorityWords;
use crate::exit::Exit;
use crate::output::table::count_jobs;

/// Why a command failed, apart from errors of the database or a migration. Nothing was changed, unless the variant says
/// otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// A job id or its priority is missing or invalid.
    #[error(transparent)]
    PriorityWords(#[from] InvalidPriorityWords),
    /// The address is one that other machines can reach, or a host name was given, and there is no token.
    #[error("{listen} can be reached by others, or a host name was given, and the database has no access token")]
    ServeWithoutToken {
        /// The address.
        listen: SocketAddr,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// A token of this name exists.
    #[error("there is a token {name:?} already")]
    TokenExists {
        /// The name.
        name: String,
    },
    /// No token has this name.
    #[error("there is no token {name:?}{}", similar.as_ref().map(|similar| format!("; did you mean {similar}?")).unwrap_or_default())]
    NoSuchToken {
        /// The name that was given.
        name: String,
        /// The name that was probably meant.
        similar: Option<String>,
    },
    /// Both ids and `--all` were given.
    #[error("ids cannot be combined with --all")]
    IdsWithAll,
    /// A filter was given together with ids.
    #[error("--status, --type, --queue, --failure-type and --reason need --all and cannot be combined with ids")]
    FilterWithIds,
    /// The database URL is invalid.
    #[error("{source} (from {origin})")]
    DatabaseUrl {
        /// What is wrong with it.
        source: InvalidDatabaseUrl,
        /// Where the URL comes from.
        origin: &'static str,
    },
    /// The URL of a database in the configuration is invalid.
    #[error("database {name}: {source}")]
    NamedDatabaseUrl {
        /// The name of the database.
        name: String,
        /// What is wrong with it.
        source: InvalidDatabaseUrl,
    },
    /// A database in the configuration has no URL.
    #[error("database {name} has no URL: neither url under [databases.{name}] nor {variable} is set")]
    DatabaseWithoutUrl {
        /// The name of the database.
        name: String,
        /// The environment variable that may hold it.
        variable: String,
    },
    /// A path is not UTF-8, but must be passed as text.
    #[error("{what} is not UTF-8")]
    NotText {
        /// What the path names.
        what: &'static str,
    },
    /// Something was changed, but the result could not be printed.
    #[error("{done}, but the result could not be printed: {source}")]
    Untold {
        /// What was done.
        done: String,
        /// Why it could not be printed.
        source: anyhow::Error,
    },
    /// The configuration file is invalid.
    #[error("{}, line {line}: {problem}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// What a job type names outside of the configuration file is missing or invalid.
    #[error("{}, line {line}: {problem}", .path.display())]
    JobSetting {
        /// The configuration file.
        path: PathBuf,
        /// The line of the key, or of the job type; the first is 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file that was named cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The `.env` file has an invalid line.
    #[error(".env cannot be read: {source}")]
    Dotenv {
        /// The parser's error.
        source: dotenvy::Error,
    },
    /// The payload is not JSON, or not JSON that every reader can parse.
    #[error("{origin} is {source}")]
    Payload {
        /// What is wrong with it.
        source: InvalidJobData,
        /// Where the payload comes from.
        origin: PayloadOrigin,
    },
    /// The payload is not UTF-8.
    #[error("{origin} is not UTF-8")]
    PayloadEncoding {
        /// Where the payload comes from.
        origin: PayloadOrigin,
    },
    /// The payload is longer than the limit.
    #[error("{origin} has more than {max} bytes")]
    PayloadTooLong {
        /// Where the payload comes from.
        origin: PayloadOrigin,
        /// The limit in bytes.
        max: usize,
    },
    /// The job is invalid.
    #[error(transparent)]
    Job(#[from] InvalidJob),
    /// A key has two weights.
    #[error("the weight of {key} is given twice")]
    RepeatedWeight {
        /// The key.
        key: String,
    },
    /// A queue was given twice, perhaps with two numbers of jobs.
    #[error("queue {queue} is given twice")]
    RepeatedQueue {
        /// The queue.
        queue: String,
    },
    /// There is no schedule of this name.
    #[error("there is no schedule {name:?}{}", similar.as_ref().map(|similar| format!("; did you mean {similar}?")).unwrap_or_default())]
    NoSuchSchedule {
        /// The name.
        name: String,
        /// A schedule with a similar name.
        similar: Option<String>,
    },
    /// A type or queue has no limit.
    #[error("{subject} has no limit")]
    NoSuchLimit {
        /// What it is about.
        subject: String,
    },
    /// A line of a batch is invalid. No job was enqueued.
    #[error("{input}, line {line}: {problem}")]
    Line {
        /// The file.
        input: String,
        /// The line; the first is 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The batch does not exist.
    #[error("there is no batch {id}")]
    NoSuchBatch {
        /// The batch.
        id: BatchId,
    },
    /// The job does not exist.
    #[error("there is no job {id}")]
    NoSuchJob {
        /// The job.
        id: JobId,
    },
    /// The job exists, but is not a dead letter.
    #[error("job {id} is {status}, not a dead letter")]
    NotADeadLetter {
        /// The job.
        id: JobId,
        /// Its status.
        status: Status,
    },
    /// Some of the listed jobs could not be changed. The others were changed.
    #[error("cannot {verb}: {}", refusals(.actioned))]
    NotMoved {
        /// The verb.
        verb: &'static str,
        /// The result for each job.
        actioned: Actioned,
    },
    /// The command would change many jobs, needs a confirmation, and there is no terminal.
    #[error("this would {verb} {} and needs a confirmation, but there is no terminal", count_jobs(*.jobs))]
    Unconfirmed {
        /// The verb.
        verb: &'static str,
        /// The number of jobs.
        jobs: u64,
    },
    /// The configuration declares nothing that a worker could do.
    #[error("no job type is declared, so this worker could never run a job")]
    NoJobTypes,
    /// It declares only types whose jobs other programs run.
    #[error("other programs run the jobs of {others}, so this worker could never run a job")]
    NoOwnJobTypes {
        /// The names of some of them.
        others: String,
    },
    /// A full-screen command has no terminal, or must print JSON.
    #[error("this command needs a terminal, and prints no JSON")]
    NeedsTerminal,
}

/// Where a payload comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PayloadOrigin {
    /// The argument itself.
    Argument,
    /// Standard input.
    StandardInput,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for PayloadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("the payload"),
            Self::StandardInput => write!(f, "the payload on {}", CommandError::STANDARD_INPUT),
            Self::File(path) => write!(f, "the payload in {}", path.display()),
        }
    }
}

impl CommandError {
    /// The name of standard input in messages.
    pub(crate) const STANDARD_INPUT: &str = "standard input";

    /// The code of the only error that is reported after a change was made.
    pub(crate) const RESULT_NOT_PRINTED: &str = "result_not_printed";

    /// Wraps an error from printing the result: the message says that `done` has happened. A closed reader (`| head`)
    /// is not an error.
    pub(crate) fn after<T>(done: impl fmt::Display, told: Result<T, impl Into<anyhow::Error>>) -> anyhow::Result<T> {
        told.map_err(|error| {
            let source = error.into();
            let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
            if kind == Some(io::ErrorKind::BrokenPipe) {
                return source;
            }
            Self::Untold { done: done.to_string(), source }.into()
        })
    }

    /// The exit code.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::PriorityWords(_)
            | Self::IdsWithAll
            | Self::FilterWithIds
            | Self::RepeatedWeight { .. }
            | Self::RepeatedQueue { .. }
            | Self::DatabaseUrl { .. }
            | Self::NamedDatabaseUrl { .. }
            | Self::DatabaseWithoutUrl { .. }
            | Self::NotText { .. }
            | Self::Config { .. }
            | Self::JobSetting { .. }
            | Self::Unreadable { .. }
            | Self::Dotenv { .. }
            | Self::Payload { .. }
            | Self::PayloadEncoding { .. }
            | Self::PayloadTooLong { .. }
            | Self::Line { .. }
            | Self::NeedsTerminal
            | Self::NoJobTypes
            | Self::NoOwnJobTypes { .. }
            | Self::ServeWithoutToken { .. }
            | Self::Job(_) => Exit::Usage,
            Self::Untold { .. }
            | Self::NoSuchJob { .. }
            | Self::NoSuchBatch { .. }
            | Self::NoSuchSchedule { .. }
            | Self::NoSuchLimit { .. }
            | Self::Listen { .. }
            | Self::TokenExists { .. }
            | Self::NoSuchToken { .. }
            | Self::NotADeadLetter { .. }
            | Self::NotMoved { .. } => Exit::Failed,
            Self::Unconfirmed { .. } => Exit::Refused,
        }
    }

    /// A stable code for scripts.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::PriorityWords(_)
            | Self::IdsWithAll
            | Self::FilterWithIds
            | Self::RepeatedWeight { .. }
            | Self::RepeatedQueue { .. } => "usage",
            Self::DatabaseUrl { source, .. } | Self::NamedDatabaseUrl { source, .. } => source.code(),
            Self::NotText { .. } => "not_utf8",
            Self::Untold { .. } => Self::RESULT_NOT_PRINTED,
            Self::Config { .. } | Self::JobSetting { .. } | Self::DatabaseWithoutUrl { .. } => "invalid_config",
            Self::Unreadable { .. } => "unreadable_file",
            Self::Dotenv { .. } => "invalid_dotenv",
            Self::Payload { .. } | Self::PayloadEncoding { .. } | Self::PayloadTooLong { .. } | Self::Job(_) => {
                "invalid_job"
            }
            Self::Line { .. } => "invalid_line",
            Self::NoSuchBatch { .. } => "no_such_batch",
            Self::NoSuchJob { .. } => "no_such_job",
            Self::NoSuchSchedule { .. } => "no_such_schedule",
            Self::NoSuchLimit { .. } => "no_such_limit",
            Self::ServeWithoutToken { .. } => "no_token",
            Self::Listen { .. } => "cannot_listen",
            Self::TokenExists { .. } => "token_exists",
            Self::NoSuchToken { .. } => "no_such_token",
            Self::NotADeadLetter { .. } => "not_a_dead_letter",
            Self::NotMoved { .. } => "not_moved",
            Self::Unconfirmed { .. } => "not_confirmed",
            Self::NoJobTypes | Self::NoOwnJobTypes { .. } => "no_job_types",
            Self::NeedsTerminal => "no_terminal",
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::PriorityWords(_) | Self::IdsWithAll | Self::FilterWithIds => {
                "add --help to the command to see what it accepts"
            }
            Self::RepeatedWeight { .. } => "give each key one --weight",
            Self::RepeatedQueue { .. } => "give each queue one --queue",
            Self::DatabaseUrl { source, .. } | Self::NamedDatabaseUrl { source, .. } => source.hint(),
            Self::DatabaseWithoutUrl { .. } => "set one of them, such as url = \"postgres://host/jobs\"",
            Self::NotText { .. } => "rename it, or name a symbolic link to it whose path is UTF-8",
            Self::Untold { .. } => "do not run the command again; check why standard output cannot be written",
            Self::Config { .. } => "correct that line, or name another file with --config",
            Self::JobSetting { .. } => "correct it, in the configuration file, the environment or .env",
            Self::Unreadable { path, .. } if path.as_os_str() == Self::STANDARD_INPUT => {
                "check the program or file that feeds standard input"
            }
            Self::Unreadable { .. } => "check the path and its permissions",
            Self::Dotenv { .. } => "correct that line, or name the database with --database",
            Self::Payload { source: InvalidJobData::LoneSurrogate { .. }, .. } => {
                "write both halves, such as \\ud83d\\ude00, or the character itself"
            }
            Self::Payload { source: InvalidJobData::TooDeep, .. } => {
                "flatten it, or store the data elsewhere and enqueue a reference to it"
            }
            Self::Payload { origin: PayloadOrigin::File(_), .. } => "correct the file and enqueue it again",
            Self::Payload { origin: PayloadOrigin::StandardInput, .. } => {
                "correct the program or file that feeds \
            standard input"
            }
            Self::Payload { .. } => "quote it for the shell, such as '{\"file\": \"a.jpg\"}', or pass it as @FILE",
            Self::PayloadEncoding { .. } => "encode text as UTF-8 and binary data as base64",
            Self::PayloadTooLong { .. } => "store the data elsewhere and enqueue a reference to it",
            Self::Job(_) => "see \"longshore enqueue --help\"",
            Self::Line { .. } => "no job was enqueued; correct that line and enqueue the whole file again",
            Self::ServeWithoutToken { .. } => "add one first, such as \"longshore token add NAME --scope operate\"",
            Self::Listen { .. } => "name a free address with --listen ADDR:PORT",
            Self::TokenExists { .. } => "choose another name, or revoke it first with \"longshore token revoke NAME\"",
            Self::NoSuchToken { .. } => "list them with \"longshore token list\"",
            Self::NoSuchSchedule { .. } => "list them with \"longshore schedules list\"",
            Self::NoSuchBatch { .. } => "list the batches with \"longshore batches list\"",
            Self::NoSuchLimit { .. } => "list them with \"longshore limits list\"",
            Self::NoSuchJob { .. } => "list the jobs with \"longshore jobs list\"",
            Self::NotADeadLetter { .. } => "\"longshore jobs\" works on jobs in any state",
            Self::NotMoved { actioned, .. } if actioned.touched == 0 => {
                "nothing was changed; see the state of a job with \"longshore jobs show ID\""
            }
            Self::NotMoved { .. } => {
                "the other jobs were changed; see the state of a job with \"longshore jobs show ID\""
            }
            Self::Unconfirmed { .. } => "add --yes to confirm",
            Self::NoJobTypes => {
                "declare [jobs.NAME] with run = [\"PROGRAM\"], serve = [\"PROGRAM\"] or post = \"URL\" in longshore.toml"
            }
            Self::NoOwnJobTypes { .. } => {
                "start \"longshore serve\" or \"longshore up\", from which workers over HTTP get their jobs; to run a type \
                 here, declare run = [\"PROGRAM\"], serve = [\"PROGRAM\"] or post = \"URL\" for it"
            }
            Self::NeedsTerminal => "\"longshore status\" prints the same once, with --json as JSON",
        }
    }
}

/// How many refused jobs are listed in the message.
const REFUSALS_TOLD_MAX: usize = 5;

fn refusals(actioned: &Actioned) -> String {
    let told: Vec<String> = actioned.refused.iter().take(REFUSALS_TOLD_MAX).map(Refusal::to_string).collect();
    let mut text = told.join("; ");
    let rest = actioned.refused.len().saturating_sub(REFUSALS_TOLD_MAX);
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    text
}

use std::path::PathBuf;
use std::{fmt, io};

use longshore::InvalidDatabaseUrl;
use longshore_core::{Actioned, InvalidJob, InvalidJobData, JobId, Refusal, Status};
use thiserror::Error;

use crate::arguments::InvalidPriorityWords;
use crate::exit::Exit;
use crate::output::table::count_jobs;

/// What a command could not do, apart from what the database or a migration says. Nothing was changed, unless the
/// variant says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// A job and its priority are not both there.
    #[error(transparent)]
    PriorityWords(#[from] InvalidPriorityWords),
    /// Jobs are named, and all jobs are meant.
    #[error("ids and --all exclude each other")]
    IdsWithAll,
    /// A filter narrows nothing.
    #[error("--status, --type, --queue, --failure-type and --reason narrow --all, and named jobs need no filter")]
    FilterWithIds,
    /// What names the database does not.
    #[error("{source} (from {origin})")]
    DatabaseUrl {
        /// What is wrong with it.
        source: InvalidDatabaseUrl,
        /// Where it stands.
        origin: &'static str,
    },
    /// A path is not UTF-8 where only text can name it.
    #[error("{what} is not UTF-8")]
    NotText {
        /// Which text.
        what: &'static str,
    },
    /// Something was changed, and then its result could not be told.
    #[error("{done}, but the result could not be printed: {source}")]
    Untold {
        /// What was done.
        done: String,
        /// Why it could not be told.
        source: anyhow::Error,
    },
    /// The configuration file is there and says something wrong.
    #[error("{}, line {line}: {problem}", .path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// Where, from one.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file that was named cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The `.env` file has a line that is no assignment.
    #[error(".env cannot be read: {source}")]
    Dotenv {
        /// What the reader says.
        source: dotenvy::Error,
    },
    /// The payload is no JSON, or none that every reader can read.
    #[error("{origin} is {source}")]
    Payload {
        /// What is wrong with it.
        source: InvalidJobData,
        /// Where it stands.
        origin: PayloadOrigin,
    },
    /// The payload is no text.
    #[error("{origin} is not UTF-8")]
    PayloadEncoding {
        /// Where it stands.
        origin: PayloadOrigin,
    },
    /// The payload is longer than any store accepts.
    #[error("{origin} has more than {max} bytes")]
    PayloadTooLong {
        /// Where it stands.
        origin: PayloadOrigin,
        /// The most that is accepted.
        max: usize,
    },
    /// The job is not acceptable.
    #[error(transparent)]
    Job(#[from] InvalidJob),
    /// A line of a batch is off; not one of its jobs was enqueued.
    #[error("{input}, line {line}: {problem}")]
    Line {
        /// Which file.
        input: String,
        /// Which line, from one.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// There is no such job.
    #[error("there is no job {id}")]
    NoSuchJob {
        /// The job.
        id: JobId,
    },
    /// The job is there, but was not given up.
    #[error("job {id} is {status}, not a dead letter")]
    NotADeadLetter {
        /// The job.
        id: JobId,
        /// Where it stands.
        status: Status,
    },
    /// Some of the named jobs could not be moved; the others were.
    #[error("cannot {verb}: {}", refusals(.actioned))]
    NotMoved {
        /// What was asked.
        verb: &'static str,
        /// What it came to.
        actioned: Actioned,
    },
    /// Many jobs are meant, and nobody said so.
    #[error("this would {verb} {}, and nobody can be asked", count_jobs(*.jobs))]
    Unconfirmed {
        /// What would be done.
        verb: &'static str,
        /// To how many.
        jobs: u64,
    },
    /// Somebody was asked and said no.
    #[error("not confirmed: nothing was changed")]
    Declined,
}

/// Where a payload was read.
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
    /// What standard input is called where a file could be named.
    pub(crate) const STANDARD_INPUT: &str = "standard input";

    /// The code of the one error after which something has been done.
    pub(crate) const RESULT_NOT_PRINTED: &str = "result_not_printed";

    /// What was told after something was `done`. An error says that it was done; a reader who has seen enough
    /// (`| head`) is none.
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

    /// How the program ends.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::PriorityWords(_)
            | Self::IdsWithAll
            | Self::FilterWithIds
            | Self::DatabaseUrl { .. }
            | Self::NotText { .. }
            | Self::Config { .. }
            | Self::Unreadable { .. }
            | Self::Dotenv { .. }
            | Self::Payload { .. }
            | Self::PayloadEncoding { .. }
            | Self::PayloadTooLong { .. }
            | Self::Line { .. }
            | Self::Job(_) => Exit::Usage,
            Self::Untold { .. } | Self::NoSuchJob { .. } | Self::NotADeadLetter { .. } | Self::NotMoved { .. } => {
                Exit::Failed
            }
            Self::Unconfirmed { .. } | Self::Declined => Exit::Refused,
        }
    }

    /// A stable word for scripts.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::PriorityWords(_) | Self::IdsWithAll | Self::FilterWithIds => "usage",
            Self::DatabaseUrl { source, .. } => source.code(),
            Self::NotText { .. } => "not_utf8",
            Self::Untold { .. } => Self::RESULT_NOT_PRINTED,
            Self::Config { .. } => "invalid_config",
            Self::Unreadable { .. } => "unreadable_file",
            Self::Dotenv { .. } => "invalid_dotenv",
            Self::Payload { .. } | Self::PayloadEncoding { .. } | Self::PayloadTooLong { .. } | Self::Job(_) => {
                "invalid_job"
            }
            Self::Line { .. } => "invalid_line",
            Self::NoSuchJob { .. } => "no_such_job",
            Self::NotADeadLetter { .. } => "not_a_dead_letter",
            Self::NotMoved { .. } => "not_moved",
            Self::Unconfirmed { .. } | Self::Declined => "not_confirmed",
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::PriorityWords(_) | Self::IdsWithAll | Self::FilterWithIds => {
                "add --help to the command to see what it accepts"
            }
            Self::DatabaseUrl { source, .. } => source.hint(),
            Self::NotText { .. } => "rename it, or name a symbolic link to it whose path is UTF-8",
            Self::Untold { .. } => "do not run the command again; check where standard output goes",
            Self::Config { .. } => "mend that line, or name another file with --config",
            Self::Unreadable { path, .. } if path.as_os_str() == Self::STANDARD_INPUT => {
                "check where standard input comes from"
            }
            Self::Unreadable { .. } => "check the path and its permissions",
            Self::Dotenv { .. } => "mend that line, or name the database with --database",
            Self::Payload { source: InvalidJobData::LoneSurrogate { .. }, .. } => {
                "write both halves, such as \\ud83d\\ude00, or the character itself"
            }
            Self::Payload { source: InvalidJobData::TooDeep, .. } => {
                "flatten it, or store it elsewhere and enqueue where it is"
            }
            Self::Payload { origin: PayloadOrigin::File(_), .. } => "correct the file and enqueue it again",
            Self::Payload { origin: PayloadOrigin::StandardInput, .. } => "check what is written to standard input",
            Self::Payload { .. } => "quote it for the shell, such as '{\"file\": \"a.jpg\"}', or give it as @FILE",
            Self::PayloadEncoding { .. } => "encode the text as UTF-8, binary data as base64",
            Self::PayloadTooLong { .. } => "store the data elsewhere and enqueue where it is",
            Self::Job(_) => "see \"longshore enqueue --help\"",
            Self::Line { .. } => "no job was enqueued; correct that line and enqueue all of them again",
            Self::NoSuchJob { .. } => "\"longshore jobs list\" shows those that there are",
            Self::NotADeadLetter { .. } => "see \"longshore jobs --help\" for jobs in any state",
            Self::NotMoved { actioned, .. } if actioned.touched == 0 => {
                "\"longshore jobs show ID\" shows where a job stands; nothing was changed"
            }
            Self::NotMoved { .. } => {
                "\"longshore jobs show ID\" shows where a job stands; the other named jobs were moved"
            }
            Self::Unconfirmed { .. } => "add --yes if all of them are meant",
            Self::Declined => "narrow the filter with --status, --type or --queue",
        }
    }
}

/// How many refusals are told one by one.
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

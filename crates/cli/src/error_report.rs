use std::{fmt, io};

use clap::error::ErrorKind;
use longshore::WorkerError;
use longshore_core::{Actioned, SchemaVerdict, StoreError};
use longshore_migrate::{Exit, MigrateError};
use longshore_sqlite::schema::SchemaProblem;
use serde::Serialize;

use crate::command_error::CommandError;

/// What the process or the machine has no file descriptor left by; the same numbers on every Unix.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const RAISE_THE_LIMIT: &str = "raise the limit with \"ulimit -n\"";

/// An error as it is told: how the program ends, and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ErrorReport {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// A stable word for scripts.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// What was done all the same, and what was not.
    pub(crate) actioned: Option<Actioned>,
}

/// The shape of an error with `--json`.
#[derive(Serialize)]
pub(crate) struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(flatten)]
    actioned: Option<&'a Actioned>,
}

impl ErrorReport {
    /// Tells an error of a command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let report = Self::of_kind(error);
        // Whatever could not be opened, its path and its permissions are not the cause.
        if report.code != CommandError::RESULT_NOT_PRINTED && error.chain().any(is_want_of_files) {
            let hint = match error.downcast_ref::<MigrateError>() {
                Some(_) => RAISE_THE_LIMIT.to_owned(),
                None => format!("{RAISE_THE_LIMIT}; nothing was changed"),
            };
            return Self { exit: Exit::Failed, code: "too_many_open_files", ..report }.hint(hint);
        }
        report
    }

    fn of_kind(error: &anyhow::Error) -> Self {
        if let Some(error) = error.downcast_ref::<CommandError>() {
            return Self::of_command(error);
        }
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return Self::of_store(error);
        }
        if let Some(problem) = error.downcast_ref::<SchemaProblem>() {
            return Self::new(problem.exit(), problem.code(), problem).hint(problem.hint());
        }
        if let Some(error) = error.downcast_ref::<WorkerError>() {
            return Self::of_worker(error);
        }
        if let Some(error) = error.downcast_ref::<MigrateError>() {
            return Self::of_migration(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::new(Exit::Failed, "io_failed", error);
        }
        Self::new(Exit::Failed, "failed", &format_args!("{error:#}"))
    }

    /// Tells an error in the words of the call.
    pub(crate) fn of_usage(error: &clap::Error) -> Self {
        if matches!(error.kind(), ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
            return Self::new(Exit::Usage, "usage", &"a command is missing").hint("add --help to see the commands");
        }
        let text = error.render().to_string();
        let mut paragraphs = text.split("\n\n");
        let message = one_sentence(paragraphs.next().unwrap_or_default());
        let tip = paragraphs.find_map(|paragraph| paragraph.trim_start().strip_prefix("tip: ").map(one_sentence));
        let hint = tip.unwrap_or_else(|| "add --help to the command to see what it accepts".to_owned());
        Self::new(Exit::Usage, "usage", &message).hint(hint)
    }

    /// Its JSON.
    pub(crate) fn document(&self) -> ErrorDocument<'_> {
        ErrorDocument {
            error: ErrorBody {
                code: self.code,
                message: &self.message,
                hint: self.hint.as_deref(),
                actioned: self.actioned.as_ref(),
            },
        }
    }

    fn of_command(error: &CommandError) -> Self {
        let actioned = match error {
            CommandError::NotMoved { actioned, .. } => Some(actioned.clone()),
            _ => None,
        };
        Self { actioned, ..Self::new(error.exit(), error.code(), error).hint(error.hint()) }
    }

    fn of_store(error: &StoreError) -> Self {
        // An error of the caller's own stream comes back inside the store's; it knows the line.
        if let StoreError::Aborted { source } = error
            && let Some(inner) = source.downcast_ref::<CommandError>()
        {
            return Self::of_command(inner);
        }
        Self { hint: error.hint().map(str::to_owned), ..Self::new(exit_of_store(error), error.code(), error) }
    }

    fn of_migration(error: &MigrateError) -> Self {
        Self::new(error.exit(), error.code(), error).hint(error.hint())
    }

    fn of_worker(error: &WorkerError) -> Self {
        match error {
            WorkerError::Store(error) => Self::of_store(error),
            WorkerError::NothingHandled => {
                let message = "no type of jobs is declared, so this worker could never run one";
                let hint = "declare [jobs.NAME] with run = [\"PROGRAM\"] in longshore.toml";
                Self::new(Exit::Usage, "no_job_types", &message).hint(hint)
            }
            _ => Self::new(Exit::Failed, "worker_failed", error),
        }
    }

    fn new(exit: Exit, code: &'static str, message: &dyn fmt::Display) -> Self {
        Self { exit, code, message: message.to_string(), hint: None, actioned: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

fn is_want_of_files(cause: &(dyn std::error::Error + 'static)) -> bool {
    let number = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    cfg!(unix) && matches!(number, Some(ENFILE | EMFILE))
}

fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Schema { verdict: SchemaVerdict::HistoryBroken, .. } => Exit::HistoryBroken,
        StoreError::Schema { verdict: SchemaVerdict::Disagrees, .. } | StoreError::SchemaChanged { .. } => {
            Exit::SchemaDisagrees
        }
        StoreError::Busy { .. } => Exit::Locked,
        StoreError::InvalidJob(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn one_sentence(paragraph: &str) -> String {
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let sentence = words.join(" ");
    sentence.strip_prefix("error: ").unwrap_or(&sentence).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_database_that_somebody_else_holds_is_told_as_locked() {
        let busy = StoreError::Busy { database: Arc::from("a.db"), waited: Duration::from_secs(5) };
        let report = ErrorReport::of(&busy.into());
        assert_eq!((report.exit, report.code), (Exit::Locked, "database_locked"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_for_want_of_descriptors_is_not_called_wrong() {
        let source = || io::Error::from_raw_os_error(EMFILE);
        let unreadable = CommandError::Unreadable { path: "longshore.toml".into(), source: source() };
        let dotenv = CommandError::Dotenv { source: dotenvy::Error::Io(source()) };
        for error in [unreadable.into(), dotenv.into(), anyhow::Error::from(source())] {
            let report = ErrorReport::of(&error);
            assert_eq!((report.exit, report.code), (Exit::Failed, "too_many_open_files"), "{error}");
        }
        let untold = CommandError::Untold { done: "job 1 was enqueued".to_owned(), source: source().into() };
        assert_eq!(ErrorReport::of(&untold.into()).code, CommandError::RESULT_NOT_PRINTED);
    }

    #[test]
    fn a_bad_line_inside_an_aborted_stream_is_told_as_itself() {
        let line = CommandError::Line { input: "a".to_owned(), line: 3, problem: "no".to_owned() };
        let report = ErrorReport::of(&StoreError::Aborted { source: Box::new(line) }.into());
        assert_eq!((report.exit, report.message.as_str()), (Exit::Failed, "a, line 3: no"));
    }
}

pub(crate) mod command_error;

use std::{fmt, io};

use clap::error::ErrorKind;
use longshore::WorkerError;
use longshore::schedule::ScheduleError;
use longshore_combined::CombineError;
use longshore_core::{Actioned, OutsideCause, StoreError, is_want_of_files};
use longshore_migrate::target::TargetError;
use longshore_migrate::{Loss, MigrateError};
use longshore_moving::MoveError;
use longshore_sqlite::schema::SchemaProblem;
use serde::Serialize;

use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

pub(crate) mod migration;
mod outside;

/// An error as it is printed: the exit code and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorReport {
    /// The exit code.
    pub(crate) exit: Exit,
    /// A stable code for scripts.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Which jobs were changed before the error, and which were not.
    pub(crate) actioned: Option<Actioned>,
    /// What a migration would lose.
    pub(crate) losses: Vec<Loss>,
}

/// The JSON of an error.
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
    #[serde(skip_serializing_if = "<[Loss]>::is_empty")]
    losses: &'a [Loss],
}

impl ErrorReport {
    /// The report for an error of a command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let report = Self::of_kind(error);
        // If a process has too many open files, the path and its permissions are not the cause.
        if report.code != CommandError::RESULT_NOT_PRINTED && error.chain().any(wants_files) {
            return Self { exit: Exit::Failed, code: "too_many_open_files", ..report }.hint(outside::RAISE_THE_LIMIT);
        }
        report
    }

    fn of_kind(error: &anyhow::Error) -> Self {
        if let Some(error) = error.downcast_ref::<CommandError>() {
            return Self::of_command(error);
        }
        if let Some(error) = error.downcast_ref::<CombineError>() {
            return Self::of_combination(error);
        }
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return Self::of_store(error);
        }
        if let Some(error) = error.downcast_ref::<ScheduleError>() {
            return Self::of_schedule(error);
        }
        if let Some(error) = error.downcast_ref::<MoveError>() {
            return Self::of_move(error);
        }
        if let Some(problem) = error.downcast_ref::<SchemaProblem>() {
            return Self::of_schema(problem);
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

    /// Says where the URL came from, if the database that it names cannot be used.
    pub(crate) fn with_origin(mut self, origin: &str) -> Self {
        const OF_THE_URL: [&str; 6] = [
            "not_a_database",
            "database_missing",
            "invalid_database",
            "database_unreachable",
            "login_refused",
            "tls_failed",
        ];
        if OF_THE_URL.contains(&self.code) && !self.message.contains("(from ") {
            self.message = format!("{} (from {origin})", self.message);
        }
        self
    }

    /// The report for invalid arguments.
    pub(crate) fn of_usage(error: &clap::Error) -> Self {
        if matches!(error.kind(), ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
            return Self::new(Exit::Usage, "usage", &"a command is missing").hint("add --help to see the commands");
        }
        if error.kind() == ErrorKind::InvalidUtf8
            && let Some(message) = not_utf8(std::env::args_os().skip(1))
        {
            return Self::new(Exit::Usage, "usage", &message).hint("write it in UTF-8");
        }
        let text = error.render().to_string();
        let mut paragraphs = text.split("\n\n");
        let message = one_sentence(paragraphs.next().unwrap_or_default());
        let tip = paragraphs.find_map(|paragraph| paragraph.trim_start().strip_prefix("tip: ").map(one_sentence));
        let hint = tip.unwrap_or_else(|| "add --help to the command to see what it accepts".to_owned());
        Self::new(Exit::Usage, "usage", &message).hint(hint)
    }

    /// The report as JSON.
    pub(crate) fn document(&self) -> ErrorDocument<'_> {
        ErrorDocument {
            error: ErrorBody {
                code: self.code,
                message: &self.message,
                hint: self.hint.as_deref(),
                actioned: self.actioned.as_ref(),
                losses: &self.losses,
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
        // An error of the caller's own input stream comes back inside the store's error. Only the inner one knows the
        // line.
        if let StoreError::Aborted { source } = error
            && let Some(inner) = source.downcast_ref::<CommandError>()
        {
            return Self::of_command(inner);
        }
        let (exit, hint) = match error {
            StoreError::InDatabase { source, .. } => {
                return Self { message: error.to_string(), ..Self::of_store(source) };
            }
            StoreError::Outside(cause) => return Self::of_cause(cause),
            StoreError::Schema { verdict, .. } => {
                (outside::exit_of_schema(*verdict), Some(outside::hint_of_schema(*verdict)))
            }
            StoreError::SchemaChanged { .. } => (
                Exit::SchemaDisagrees,
                Some(
                    "run \"longshore migrate status\"; a worker continues by itself as soon as the schema is \
                     supported again",
                ),
            ),
            StoreError::Moving { is_final: true, .. } => (
                Exit::Failed,
                Some("name that database with --database, in the configuration or in LONGSHORE_DATABASE"),
            ),
            StoreError::Moving { is_final: false, .. } => (
                Exit::Locked,
                Some(
                    "wait until the move has ended; if it was interrupted, run the same \"longshore move\" again, or add \
                     --undo",
                ),
            ),
            StoreError::InvalidJob(_) | StoreError::InvalidLimit(_) => (Exit::Usage, error.hint()),
            _ => (Exit::Failed, error.hint()),
        };
        Self { hint: hint.map(str::to_owned), ..Self::new(exit, error.code(), error) }
    }

    /// Why several databases cannot be used together.
    fn of_combination(error: &CombineError) -> Self {
        match error {
            CombineError::Store(error) => Self::of_store(error),
            CombineError::InvalidName { .. }
            | CombineError::SameName { .. }
            | CombineError::SameQueue { .. }
            | CombineError::SameDatabase { .. }
            | CombineError::TooMany => {
                Self::new(Exit::Usage, "invalid_config", error).hint("correct [databases] in the configuration file")
            }
            _ => Self::new(Exit::Failed, "databases_do_not_fit", error)
                .hint("to use one of them alone, name it with --database"),
        }
    }

    fn of_move(error: &MoveError) -> Self {
        let (exit, hint) = match error {
            MoveError::Store(error) => return Self::of_store(error),
            MoveError::SameDatabase { .. } => (Exit::Usage, "name another database with --to"),
            MoveError::NotEmpty { .. } => (Exit::Refused, "name an empty database, or another longshore_schema in it"),
            MoveError::NamesTooLong { .. } => (
                Exit::Refused,
                "give them shorter names with \"longshore jobs edit\", cancel or delete them; after the move has begun, \
                 undo it first with --undo",
            ),
            MoveError::OtherMove { .. } => {
                (Exit::Refused, "end that move first: run the same \"longshore move\" again, or with --undo")
            }
            MoveError::Elsewhere { .. } => (Exit::Refused, "move it from there"),
            MoveError::BeingUndone { .. } => (Exit::Refused, "run the same command with --undo, then move again"),
            MoveError::Committed { .. } => (
                Exit::Refused,
                "finish it with the same command without --undo; to move back, exchange --from and --to",
            ),
            MoveError::NothingToUndo { .. } => (Exit::Refused, "check --from and --to with \"longshore status\""),
            MoveError::Raced { .. } => (Exit::Locked, "let that process end, or run the same command again"),
            MoveError::StillRunning { .. } => (Exit::Failed, "run the same command again, or with --undo"),
            _ => (Exit::Failed, "nothing was switched: run the same command with --undo, then again"),
        };
        Self::new(exit, error.code(), error).hint(hint)
    }

    fn of_cause(cause: &OutsideCause) -> Self {
        Self::new(outside::exit(cause), cause.code(), cause).hint(outside::hint(cause))
    }

    fn of_schema(problem: &SchemaProblem) -> Self {
        match problem {
            SchemaProblem::Unreadable { source: TargetError::Outside(cause) } => Self::of_cause(cause),
            SchemaProblem::Unreadable { .. } => {
                Self::new(Exit::Failed, problem.code(), problem).hint("longshore doctor")
            }
            _ => {
                let verdict = problem.verdict();
                Self::new(outside::exit_of_schema(verdict), verdict.code(), problem)
                    .hint(outside::hint_of_schema(verdict))
            }
        }
    }

    fn of_migration(error: &MigrateError) -> Self {
        let Some(cause) = error.target_error().and_then(TargetError::outside_cause) else {
            let losses = match error {
                MigrateError::DataLoss { losses, .. } => losses.clone(),
                _ => Vec::new(),
            };
            let report = Self::new(migration::exit(error), error.code(), error).hint(migration::hint(error));
            return Self { losses, ..report };
        };
        // The message names the migrations that were applied; the cause does not know them.
        Self::new(outside::exit(cause), cause.code(), error).hint(outside::hint(cause))
    }

    fn of_worker(error: &WorkerError) -> Self {
        match error {
            WorkerError::Store(error) => Self::of_store(error),
            WorkerError::Schedule(error) => Self::of_schedule(error),
            WorkerError::NothingHandled => Self::of_command(&CommandError::NoJobTypes),
            WorkerError::GivenUp { .. } => {
                Self::new(Exit::Failed, "jobs_left", error).hint("mend it and run the command again; the jobs wait")
            }
            _ => Self::new(Exit::Failed, "worker_failed", error),
        }
    }

    fn of_schedule(error: &ScheduleError) -> Self {
        match error {
            ScheduleError::Store(error) => Self::of_store(error),
            ScheduleError::NotFound { .. } => {
                Self::new(Exit::Failed, "no_such_schedule", error).hint("list them with \"longshore schedules list\"")
            }
            ScheduleError::Twice { .. } => Self::new(Exit::Failed, "tick_exists", error).hint("run the command again"),
            ScheduleError::NotUnderstood { .. } => Self::new(Exit::Failed, "schedule_not_understood", error)
                .hint("use the version that wrote it, or add the schedule again"),
            ScheduleError::EmptySpan { .. } => {
                Self::new(Exit::Usage, "invalid_span", error).hint("give a --from that is before --to")
            }
            ScheduleError::FutureSpan { .. } => Self::new(Exit::Usage, "invalid_span", error)
                .hint("give a --to that is not in the future; later ticks are made by the schedule itself"),
            ScheduleError::TooManyTicks { .. } => {
                Self::new(Exit::Usage, "invalid_span", error).hint("see \"longshore schedules backfill --help\"")
            }
            _ => Self::new(Exit::Usage, "invalid_schedule", error).hint("see \"longshore schedules add --help\""),
        }
    }

    fn new(exit: Exit, code: &'static str, message: &dyn fmt::Display) -> Self {
        Self { exit, code, message: message.to_string(), hint: None, actioned: None, losses: Vec::new() }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

fn wants_files(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(is_want_of_files)
}

/// Names the argument that is not UTF-8. clap does not say which one it is.
fn not_utf8(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<String> {
    let (at, argument) = (1..).zip(&mut arguments).find(|(_, argument)| argument.to_str().is_none())?;
    Some(format!("argument {at} is not UTF-8: {argument:?}"))
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

    /// Every cause, with its exit code and its code for scripts.
    fn causes() -> Vec<(OutsideCause, Exit, &'static str)> {
        use OutsideCause as Cause;
        let database = || Arc::<str>::from("a.db");
        let source = || Box::<dyn std::error::Error + Send + Sync>::from("it says so");
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        vec![
            (Cause::Busy { database: database(), waited: Duration::from_secs(5) }, Exit::Locked, "database_locked"),
            (Cause::RunnerBusy { lock: "a.db.migrate.lock".into() }, Exit::Locked, "locked"),
            (Cause::Full { database: database() }, Exit::Failed, "disk_full"),
            (Cause::ReadOnly { database: database() }, Exit::Failed, "database_read_only"),
            (Cause::ReadOnlyMount { database: database() }, Exit::Failed, "mounted_read_only"),
            (Cause::Forbidden { path: "a.db-workers/1".into(), source: refused() }, Exit::Failed, "permission_denied"),
            (Cause::Damaged { database: database(), source: source() }, Exit::Failed, "database_damaged"),
            (Cause::NotADatabase { database: database() }, Exit::Failed, "not_a_database"),
            (Cause::NotAFile { database: database(), kind: "a device" }, Exit::Failed, "not_a_database"),
            (Cause::Missing { database: database() }, Exit::Failed, "database_missing"),
            (Cause::NoFolder { folder: "none".into() }, Exit::Usage, "invalid_database"),
            (Cause::Unreachable { database: database(), source: source() }, Exit::Failed, "database_unreachable"),
            (Cause::NotAFolder { path: "a.db-workers".into() }, Exit::Failed, "not_a_folder"),
            (Cause::FileTooLarge { database: database() }, Exit::Failed, "file_too_large"),
            (Cause::TooManyThreads, Exit::Failed, "too_many_threads"),
            (Cause::TooManyFiles { database: database() }, Exit::Failed, "too_many_open_files"),
            (Cause::Device { database: database(), source: source() }, Exit::Failed, "database_failed"),
            (Cause::Moved { database: database() }, Exit::Failed, "database_moved"),
            (Cause::HardLinked { database: database(), links: 2 }, Exit::Failed, "database_hard_linked"),
            (Cause::LogGone { database: database() }, Exit::Failed, "database_log_gone"),
            (Cause::MountedFile { database: database() }, Exit::Failed, "database_file_mounted"),
            (Cause::LogLeft { log: "a.db-wal".into() }, Exit::Failed, "database_log_left"),
            (Cause::Conflict { database: database(), source: source() }, Exit::Locked, "database_locked"),
            (Cause::StatementCancelled { database: database(), source: source() }, Exit::Failed, "statement_cancelled"),
            (Cause::ReadOnlyServer { database: database() }, Exit::Failed, "database_read_only"),
            (Cause::TooManyConnections { database: database() }, Exit::Failed, "too_many_connections"),
            (Cause::LoginRefused { database: database(), source: source() }, Exit::Failed, "login_refused"),
            (Cause::Denied { database: database(), source: source() }, Exit::Failed, "permission_denied"),
            (Cause::MissingOnServer { database: database() }, Exit::Failed, "database_missing"),
            (Cause::Tls { database: database(), source: source() }, Exit::Failed, "tls_failed"),
            (Cause::ServerStopping { database: database(), source: source() }, Exit::Failed, "server_stopping"),
            (Cause::ServerUnreachable { database: database(), source: source() }, Exit::Failed, "database_unreachable"),
        ]
    }

    /// The ways in which a cause reaches the command line: opening, a store, a worker, a schema check, a migration, and
    /// one of its statements.
    fn ways() -> Vec<fn(OutsideCause) -> anyhow::Error> {
        vec![
            |cause| StoreError::from(cause).into(),
            |cause| WorkerError::Store(cause.into()).into(),
            |cause| SchemaProblem::Unreadable { source: cause.into() }.into(),
            |cause| MigrateError::from(TargetError::from(cause)).into(),
            |cause| {
                let source = Box::new(TargetError::from(cause));
                let error = Box::new(longshore_migrate::execution::replay::RunError::Code { source });
                let id = longshore_migrate::MigrationId::new("app", 1);
                MigrateError::Failed { id, error, done: Vec::new(), statements_done: 0 }.into()
            },
        ]
    }

    #[test]
    fn a_cause_outside_has_one_exit_code_one_word_and_one_hint_however_it_was_met() {
        for (at, way) in ways().into_iter().enumerate() {
            for (cause, exit, code) in causes() {
                let hint = outside::hint(&cause);
                let report = ErrorReport::of(&way(cause));
                assert_eq!((report.exit, report.code, report.hint.as_deref()), (exit, code, Some(hint)), "way {at}");
            }
        }
    }

    #[test]
    fn a_hint_of_the_library_names_neither_a_flag_nor_a_command_of_this_program() {
        for (cause, ..) in causes() {
            let hint = cause.hint();
            assert!(!hint.contains("--") && !hint.contains("longshore"), "{hint}");
        }
    }

    #[test]
    fn a_database_that_somebody_else_holds_is_told_as_locked() {
        let busy = OutsideCause::Busy { database: Arc::from("a.db"), waited: Duration::from_secs(5) };
        let report = ErrorReport::of(&StoreError::from(busy).into());
        assert_eq!((report.exit, report.code), (Exit::Locked, "database_locked"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_for_want_of_descriptors_is_not_called_wrong() {
        let source = || io::Error::from_raw_os_error(24);
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
        assert_eq!((report.exit, report.message.as_str()), (Exit::Usage, "a, line 3: no"));
    }
}

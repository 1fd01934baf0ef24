use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use longshore::DatabaseUrl;
use longshore_core::{OutsideCause, StoreError};
use longshore_migrate::files::script::Dialect;
use longshore_migrate::files::source::APP;
use longshore_migrate::import::{Format, ImportMode, Skipped};
use longshore_migrate::report::StatusReport;
use longshore_migrate::target::Target;
use longshore_migrate::{Marking, MigrateError, Migrator, Source, Verification};
use longshore_migrate_postgres::{PostgresTarget, PostgresTargetOptions};
use longshore_migrate_sqlite::{Access, SqliteTarget, check_left_log};
use longshore_postgres::{PostgresUrl, is_pooled};

use crate::arguments::{AdoptArguments, MarkArguments, MigrateArguments, MigrateCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::databases::PlacedDatabase;

mod adopt;
mod dump;
mod history;
mod import;
mod lint;
mod mark;
mod new;
mod progress;
mod repair;
mod run;
mod several;
mod status;
mod verify;

pub(super) use verify::discrepancy_in_words;

/// Runs `longshore migrate`.
pub(crate) fn run(context: &Context, arguments: &MigrateArguments) -> anyhow::Result<Exit> {
    let databases = context.databases()?;
    let site = Site { context, dir: arguments.dir.as_deref(), database: databases.main(), is_main: true };
    if databases.are_several()
        && let Some(each) = of_each(&arguments.command)
    {
        let exit = several::run(context, &databases, &|database, is_main| {
            each(&Site { context, dir: arguments.dir.as_deref(), database, is_main }, &arguments.command)
        })?;
        if matches!(&arguments.command, MigrateCommand::Up { run, .. } if !run.care.dry_run) {
            several::number(context);
        }
        return Ok(exit);
    }
    if databases.are_several() && !is_offline(&arguments.command) {
        context
            .output
            .note(format!("only in database {}; for another one name its URL with --database", databases.main()));
    }
    match &arguments.command {
        MigrateCommand::Status { .. } | MigrateCommand::Up { .. } | MigrateCommand::Verify => {
            on_one(&site, &arguments.command)
        }
        MigrateCommand::Down { run: arguments, no_backup } => run::down(&site, arguments, run::backup(*no_backup)),
        MigrateCommand::Redo { care, no_backup } => run::redo(&site, &run::request(care, run::backup(*no_backup))),
        MigrateCommand::Repair { apply, reason } => repair::run(&site, reason.as_deref().filter(|_| *apply)),
        MigrateCommand::MarkApplied(arguments) => mark_with(&site, arguments, Migrator::mark_applied, "applied"),
        MigrateCommand::MarkRolledBack(arguments) => {
            mark_with(&site, arguments, Migrator::mark_rolled_back, "rolled back")
        }
        MigrateCommand::Baseline { id, reason } => mark::baseline(&site, id, reason),
        MigrateCommand::History { id } => history::run(&site, id.as_deref()),
        MigrateCommand::New { name } => new::run(&site, name),
        MigrateCommand::Import { from, to, dry_run } => {
            let mode = if *dry_run { ImportMode::DryRun } else { ImportMode::Write };
            import::run(&site, from.as_deref().and_then(Format::from_word), to.as_deref(), mode)
        }
        MigrateCommand::Lint => lint::run(&site),
        MigrateCommand::Dump { check: None } => dump::print(&site),
        MigrateCommand::Dump { check: Some(path) } => dump::check(&site, path),
    }
}

/// Runs a command that may be meant for each of several databases, on one of them.
fn on_one(site: &Site<'_>, command: &MigrateCommand) -> anyhow::Result<Exit> {
    match command {
        MigrateCommand::Up { only, run: arguments } => run::up(site, arguments, only.as_deref()),
        MigrateCommand::Verify => verify::run(site),
        MigrateCommand::Status { check: true } => status::run(site, status::Verdict::Checked),
        _ => status::run(site, status::Verdict::Shown),
    }
}

type OnOne = fn(&Site<'_>, &MigrateCommand) -> anyhow::Result<Exit>;

/// How a command runs on each of several databases. None if it works on one.
const fn of_each(command: &MigrateCommand) -> Option<OnOne> {
    match command {
        MigrateCommand::Status { .. } | MigrateCommand::Up { .. } | MigrateCommand::Verify => Some(on_one),
        _ => None,
    }
}

/// Whether a command works on files alone.
const fn is_offline(command: &MigrateCommand) -> bool {
    matches!(command, MigrateCommand::New { .. } | MigrateCommand::Import { .. } | MigrateCommand::Lint)
}

/// Takes over the table of another program, or gives it back.
pub(crate) fn adopt(context: &Context, arguments: &AdoptArguments) -> anyhow::Result<Exit> {
    let databases = context.databases()?;
    adopt::run(&Site { context, dir: None, database: databases.main(), is_main: true }, arguments)
}

type Mark = fn(&mut Migrator<'static>, &Marking) -> Result<longshore_migrate::report::MarkReport, MigrateError>;

fn mark_with(site: &Site<'_>, arguments: &MarkArguments, mark: Mark, what: &str) -> anyhow::Result<Exit> {
    let mut migrator = site.migrator(Access::Write, Absent::Refused)?;
    let verification = if arguments.unverified { Verification::Waived } else { Verification::Required };
    let id = migrator.resolve(&arguments.id)?;
    let report = mark(&mut migrator, &Marking { id, reason: arguments.reason.clone(), verification })?;
    mark::tell(site.context, &report, what)
}

/// The database and the migrations directory of a command.
struct Site<'a> {
    context: &'a Context,
    dir: Option<&'a Path>,
    /// The database, perhaps of several.
    database: &'a PlacedDatabase,
    /// The application's own migrations are those of the main database.
    is_main: bool,
}

/// What to do if the database file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// Treat it as an empty database. Commands that write create it.
    Empty,
    /// Fail, and create nothing.
    Refused,
}

/// The default directory of the application's own migrations.
const DIR: &str = "migrations";

impl Site<'_> {
    fn migrator(&self, access: Access, absent: Absent) -> anyhow::Result<Migrator<'static>> {
        let url = &self.database.url;
        let sources = self.sources(url)?;
        let target: Box<dyn Target> = match url {
            DatabaseUrl::Sqlite(path) => self.file(path, access, absent)?,
            DatabaseUrl::Postgres(url) => Box::new(server(url, access)?),
        };
        Ok(Migrator::new(target, sources))
    }

    fn file(&self, path: &Path, access: Access, absent: Absent) -> anyhow::Result<Box<dyn Target>> {
        // Opening the file reports every other problem.
        let is_missing = std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if absent == Absent::Refused && is_missing {
            check_left_log(path).map_err(StoreError::from)?;
            let database = path.display().to_string().into();
            return Err(StoreError::from(OutsideCause::Missing { database }).into());
        }
        let is_new = access == Access::Write && is_missing;
        let target = SqliteTarget::open(path, access).map_err(MigrateError::from)?;
        if is_new {
            self.context.output.note(format!("created {}", path.display()));
        }
        Ok(Box::new(target))
    }

    /// A migrator that never opens a real SQLite file. Files for PostgreSQL are replayed in a scratch schema of the
    /// server.
    fn offline(&self) -> anyhow::Result<Migrator<'static>> {
        let url = &self.database.url;
        let target: Box<dyn Target> = match url {
            // Inspecting a missing file is like inspecting an empty database, and no file has an empty name.
            DatabaseUrl::Sqlite(_) => {
                Box::new(SqliteTarget::open(Path::new(""), Access::Inspect).map_err(MigrateError::from)?)
            }
            DatabaseUrl::Postgres(url) => Box::new(server(url, Access::Inspect)?),
        };
        Ok(Migrator::new(target, self.sources(url)?))
    }

    /// In whose words files are, which the URL of the database says.
    fn dialect(&self) -> anyhow::Result<Dialect> {
        Ok(match self.context.database_url()? {
            DatabaseUrl::Sqlite(_) => Dialect::Sqlite,
            DatabaseUrl::Postgres(_) => Dialect::Postgres,
        })
    }

    /// The statement that begins a transaction of a migration.
    const fn begin(&self) -> &'static str {
        match &self.database.url {
            DatabaseUrl::Sqlite(_) => "BEGIN IMMEDIATE",
            DatabaseUrl::Postgres(_) => "BEGIN",
        }
    }

    fn sources(&self, url: &DatabaseUrl) -> anyhow::Result<Vec<Source>> {
        let dir = if self.is_main { self.dir()? } else { None };
        sources(url, dir.as_deref())
    }

    /// The directory of the application's migrations: the one that is named, or the usual one if it exists.
    fn dir(&self) -> anyhow::Result<Option<PathBuf>> {
        Ok(self.named_dir()?.or_else(|| Some(PathBuf::from(DIR)).filter(|dir| dir.is_dir())))
    }

    fn named_dir(&self) -> anyhow::Result<Option<PathBuf>> {
        if let Some(dir) = self.dir {
            return Ok(Some(dir.to_owned()));
        }
        Ok(self.context.config()?.migrate.dir.clone())
    }
}

/// The queue's own migrations, and the application's if they are in this directory.
fn sources(url: &DatabaseUrl, dir: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    let (own, dialect) = match url {
        DatabaseUrl::Sqlite(_) => (longshore_sqlite::migrations::longshore(), Dialect::Sqlite),
        DatabaseUrl::Postgres(url) => (longshore_postgres::migrations::longshore(url.schema()), Dialect::Postgres),
    };
    let mut sources = vec![own];
    if let Some(dir) = dir {
        sources.push(Source::directory_in(dialect, APP, dir).map_err(MigrateError::from)?);
    }
    Ok(sources)
}

/// How the application's own migrations stand in the main database. None without a directory of them.
pub(super) fn of_application(context: &Context) -> anyhow::Result<Option<StatusReport>> {
    let databases = context.databases()?;
    let site = Site { context, dir: None, database: databases.main(), is_main: true };
    if site.dir()?.is_none() {
        return Ok(None);
    }
    Ok(Some(site.migrator(Access::Inspect, Absent::Refused)?.status()?))
}

/// Opens the migrations of the main database for a server: read-only, and as often as it is asked. On PostgreSQL
/// successive looks reuse one connection.
#[cfg(feature = "web")]
pub(super) fn inspector(
    context: &Context,
) -> anyhow::Result<impl Fn() -> Result<Migrator<'static>, Box<dyn std::error::Error + Send + Sync>> + use<>> {
    let databases = context.databases()?;
    let url = databases.main().url.clone();
    let dir = Site { context, dir: None, database: databases.main(), is_main: true }.dir()?;
    let inspecting = std::sync::OnceLock::new();
    Ok(move || -> Result<Migrator<'static>, Box<dyn std::error::Error + Send + Sync>> {
        let target: Box<dyn Target> = match &url {
            DatabaseUrl::Sqlite(path) => Box::new(SqliteTarget::open(path, Access::Inspect)?),
            DatabaseUrl::Postgres(url) => {
                let options = match inspecting.get() {
                    Some(options) => options,
                    None => {
                        let options = target_options(url, Access::Inspect)?
                            .keep(&longshore_migrate_postgres::KeptConnection::default());
                        inspecting.get_or_init(|| options)
                    }
                };
                Box::new(PostgresTarget::open(options.clone()).map_err(MigrateError::from)?)
            }
        };
        Ok(Migrator::new(target, sources(&url, dir.as_deref())?))
    })
}

/// The database of a server. Blocks until it has answered.
fn server(url: &PostgresUrl, access: Access) -> anyhow::Result<PostgresTarget> {
    Ok(PostgresTarget::open(target_options(url, access)?).map_err(MigrateError::from)?)
}

/// How to reach the database of a server. Blocks until it has answered whether a pooler stands before it.
fn target_options(url: &PostgresUrl, access: Access) -> anyhow::Result<PostgresTargetOptions> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_pooled = runtime.block_on(is_pooled(url)).map_err(StoreError::from)?;
    let access = match access {
        Access::Inspect => longshore_migrate_postgres::Access::Inspect,
        Access::Write => longshore_migrate_postgres::Access::Write,
    };
    Ok(PostgresTargetOptions::new(url.clone()).pooled(is_pooled).access(access))
}

/// One line with the files that are not migrations.
fn print_skipped(output: &Output, skipped: &[Skipped]) -> std::io::Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = skipped.iter().map(|it| format!("{} ({})", it.name, it.reason)).collect();
    output.line(format!("skipped: {}", names.join(", ")))
}

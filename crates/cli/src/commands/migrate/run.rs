use longshore_migrate::report::{RunMigration, RunReport};
use longshore_migrate::{Backup, Bounds, DataLoss, Direction, Goal, MigrateError, Migrator, RunMode, RunRequest};
use longshore_migrate_sqlite::Access;

use super::{Absent, Site, progress};
use crate::arguments::{CareArguments, RunArguments};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;

/// Applies the pending migrations, in order.
pub(super) fn up(site: &Site<'_>, arguments: &RunArguments, only: Option<&str>) -> anyhow::Result<Exit> {
    run(site, Absent::Empty, &Wanted { arguments, only, backup: Backup::Make }, Migrator::up)
}

/// Rolls back migrations, newest first.
pub(super) fn down(site: &Site<'_>, arguments: &RunArguments, backup: Backup) -> anyhow::Result<Exit> {
    run(site, Absent::Refused, &Wanted { arguments, only: None, backup }, Migrator::down)
}

/// Rolls the newest migration back and applies it again.
pub(super) fn redo(site: &Site<'_>, request: &RunRequest) -> anyhow::Result<Exit> {
    let mut migrator = open(site, Absent::Refused, request.mode)?;
    let report = migrator.redo(request)?;
    tell(site, &report)
}

/// The run request, with the fields that `CareArguments` sets.
pub(super) fn request(care: &CareArguments, backup: Backup) -> RunRequest {
    RunRequest {
        goal: Goal::default(),
        only: None,
        data_loss: if care.allow_data_loss { DataLoss::Allow } else { DataLoss::Refuse },
        backup,
        mode: if care.dry_run { RunMode::DryRun } else { RunMode::Apply },
    }
}

type Apply = fn(&mut Migrator<'static>, &RunRequest) -> Result<RunReport, MigrateError>;

/// Which migrations.
struct Wanted<'a> {
    arguments: &'a RunArguments,
    only: Option<&'a str>,
    backup: Backup,
}

/// What `--no-backup` says.
pub(super) const fn backup(is_declined: bool) -> Backup {
    if is_declined { Backup::Skip } else { Backup::Make }
}

fn run(site: &Site<'_>, absent: Absent, wanted: &Wanted<'_>, apply: Apply) -> anyhow::Result<Exit> {
    let Wanted { arguments, only, backup } = wanted;
    let mut request = request(&arguments.care, *backup);
    request.goal.steps = arguments.steps.map(|steps| usize::try_from(steps).unwrap_or(usize::MAX));
    // Open without writing first, so that a refused command does not create a database.
    let mut looker = open(site, absent, RunMode::DryRun)?;
    request.goal.to = arguments.to.as_deref().map(|text| looker.resolve(text)).transpose()?;
    request.only = only.map(|text| looker.resolve(text)).transpose()?;
    let planned = apply(&mut looker, &RunRequest { mode: RunMode::DryRun, ..request.clone() })?;
    drop(looker);
    if request.mode == RunMode::DryRun {
        return tell(site, &planned);
    }
    let report = apply(&mut open(site, absent, request.mode)?, &request)?;
    tell(site, &report)
}

fn open(site: &Site<'_>, absent: Absent, mode: RunMode) -> anyhow::Result<Migrator<'static>> {
    let access = if mode == RunMode::DryRun { Access::Inspect } else { Access::Write };
    let mut migrator = site.migrator(access, absent)?;
    if let Some(listener) = progress::listener(&site.context.output) {
        migrator.watch(listener);
    }
    Ok(migrator)
}

fn tell(site: &Site<'_>, report: &RunReport) -> anyhow::Result<Exit> {
    let told = site.context.output.result(report, |output| {
        if report.dry_run {
            print_sql(output, site.begin(), &report.migrations)?;
        } else {
            report.migrations.iter().try_for_each(|migration| print_done(output, migration))?;
        }
        if let Some(backup) = &report.backup {
            output.note(format!("backup: {}", backup.display()));
        }
        if report.migrations.is_empty() { output.line("nothing to do") } else { Ok(()) }
    });
    if report.dry_run {
        told?;
        return Ok(Exit::Done);
    }
    let done: Vec<String> = report.migrations.iter().map(done_in_words).collect();
    let done = if done.is_empty() { "there was nothing to do".to_owned() } else { done.join(", ") };
    CommandError::after(done, told)?;
    Ok(Exit::Done)
}

fn print_done(output: &Output, migration: &RunMigration) -> std::io::Result<()> {
    let done = done_in_words(migration);
    let took = migration.duration_ms.map(|ms| format!(" ({ms} ms)")).unwrap_or_default();
    output.line(format!("{done} {}{took}", migration.name))
}

fn done_in_words(migration: &RunMigration) -> String {
    let done = match migration.direction {
        Direction::Up => "applied",
        Direction::Down => "rolled back",
    };
    format!("{done} {}", migration.id)
}

/// Prints the SQL that would run, as a script with its transaction bounds.
fn print_sql(output: &Output, begin: &str, migrations: &[RunMigration]) -> std::io::Result<()> {
    let joined = migrations.iter().filter(|migration| migration.joined);
    let (count, is_rebuild) = (joined.clone().count(), joined.clone().any(|one| one.bounds == Bounds::Rebuild));
    let bounds = if is_rebuild { Bounds::Rebuild } else { Bounds::Transaction };
    for (at, migration) in migrations.iter().enumerate() {
        let (mut before, mut after) = around(if migration.joined { bounds } else { migration.bounds }, begin);
        if migration.joined && at > 0 {
            before = String::new();
        }
        if migration.joined && at + 1 < count {
            after = "";
        }
        output.line(script(migration, &before, after))?;
    }
    Ok(())
}

fn around(bounds: Bounds, begin: &str) -> (String, &'static str) {
    match bounds {
        Bounds::Transaction => (format!("{begin};\n"), "COMMIT;\n"),
        Bounds::Rebuild => (format!("PRAGMA foreign_keys = OFF;\n{begin};\n"), "PRAGMA foreign_key_check;\nCOMMIT;\n"),
        Bounds::Statements => (String::new(), ""),
    }
}

fn script(migration: &RunMigration, before: &str, after: &str) -> String {
    let direction = match migration.direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    let mut text = format!("-- {} {} {direction}\n{before}", migration.id, migration.name);
    for statement in &migration.sql {
        let statement = statement.trim_end();
        text.push_str(statement);
        text.push_str(if statement.ends_with(';') { "\n" } else { ";\n" });
    }
    text.push_str(after);
    text
}

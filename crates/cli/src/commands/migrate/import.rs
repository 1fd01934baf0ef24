use std::path::Path;

use longshore_migrate::MigrateError;
use longshore_migrate::import::{Format, ImportMode, ImportReport, ImportRequest, import};

use super::{DIR, Site, print_skipped};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::quoted::shell_word;

/// Writes a new directory from another tool's.
pub(super) fn run(
    site: &Site<'_>,
    format: Option<Format>,
    to: Option<&Path>,
    mode: ImportMode,
) -> anyhow::Result<Exit> {
    let source = site.named_dir()?.unwrap_or_else(|| DIR.into());
    let target = to.map_or_else(|| beside(&source), Path::to_owned);
    let report = import(&ImportRequest { source, format, dialect: site.dialect()?, target, mode })
        .map_err(MigrateError::from)?;
    let told = site.context.output.result(&report, |output| print(output, &report));
    if report.dry_run {
        told?;
        return Ok(Exit::Done);
    }
    CommandError::after(format_args!("{} was written", report.directory.display()), told)?;
    Ok(Exit::Done)
}

/// The directory's own name, so that `db/migrations/` and `.` have one as well, with ours behind it.
fn beside(source: &Path) -> std::path::PathBuf {
    let whole = std::fs::canonicalize(source);
    let name = source.file_name().map(std::ffi::OsStr::to_owned);
    let name = name.or_else(|| whole.as_ref().ok()?.file_name().map(std::ffi::OsStr::to_owned));
    let mut name = name.unwrap_or_else(|| DIR.into());
    name.push("-longshore");
    match source.file_name() {
        Some(_) => source.with_file_name(name),
        None => whole.map_or_else(|_| (&name).into(), |whole| whole.with_file_name(&name)),
    }
}

fn print(output: &Output, report: &ImportReport) -> std::io::Result<()> {
    for migration in &report.migrations {
        let down = migration.down.as_ref().map_or_else(|| "no down".to_owned(), Clone::clone);
        output.line(format!("{}: {}, {down}", migration.origin, migration.up))?;
    }
    for note in &report.notes {
        output.line(format!("note: {note}"))?;
    }
    print_skipped(output, &report.skipped)?;
    let migrations = match report.migrations.len() {
        1 => "1 migration".to_owned(),
        count => format!("{count} migrations"),
    };
    let directory = report.directory.display();
    if report.dry_run {
        return output.line(format!("would write {migrations} of {} to {directory}", report.format));
    }
    output.line(format!("wrote {migrations} of {} to {directory}", report.format))?;
    let word = shell_word(&directory.to_string());
    output.line(format!("next: longshore migrate lint --dir {word}, then set dir in [migrate] of longshore.toml"))
}

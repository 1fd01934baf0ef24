use longshore_migrate::report::MarkReport;
use longshore_migrate_sqlite::Access;

use super::{Absent, Site};
use crate::context::Context;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

/// Adopts a database that was made by hand.
pub(super) fn baseline(site: &Site<'_>, id: &str, reason: &str) -> anyhow::Result<Exit> {
    let mut migrator = site.migrator(Access::Write, Absent::Refused)?;
    let id = migrator.resolve(id)?;
    let report = migrator.baseline(&id, reason)?;
    tell(site.context, &report, "applied")
}

/// Prints what was marked as `what`.
pub(super) fn tell(context: &Context, report: &MarkReport, what: &str) -> anyhow::Result<Exit> {
    let told = context.output.result(report, |output| {
        for id in &report.marked {
            output.line(format!("marked {id} as {what}"))?;
        }
        for note in &report.notes {
            output.line(note)?;
        }
        if report.marked.is_empty() && report.notes.is_empty() {
            return output.line("nothing to mark: the ledger already says so");
        }
        Ok(())
    });
    let marked = report.marked.len();
    CommandError::after(format_args!("{marked} migrations were marked as {what}"), told)?;
    Ok(Exit::Done)
}
